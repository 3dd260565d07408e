#!/usr/bin/env bash
# What the targets cambricon-* write for networks out of TensorFlow, real TensorFlow parses; it runs the float graph to our
# fp32, and the one of integers, with the vendor's operators as documented, to our simulation. Nightly: TensorFlow is half a
# gigabyte, in an environment of its own.
tensorflow_folder=$SOURCE/build/tf-venv
if ! "$tensorflow_folder/bin/python" -c 'import tensorflow, PIL' 2>/dev/null; then
  { python3 -m venv "$tensorflow_folder" && "$tensorflow_folder/bin/pip" install -q tensorflow-cpu pillow; } >&2 ||
    { echo "skipped: TensorFlow cannot be installed"; exit 77; }
fi
export TF_CPP_MIN_LOG_LEVEL=3
. "$(dirname "$0")/lib.sh"
need_data
check() { "$tensorflow_folder/bin/python" "$here/check_cambricon_tensorflow.py" "$@" 2>"$scratch/stderr" ||
  { cat "$scratch/stderr" >&2; fail "$*"; }; }

# network NAME MODEL PREPROCESS VALUE DECIBEL [CALIBRATION]: without depthwise layers, which are of floats here, VALUE is what the
# simulation makes of it.
network() {
  local name=$1 target bits folder i
  cat >"$scratch/$name.yaml" <<YAML
model: {file: $2}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 32}
preprocess: $3
calibration: {bias_correction: none, equalization: none${6:+, $6}}
targets: [cambricon-mlu270, cambricon-mlu270-int16]
target_options: {cambricon-mlu270: {float: fp32}, cambricon-mlu270-int16: {float: fp32}}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: 8}}
output: $name
YAML
  "$ETALON" calibrate -q "$scratch/$name.yaml" >/dev/null || fail "$name: calibrate"
  for bits in 8 16; do
    target=cambricon-mlu270
    [ $bits = 8 ] || target=$target-int16
    folder=$scratch/$name/$target
    mkdir "$scratch/$name.$bits"
    "$RUN_SIMULATION" "$scratch/$name.yaml" $target "$scratch/$name.$bits" 8 >"$scratch/names" || fail "$name: simulate"
    i=$(awk -v name="$4" '$2 == name { print $1 }' "$scratch/names")
    [ -n "$i" ] || fail "$name: no value \"$4\" among $(cat "$scratch/names")"
    check int "$folder/$(basename "$2" .pb)_int${bits}_tf.pb" "$folder/$(basename "$2" .pb)_tf.pb" $bits \
      "$scratch/$name.$bits" "$4" "$i" 8 "$5"
  done
  head -c "$(($(stat -c %s "$scratch/$name.8/input.0") / 8))" "$scratch/$name.8/input.0" >"$scratch/in"
  "$RUN_NETWORK" "$2" normalised "$scratch/ours" "$scratch/in" >/dev/null || fail "$name: our fp32"
  check float "$folder/$(basename "$2" .pb)_tf.pb" "$scratch/in" "$scratch/ours.0"
  echo "ok: $name"
}

resnet='[{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]'
network tensors "$data/resnet20/resnet20_frozen.pb" "$resnet" fc/flatten 40 "granularity: per-tensor"
network resnet20 "$data/resnet20/resnet20_frozen.pb" "$resnet" fc/flatten 40
network mobilenet "$data/mobilenet025/mobilenet025_cifar10_frozen.pb" \
  '[{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]' head/gap 5
