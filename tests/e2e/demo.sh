#!/usr/bin/env bash
# The demo: fp32 accuracy as train.py measured it with PIL and onnxruntime, int8 within a point of it, and the same bits
# for any number of ranks, also when some are slow or stand still.
. "$(dirname "$0")/lib.sh"
demo=$SOURCE/jobs/demo

# calibrate RANKS OUTPUT [key=value...]: the demo's job on the test's own pictures; the table is in OUTPUT.txt.
calibrate() {
  local n=$1 out=$scratch/$2 key sets=(); shift 2
  for key in "$@"; do sets+=(--set "$key"); done
  ranks "$n" "${slowly[@]}" "$ETALON" calibrate -q "$demo/demo.yaml" --set "output=$out" "${sets[@]}" \
    --set "dataset.path=$scratch/pictures" --set "dataset.list=$scratch/pictures/calibration.txt" \
    --set "evaluate.dataset.path=$scratch/pictures" --set "evaluate.dataset.list=$scratch/pictures/evaluation.txt" \
    >"$out.txt"
}
slowly=()

# ---- pictures ----

"$DEMO_IMAGES" --out "$scratch/pictures" || fail "pictures"
"$DEMO_IMAGES" --out "$scratch/fewer" --calibration 0 --evaluation 70 || fail "fewer pictures"
head -70 "$scratch/pictures/evaluation.txt" | cmp - "$scratch/fewer/evaluation.txt" || fail "the list of fewer pictures"
while read -r path _; do
  cmp "$scratch/pictures/$path" "$scratch/fewer/$path" || fail "a picture depends on how many are drawn"
done <"$scratch/fewer/evaluation.txt"
expect 64 'expected a whole number' "$DEMO_IMAGES" --out "$scratch/none" --train many
expect 73 'cannot be created' "$DEMO_IMAGES" --out "$scratch/no/where"

# ---- accuracy ----

# top1 NETWORK FILE: from the table that the program prints.
top1() { awk -v name="$1" '$1 == name && NF >= 3 { print $2; exit }' "$2"; }

# near A B POINTS: |A - B| <= POINTS; a figure that is missing is not near.
near() { [ -n "$1" ] && [ -n "$2" ] && awk "BEGIN { d = $1 - $2; exit !(d <= $3 && -d <= $3) }"; }

expected=$(sed -n 's/.*fp32 top-1 \([0-9.]*\) %, top-3.*/\1/p' "$demo/train.py" | head -1)
calibrate 2 whole || fail "calibrate"
cat "$scratch/whole.txt"
fp32=$(top1 fp32 "$scratch/whole.txt")
near "$fp32" "$expected" 0.3 || fail "fp32 top-1 $fp32, expected $expected"
for target in onnx-qdq tnn; do
  near "$(top1 "$target" "$scratch/whole.txt")" "$fp32" 1.0 || fail "$target: more than a point from fp32 $fp32"
  [ -n "$(find "$scratch/whole/$target" -type f -size +10k)" ] || fail "$target: no model"
done

# ---- the same bits ----

few="dataset.limit=$(sized 200 48) evaluate.dataset.limit=$(sized 200 48)" # words without blanks

# same OUTPUT WHAT: compares with the plain start.
same() {
  [ "$(bits "$scratch/$1")" = "$(bits "$scratch/plain")" ] || {
    diff -rq "$scratch/$1" "$scratch/plain" >&2 || true
    fail "other bits: $2"
  }
  echo "ok: the same bits, $2"
}

calibrate 0 plain $few || fail "plain start"
[ -s "$scratch/plain/manifest.json" ] || fail "no manifest"
for n in 1 2 3 5; do
  calibrate $n ranks$n $few || fail "$n ranks"
  same ranks$n "ranks: $n"
done

# Ranks begin at different times, so the early ones take most of the blocks.
slowly=(bash -c 'sleep "0.$((RANDOM % 9))"; exec "$@"' slowly)
for round in 1 2; do
  calibrate 3 late$round $few || fail "late ranks"
  same late$round "ranks that come late"
done
slowly=()

# One rank stands still for a second in the middle; the others cannot end without it.
calibrate 3 still $few &
job=$!
rank_of() { # the last rank: a child of mpirun, which is a child of the job
  rank=$(ranks_of $(cat "/proc/$job/task/$job/children") | tail -n 1) && [ -n "$rank" ]
}
rank=
for _ in $(seq 50); do rank_of 2>/dev/null && break; sleep 0.05; done
if [ -n "$rank" ] && kill -STOP "$rank" 2>/dev/null; then
  sleep 1
  kill -0 "$job" 2>/dev/null || fail "the run did not wait for the rank that was stopped"
  kill -CONT "$rank"
else
  echo "the run was over before a rank could be stopped"
fi
wait "$job" || fail "a rank that stood still"
same still "a rank that stood still"
