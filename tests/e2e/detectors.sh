#!/usr/bin/env bash
# Face detectors: several outputs, no labels, three formats. The same network means the same numbers, whatever file it
# came from; int8 stays close to them.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime

faces=$data/ultraface

# detector NAME "FILE [WEIGHTS]" RECORDS [SETTINGS...]
detector() {
  local name=$1 file weights records=$3; read -r file weights <<<"$2"; shift 3
  cat >"$scratch/$name.yaml" <<JOB
model: {file: $faces/$file${weights:+, weights: $faces/$weights}}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $records}
preprocess: [{channels: rgb}, {resize: {height: 240, width: 320, filter: bilinear}}, {mean: 127}, {divide: 128}]
calibration: {block: 2}
targets: [onnx-qdq]
output: $name
JOB
  ranks 2 "$ETALON" calibrate -q "$scratch/$name.yaml" "$@" >/dev/null || fail "$name: calibrate"
  echo "$name"
}
outputs() { "$PYTHON" "$here/check_outputs.py" "$1" "$scratch/$2"/onnx-qdq/*.onnx ultraface "$data" 8 "$3" || fail "$2"; }

few=$(sized 16 2)
float='calibration.overrides=[{node: "*", precision: float}]'
rfb=$faces/version-RFB-320_simplified.onnx slim=$faces/version-slim-320_simplified.onnx
slim_tnn="version-slim-320_simplified.tnnproto version-slim-320_simplified.tnnmodel"

# Nothing quantized: what was imported, written as ONNX, computes what the original ONNX computes.
for network in rfb slim; do detector ${network}_onnx_float "${!network##*/}" "$few" --set "$float"; done
detector rfb_caffe_float "RFB-320.prototxt RFB-320.caffemodel" "$few" --set "$float"
detector slim_tnn_float "$slim_tnn" "$few" --set "$float"
outputs "$rfb" rfb_onnx_float 0.9999999
outputs "$rfb" rfb_caffe_float 0.9999999
outputs "$slim" slim_onnx_float 0.9999999
outputs "$slim" slim_tnn_float 0.9999999

# Our engine finds its largest coordinate where ONNX Runtime finds it.
"$ETALON" evaluate -q "$scratch/rfb_onnx_float.yaml" --set "$float" --set 'model.outputs=[boxes]' \
  --choices "$scratch/choices" --force >/dev/null
"$PYTHON" "$here/check_agreement.py" "$rfb" "$scratch/choices" fp32 ultraface "$data" 99 boxes || fail "fp32 boxes"

# int8
detector rfb_onnx "${rfb##*/}" "$(sized 64 4)"
detector slim_tnn "$slim_tnn" "$(sized 64 4)"
outputs "$rfb" rfb_onnx "$(sized 0.975 0.9)"
outputs "$slim" slim_tnn "$(sized 0.975 0.9)"
