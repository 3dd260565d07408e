#!/usr/bin/env bash
# Well-known architectures with random weights (tests/random_networks.py): our fp32, before and after the passes, is that
# of ONNX Runtime; what calibration on two ranks writes, ONNX Runtime computes as our simulation said it would.
#
#   random_networks.sh [NAME...]     these in fp32, and the larger ones in int8
. "$(dirname "$0")/lib.sh"
need_python onnxruntime
need_python PIL

# fp32 NAME...: imported, run, and normalised, run.
fp32() {
  local name
  for name; do
    "$PYTHON" "$SOURCE/tests/random_networks.py" "$name" "$scratch/$name.onnx" || fail "$name: not made"
    "$PYTHON" "$here/check_random_network.py" "$RUN_NETWORK" "$name" "$scratch/$name.onnx" "$scratch" || fail "$name"
  done
}

# int8 NAME PERCENT [TARGETS]: ends with models for both targets, and the same choice in ONNX Runtime on PERCENT of the
# pictures.
int8() {
  local name=$1 records targets=${3:-onnx-qdq, tnn}
  records=$(sized 16 2)
  "$PYTHON" "$SOURCE/tests/random_networks.py" "$name" "$scratch/$name.onnx" "$scratch/$name.pictures" "$records"
  cat >"$scratch/$name.yaml" <<JOB
model: {file: $name.onnx}
dataset: {kind: images, path: $name.pictures}
preprocess: $("$PYTHON" -c "import sys; sys.path.append('$SOURCE/tests'); import random_networks as r; print(r.preprocess('$name'))")
calibration: {block: 2}
targets: [$targets]
output: $name
JOB
  ranks 2 "$ETALON" calibrate -q "$scratch/$name.yaml" >/dev/null || fail "$name: calibrate"
  ranks 2 "$ETALON" evaluate -q "$scratch/$name.yaml" --set 'targets=[onnx-qdq]' --choices "$scratch/$name.choices" \
    >/dev/null || fail "$name: evaluate"
  "$PYTHON" "$here/check_random_int8.py" "$name" "$scratch/$name.onnx" "$scratch/$name" "$scratch/$name.choices" \
    "$scratch/$name.pictures" "$2" || fail "$name: int8"
  [[ $targets != *tnn* ]] || [ -s "$scratch/$name/tnn/$name.quantized.tnnmodel" ] || fail "$name: no model for tnn"
}

# again NAME: a model that was quantized already keeps its thresholds: what we wrote, calibrated once more.
again() {
  "$ETALON" calibrate -q "$scratch/$1.yaml" --set "model={file: $1/onnx-qdq/$1.onnx}" --set 'targets=[onnx-qdq]' \
    --set calibration.activations=given --set "output=$1.again" >/dev/null || fail "$1: its quantized model again"
  "$PYTHON" "$here/check_given.py" "$scratch/$1/report.json" "$scratch/$1.again/report.json" || fail "$1: given thresholds"
}

if [ $# -gt 0 ]; then # the larger ones, and int8 that takes long, nightly
  fp32 "$@"
  [ ! -e "$scratch/resnet50.onnx" ] || "$ETALON" inspect "$scratch/resnet50.onnx" >"$scratch/stdout"
  [ ! -e "$scratch/resnet50.onnx" ] || grep -q ': 25557032 parameters, 4089184256 multiply' "$scratch/stdout" ||
    fail "resnet50: totals other than the published ones"
  [ "${SANITIZED:-0}" = 0 ] || exit 0
  int8 mobilenetv2 99
  again mobilenetv2
  int8 ssd_mobilenet 99
  exit
fi
fp32 features sequence two_inputs segmentation resnext vit_tiny transformer unet
[ "${SANITIZED:-0}" = 1 ] || fp32 shufflenetv2 mobilenetv2 ssd_mobilenet # minutes each there
"$ETALON" inspect "$scratch/resnext.onnx" --normalised >"$scratch/stdout"
[ "$(grep -c ' conv .* group 8 ' "$scratch/stdout")" -eq 2 ] || fail "split, convolutions and join are no grouped layers"

# batched NAME INPUTS OPTIONS...: written for three records at once.
batched() {
  local name=$1 inputs=$2; shift 2
  "$ETALON" convert "$scratch/$name.onnx" --to onnx --output "$scratch" --name batched --force --batch 3 "$@" >/dev/null
  "$PYTHON" "$here/check_batch.py" "$scratch/$name.onnx" "$scratch/batched.onnx" 3 >"$scratch/stdout" || fail "$name $*"
  grep -q " $inputs inputs" "$scratch/stdout" || fail "$name $*: expected $inputs inputs"
}
batched two_inputs 2
batched two_inputs 4 --separate side
batched two_inputs 6 --separate side --separate x
batched unet 3 --separate-batch
expect 78 "name those to split" "$ETALON" convert "$scratch/two_inputs.onnx" --to onnx --output "$scratch" --batch 3 --separate-batch
expect 69 "only models of one record" "$ETALON" convert "$scratch/unet.onnx" --to tnn --output "$scratch" --batch 3
expect 69 "a join with a constant" "$ETALON" convert "$scratch/vit_tiny.onnx" --to onnx --output "$scratch" --batch 3

int8 unet "$(sized 80 0)" # the largest of 18432 probabilities near one: a step of rounding moves it
int8 segmentation "$(sized 80 0)" # three outputs; as for unet
int8 features 99
int8 transformer 99 onnx-qdq # TNN has no gather
again transformer
int8 sequence 99 onnx-qdq # TNN has no convolutions over one axis

sed 's/unet.onnx/two_inputs.onnx/; s/^output: .*/output: two/' "$scratch/unet.yaml" >"$scratch/two_inputs.yaml"
expect 78 'has 2 inputs (the second is "side"): the dataset needs "inputs"' "$ETALON" calibrate -q "$scratch/two_inputs.yaml"
