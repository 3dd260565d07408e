#!/usr/bin/env bash
# The integers that our simulation of onnx-qdq computes are those that ONNX Runtime computes, code by code, for every
# value between two operators of every real network. Those of onnx-qdq-int16 are these or their neighbours, given
# the same codes to compute with: the runtime does so in float, whose rounding is now and then the next code of 65,536.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime

cifar="
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 64}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: 32}}
targets: [onnx-qdq, onnx-qdq-int16]"
resnet="$cifar
preprocess:
  - {channels: rgb}
  - {divide: 255}
  - {mean: [0.485, 0.456, 0.406]}
  - {divide: [0.229, 0.224, 0.225]}"
backbone="$cifar
preprocess:
  - {channels: rgb}
  - {resize: {height: 128, width: 128, filter: bilinear}}
  - {divide: 127.5}
  - {mean: 1}"
lenet="
dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 64}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 32}}
preprocess: [{scale: 0.00390625}]
targets: [onnx-qdq, onnx-qdq-int16]"
detector="$cifar
preprocess:
  - {channels: rgb}
  - {resize: {height: 240, width: 320, filter: bilinear}}
  - {mean: 127}
  - {divide: 128}"

# compare NAME RECORDS TARGET PERCENT [OPTION]: of a job that was run, what the target's file and its simulation give.
compare() {
  local values=$scratch/$1.$3
  mkdir "$values"
  "$RUN_SIMULATION" "$scratch/$1.yaml" "$3" "$values" "$2" >"$values.names" 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "$1, $3: simulate"; }
  echo "$1, $3:"
  "$PYTHON" "$here/check_integers.py" "$scratch/$1/$3"/*.onnx "$values" "$values.names" "${@:4}" ||
    faults="${faults:-} $1($3)"
}

# integers NAME RECORDS MODEL JOB: of 8 bits at least 99.99 % of all codes are equal, of 16 bits 99.5 %.
integers() {
  printf 'model: %s\noutput: %s\n%s\n' "${3//DATA/$data}" "$1" "$4" >"$scratch/$1.yaml"
  "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null || fail "$1: calibrate"
  compare "$1" "$2" onnx-qdq 99.99
  compare "$1" "$2" onnx-qdq-int16 99.5 --node-by-node
}

many=$(sized 32 2) few=$(sized 4 1)
integers lenet "$many" \
  '{file: DATA/lenet/lenet_train_test.prototxt, weights: DATA/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}' "$lenet"
integers resnet20 "$many" '{file: DATA/resnet20/resnet20_opset13.onnx}' "$resnet"
integers resnet20_torch11 "$many" '{file: DATA/resnet20/resnet20_torch_opset11.onnx}' "$resnet"
integers mobilenet025 "$many" '{file: DATA/mobilenet025/mobilenet025_cifar10_opset13.onnx}' "$backbone"
integers mnet "$few" '{file: DATA/tensorflow/mnet.pb}' "$backbone"
integers rfb "$few" '{file: DATA/ultraface/version-RFB-320_simplified.onnx}' "$detector"
integers slim "$few" '{file: DATA/ultraface/version-slim-320_simplified.onnx}' "$detector"
integers tnn_tiny "$many" '{file: DATA/tnn_golden/tiny_v1.tnnproto, weights: DATA/tnn_golden/tiny_v1.tnnmodel}' "$resnet"
[ -z "${faults:-}" ] || fail "other integers in ONNX Runtime:$faults"
