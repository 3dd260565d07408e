#!/usr/bin/env bash
# calibration.refine: thresholds that the simulation judges. The same bits for any number of ranks, stopped and killed in
# between or not, and again from the archive alone; outputs that are never worse on the records they were judged by.
# refine_long.sh has what takes long: other methods, and runs that are stopped and killed.
. "$(dirname "$0")/lib.sh"
need_tool jq

draw 20 0
targets=(onnx-qdq tnn sophon-bm1684 cambricon-mlu270 ascend)
keys="targets: [$(IFS=,; echo "${targets[*]}")]\ncalibration: {activations: minmax"
demo_job plain "$keys}" # evaluated on the records that refinement sees
demo_job refined "$keys, refine: 2}"
demo_job auto "$keys, refine: 1}"
demo_job tensor "$keys, refine: 2, granularity: per-tensor}"
sed -i 's/activations: minmax/activations: auto/' "$scratch/auto.yaml"
others=()
[ "${LONG:=0}" = 0 ] || others=(auto tensor)
for job in plain refined "${others[@]}"; do
  ranks 2 "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job: calibrate"
done
for n in 0 3; do
  ranks "$n" "$ETALON" calibrate -q "$scratch/refined.yaml" --set "output=ranks$n" >/dev/null || fail "$n ranks"
  [ "$(bits "$scratch/ranks$n")" = "$(bits "$scratch/refined")" ] || fail "$n ranks: other bits than 2"
done
"$ETALON" calibrate -q "$scratch/refined.yaml" --set output=threads --set engine.threads=3 >/dev/null || fail "3 threads"
[ "$(bits "$scratch/threads")" = "$(bits "$scratch/refined")" ] || fail "3 threads: other bits than 1"
echo "ok: 1, 2 and 3 ranks, 3 threads"

# --- what it does
sqnr() { jq -e ".targets[\"$2\"].sqnr_db" "$scratch/$1/report.json"; }
changed=0
for target in "${targets[@]}"; do
  awk -v a="$(sqnr plain "$target")" -v b="$(sqnr refined "$target")" 'BEGIN {exit !(b >= a)}' ||
    fail "$target: outputs were $(sqnr plain "$target") dB, and are $(sqnr refined "$target")"
  ! grep -qF '+sim"' <(jq ".targets[\"$target\"].layers[].method" "$scratch/refined/report.json") || changed=$((changed + 1))
done
[ "$changed" -ge 2 ] || fail "the thresholds of $changed of ${#targets[@]} targets have changed: expected two or more"
! grep -qF "+sim" "$scratch/plain/report.json" || fail "thresholds have changed that nobody asked to"
echo "ok: the outputs of no target are worse; thresholds of $changed have changed"

# --- the archive
mv "$scratch/pictures" "$scratch/gone"
for job in refined "${others[@]}"; do
  "$ETALON" emit "$scratch/$job/archive.h5" -m "$demo/demo.onnx" -o "$scratch/$job.emitted" >/dev/null || fail "$job: emit"
  for target in "${targets[@]}"; do diff -r "$scratch/$job/$target" "$scratch/$job.emitted/$target" || fail "emit: $target"; done
done
expect 69 "refine: 1 needs the calibration data" "$ETALON" emit "$scratch/plain/archive.h5" -m "$demo/demo.onnx" \
  -o "$scratch/refused" --set calibration.refine=1 --set calibration.bias_correction=analytic
expect 78 "0 to 16 passes" "$ETALON" calibrate "$scratch/plain.yaml" --set calibration.refine=17
mv "$scratch/gone" "$scratch/pictures"
expect 0 "statistics come from" "$ETALON" evaluate "$scratch/refined.yaml" --json
[ "$(jq .targets "$scratch/stdout")" = "$(jq '.targets | map_values(del(.files))' "$scratch/refined/report.json")" ] ||
  [ "$(jq '.targets.tnn.sqnr_db' "$scratch/stdout")" = "$(sqnr refined tnn)" ] || fail "evaluate: other figures"
! grep -q "refinement" "$scratch/stderr" || fail "evaluate has refined again"
echo "ok: the archive gives what was refined"

[ "$LONG" = 1 ] || exit 0

# --- stopped and killed
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n "$(sized 1500 300)" >"$scratch/list.txt"
cat "$scratch/pictures/calibration.txt" >>"$scratch/list.txt"
demo_job long 'targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}\ncalibration: {activations: minmax, refine: 2}'
sed -i 's|list: pictures/calibration.txt|list: list.txt|; s|^output: .*|output: out|' "$scratch/long.yaml"
calibrate=("$ETALON" calibrate "$scratch/long.yaml")
"${calibrate[@]}" -q --set output=undisturbed --set checkpoint.interval=1000 >/dev/null || fail "undisturbed"
kept() { find "$scratch/out/checkpoint" -name 'refine*.h5' | grep -q .; }
# begun_until SIGNAL: by two ranks, ended by the signal once the refinement has been kept.
begun_until() {
  rm -rf "$scratch/out"
  mpirun --oversubscribe --bind-to none -n 2 "${calibrate[@]}" -q >/dev/null 2>"$scratch/stderr" & run=$!
  wait_for 120 kept
  mapfile -t pids < <(ranks_of $run)
  case $1 in
    KILL) kill -KILL "${pids[0]}" 2>/dev/null || true ;;
    *) kill -"$1" "${pids[@]}" ;; # each rank itself: on a busy machine mpirun has been seen to lose one
  esac
  rc=0; wait $run 2>/dev/null || rc=$?
}
finished() {
  ranks 3 "${calibrate[@]}" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "going on"; }
  grep -q "refinement: going on after [0-9]* of [0-9]* blocks" "$scratch/stderr" || fail "the refinement has begun anew"
  [ "$(bits "$scratch/out")" = "$(bits "$scratch/undisturbed")" ] || fail "other bits than undisturbed"
  [ ! -e "$scratch/out/checkpoint" ] || fail "the checkpoint has stayed"
}
begun_until USR1
[ $rc -eq 75 ] || { cat "$scratch/stderr" >&2; fail "SIGUSR1: expected exit 75, found $rc"; }
finished
begun_until KILL
[ $rc -ne 0 ] || fail "a killed rank went unnoticed"
finished
echo "ok: stopped and killed in a refinement, and on with 3 ranks"
