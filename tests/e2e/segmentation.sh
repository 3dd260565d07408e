#!/usr/bin/env bash
# A segmentation network end to end: the demo's U-Net on scenes of 480 x 480 that are drawn here, for every target. Mean IoU
# is what NumPy counts of what ONNX Runtime finds, and the same bits on 1, 2 and 3 ranks.
. "$(dirname "$0")/lib.sh"
n=$(sized 3 2)
mkdir -p "$scratch/jobs/demo" "$scratch/build"
cp "$demo"/segmentation.{yaml,onnx} "$scratch/jobs/demo/"
"$DEMO_IMAGES" --out "$scratch/build/demo" --scenes --calibration "$(sized 4 2)" --evaluation "$n" || fail "scenes"
job=$scratch/jobs/demo/segmentation.yaml scenes=$scratch/build/demo/scenes/evaluation
targets=$("$ETALON" targets | awk '$1 != "null" && /^[a-z]/ {print $1}' | paste -sd,)

need_tool jq

# field FOLDER PATH: what its report says.
field() { jq -r ".$2" "$scratch/$1/report.json"; }

calibrate() { # RANKS NAME [OPTIONS]
  ranks "$1" "$ETALON" calibrate -q "$job" --set "output=$scratch/$2" "${@:3}" >"$scratch/table" 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "calibrate on $1 ranks"; }
}
calibrate 0 all --set "targets=[$targets]"
awk '/where it is lost/ {exit} NF {print}' "$scratch/table"
for target in ${targets//,/ }; do
  [ "$(field all "targets[\"$target\"].error")" = null ] || fail "$target: $(field all "targets[\"$target\"].error")"
  [ "$(field all "targets[\"$target\"].files | length")" -gt 0 ] || fail "$target: nothing was written"
done
echo "ok: $(tr , '\n' <<<"$targets" | wc -l) targets"
for r in 0 2 3; do
  calibrate $r "of$r" --set 'targets=[onnx-qdq, cambricon-mlu220]' --set evaluate.local_errors=true --set evaluate.original=true
done
[ "$(bits "$scratch/of0")" = "$(bits "$scratch/of2")" ] && [ "$(bits "$scratch/of0")" = "$(bits "$scratch/of3")" ] ||
  fail "1, 2 and 3 ranks differ"
echo "ok: the same bits on 1, 2 and 3 ranks"

# Folding changes last bits only, and the first layer errs by itself alone.
jq -e '.original.fp32_mean_iou > 99.9 and .original.sqnr_db > 90' "$scratch/of0/report.json" >/dev/null || fail "the original network"
jq -e '[.targets[].layers[1] | .local.sqnr_db == .sqnr_db] | all' "$scratch/of0/report.json" >/dev/null || fail "the first layer alone"
jq -e '[.targets[].layers[-1] | .local.sqnr_db == null or .local.sqnr_db > .sqnr_db] | all' "$scratch/of0/report.json" >/dev/null || fail "the last layer alone"

# Counted once more, from the pictures.
need_python onnxruntime
need_python PIL
"$PYTHON" "$here/check_segmentation.py" "$scratch/all" "$demo/segmentation.onnx" "$scenes" "$scratch/indexed" || fail "mean IoU"

# The same labels as indices of a palette, which need no map; and no labels at all.
evaluate() { "$ETALON" evaluate -q --json "$job" --set "targets=[onnx-qdq]" --set "output=$scratch/none" "$@"; }
small() { evaluate --set dataset.limit=2 --set evaluate.dataset.limit=2 "$@"; }
small >"$scratch/gray.json" || fail "gray labels"
small --set "evaluate.segmentation={labels: {kind: images, path: $scratch/indexed}}" >"$scratch/indexed.json" || fail "palette"
small --set 'evaluate.segmentation={}' >"$scratch/unlabelled.json" || fail "no labels"
jq -e --slurpfile b "$scratch/indexed.json" '.fp32 == $b[0].fp32 and .targets == $b[0].targets' "$scratch/gray.json" >/dev/null ||
  fail "indices of a palette are other labels"
jq -e --slurpfile b "$scratch/unlabelled.json" '.targets["onnx-qdq"].fp32_mean_iou == $b[0].targets["onnx-qdq"].fp32_mean_iou
  and $b[0].fp32.mean_iou == null and ($b[0].fp32 | has("iou") | not)' "$scratch/gray.json" >/dev/null ||
  fail "without labels, fp32 is another"
echo "ok: labels of a palette, and none"

# What is wrong with labels is said.
expect 65 'record 0000.png: the label 50 in row' small --set 'evaluate.segmentation.classes={0: 0, 100: 2, 150: 3, 200: 4}'
expect 78 'expected classes below 5' small --set 'evaluate.segmentation.classes={0: 0, 50: 5}'
expect 65 'expected 1x480x480, found 3x480x480' small --set "evaluate.segmentation.labels.path=$scenes/pictures"
expect 78 'ends with 1x240x240' small --set 'evaluate.segmentation.preprocess=[{resize: {height: 240, width: 240, filter: nearest}}]'
expect 65 'has a record named "0001"' small --set "evaluate.segmentation.labels={kind: images, path: $scratch/one}" \
  --set "evaluate.dataset.path=$scenes/pictures"
echo "ok: what is wrong with labels"
