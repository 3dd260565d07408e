#!/usr/bin/env bash
# passes: two, and tnn as its own tool would write it: the same bits for any number of ranks, stopped in either pass or
# not, and again from the archive alone.
. "$(dirname "$0")/lib.sh"

draw 10 0
records=$(sized 1500 300)
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n "$records" >"$scratch/more.txt"
cat "$scratch/pictures/calibration.txt" >>"$scratch/more.txt"
demo_job job 'calibration: {passes: two, activations: kl-tnn, weights: admm, granularity: per-channel, bins: 2048}
target_options: {tnn: {mode: tool-exact}}\ntargets: [tnn, onnx-qdq]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}'
sed -i 's|list: pictures/calibration.txt|list: more.txt|; s|^output: .*|output: out|' "$scratch/job.yaml"
short=(--set "dataset={kind: images, path: pictures, list: pictures/calibration.txt}")
calibrate=("$ETALON" calibrate "$scratch/job.yaml")

# --- ranks
for n in 0 1 2 3 5; do
  ranks "$n" "${calibrate[@]}" -q "${short[@]}" --set "output=$scratch/ranks$n" >/dev/null 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "$n ranks"; }
  [ "$(bits "$scratch/ranks$n")" = "$(bits "$scratch/ranks0")" ] || fail "$n ranks: other bits than one process"
done
echo "ok: 1, 2, 3 and 5 ranks"

# --- the archive alone: the same files, and those of another recipe of the tool
emit() { "$ETALON" emit "$scratch/ranks3/archive.h5" --model "$demo/demo.onnx" -q "$@" >/dev/null; }
emit --set targets='[tnn]' --output "$scratch/again"
diff -r "$scratch/ranks0/tnn" "$scratch/again/tnn" || fail "emit: other files"
recipe=(--set calibration.activations=minmax --set calibration.weights=maxabs)
"${calibrate[@]}" -q "${short[@]}" "${recipe[@]}" --set "output=$scratch/minmax" >/dev/null
emit --set targets='[tnn]' "${recipe[@]}" --output "$scratch/other"
diff -r "$scratch/minmax/tnn" "$scratch/other/tnn" || fail "emit with another recipe: other files"
! cmp -s "$scratch/minmax/tnn/demo.quantized.tnnmodel" "$scratch/ranks0/tnn/demo.quantized.tnnmodel" || fail "one recipe"
expect 69 "needs statistics of calibration.passes: two and of this granularity" \
  "$ETALON" emit "$scratch/ranks3/archive.h5" --model "$demo/demo.onnx" --output "$scratch/refused" \
  --set targets='[tnn]' --set calibration.granularity=mixed
echo "ok: emit"

# --- stopped in the first pass, and in the second
"${calibrate[@]}" -q --set "output=$scratch/undisturbed" --set checkpoint.interval=1000 >/dev/null
kept() { find "$scratch/out/checkpoint" -name '?.h5' | grep -q .; } # shards come before their index
# stopped_when COMMAND...: started with two ranks, stopped as soon as the command succeeds, gone on with by three.
stopped_when() {
  rm -rf "$scratch/out"
  mpirun --oversubscribe --bind-to none -n 2 "${calibrate[@]}" >/dev/null 2>"$scratch/stderr" & run=$!
  wait_for 60 "$@"
  while kill -USR1 $run 2>/dev/null; do sleep 1; done # on a busy machine mpirun has been seen to lose one
  rc=0; wait $run || rc=$?
  [ $rc -eq 75 ] || { cat "$scratch/stderr" >&2; fail "SIGUSR1: expected exit 75, found $rc"; }
  ranks 3 "${calibrate[@]}" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "going on"; }
  [ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed")" ] || fail "other bits than undisturbed"
  [ ! -e "$scratch/out/checkpoint" ] || fail "the checkpoint has stayed"
}
stopped_when kept
grep -q "going on after [1-9][0-9]* of [0-9]* blocks, from" "$scratch/stderr" || fail "the first pass has begun anew"
stopped_when grep -q "first pass: [0-9]" "$scratch/stderr"
grep -q "blocks of the second pass, from" "$scratch/stderr" || fail "the second pass has begun anew"
! grep -q "first pass: [0-9]" "$scratch/stderr" || fail "the first pass was run again"
echo "ok: stopped in either pass"

# --- what the tool does not know
refused() { local text=$1; shift; expect 78 "$text" "${calibrate[@]}" --set "output=$scratch/refused" "$@"; }
refused "tool-exact needs calibration.passes: two" --set calibration.passes=one
refused "expected calibration.activations minmax or kl-tnn, found mse" --set calibration.activations=mse
refused "expected calibration.weights maxabs or admm, found sweep" --set calibration.weights=sweep
refused "tool-exact needs calibration.equalization: none" --set calibration.granularity=per-tensor
refused "with passes: two all records are used" --set calibration.stop_when_stable=0.1
refused 'an override of activations, of "head", is unknown to the tool' \
  --set 'calibration.overrides=[{node: head, activations: minmax}]'
echo "ok: refusals"
