#!/usr/bin/env bash
# Methods that look at records: what they want to know is counted in the pass, the same for any number of ranks and after a
# kill, is in the archive as the manual says, serves emit and evaluate, and is missed by name where it was not counted.
. "$(dirname "$0")/lib.sh"
need_python h5py

draw "$(sized 300 60)" 20
elements=$((3 * 32 * 32))

# What asks for each.
declare -A settings=([mean-of-extrema]=calibration.activations=mean-of-extrema [aciq-range]=calibration.activations=aciq-range
  [isotone]=calibration.activations=isotone [grid-output]=calibration.weights=grid-output)
demo_job plain 'targets: [onnx-qdq, tnn]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
"$ETALON" calibrate -q "$scratch/plain.yaml" >/dev/null || fail "mse"

for method in "${!settings[@]}"; do
  set="--set ${settings[$method]}"
  # shellcheck disable=SC2086
  "$ETALON" calibrate -q "$scratch/plain.yaml" $set --set output=first >/dev/null || fail "$method"
  "$PYTHON" "$here/check_archive.py" "$scratch/first" $elements || fail "$method: its archive"
  for n in 2 3 5; do
    # shellcheck disable=SC2086
    ranks $n "$ETALON" calibrate -q "$scratch/plain.yaml" $set --set output=again --set engine.threads=$((n % 2 + 1)) >/dev/null ||
      fail "$method: $n ranks"
    [ "$(bits "$scratch/again")" = "$(bits "$scratch/first")" ] || fail "$method: other bits with $n ranks"
    rm -rf "$scratch/again"
  done
  # shellcheck disable=SC2086
  expect 0 "statistics come from" "$ETALON" evaluate --json "$scratch/plain.yaml" $set --set output=first
  grep -q "\"$method" "$scratch/first/report.json" || fail "$method is not in the report"
  expect 0 "" "$ETALON" emit "$scratch/first/archive.h5" -m "$demo/demo.onnx" -o "$scratch/emitted"
  for target in onnx-qdq tnn; do diff -r "$scratch/first/$target" "$scratch/emitted/$target" || fail "$method: emit"; done
  # other methods find what they need in the same archive; this one not in an archive of theirs
  expect 0 "" "$ETALON" emit "$scratch/first/archive.h5" -m "$demo/demo.onnx" -o "$scratch/other" \
    --set calibration.activations=kl --set calibration.weights=sweep --set calibration.bias_correction=analytic
  # shellcheck disable=SC2086
  expect 69 "\"$method\" wants to know more than histograms" "$ETALON" emit "$scratch/plain/archive.h5" -m "$demo/demo.onnx" \
    -o "$scratch/missing" $set --set calibration.bias_correction=analytic
  rm -rf "$scratch/first" "$scratch/emitted" "$scratch/other"
  echo "ok: $method"
done
grep -q '"method": "isotone"' <(ranks 2 "$ETALON" evaluate --json -q "$scratch/plain.yaml" --set calibration.activations=isotone) ||
  fail "no output has an isotone scale"
expect 78 "are not known before all records are counted" "$ETALON" calibrate "$scratch/plain.yaml" --stop-when-stable 0.1 \
  --set calibration.activations=mean-of-extrema

# --- killed, and on with other ranks: the checkpoint has the extras, too
sed -i "s|pictures/calibration.txt|pictures/long.txt|; s|^evaluate:.*|evaluate: {skip: true}|" "$scratch/plain.yaml"
for ((i = 0; i < $(sized 40 8); i++)); do cat "$scratch/pictures/calibration.txt"; done >"$scratch/pictures/long.txt"
run=("$ETALON" calibrate "$scratch/plain.yaml" --set calibration.activations=mean-of-extrema --set calibration.weights=grid-output)
"${run[@]}" -q --set output=whole >/dev/null || fail "the whole pass"
kept() { find "$scratch/again/checkpoint" -name '*.h5' 2>/dev/null | grep -q .; }
for n in 0 3; do
  "${run[@]}" --set output=again --set checkpoint.interval=1 >/dev/null 2>&1 & pid=$!
  wait_for 300 eval 'kept || ! kill -0 $pid'
  kill -KILL $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  ranks $n "${run[@]}" --set output=again >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "going on"; }
  grep -q "going on after [1-9][0-9]* of" "$scratch/stderr" || echo "(the run was over before it was killed)"
  [ "$(bits "$scratch/again")" = "$(bits "$scratch/whole")" ] || fail "other bits after a kill, and on with $n ranks"
  rm -rf "$scratch/again"
done
echo "ok: the same bits after a kill"
