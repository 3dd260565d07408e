#!/usr/bin/env bash
# The integers that our simulation of onnx-qdq computes are those that ONNX Runtime computes, code by code, for every
# value between two operators of every real network.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime

cifar="
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 64}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: 32}}
targets: [onnx-qdq]"
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
targets: [onnx-qdq]"
detector="$cifar
preprocess:
  - {channels: rgb}
  - {resize: {height: 240, width: 320, filter: bilinear}}
  - {mean: 127}
  - {divide: 128}"

# integers NAME RECORDS MODEL JOB: at least 99.99 % of all codes are equal.
integers() {
  printf 'model: %s\noutput: %s\n%s\n' "${3//DATA/$data}" "$1" "$4" >"$scratch/$1.yaml"
  "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null || fail "$1: calibrate"
  mkdir "$scratch/$1.values"
  "$RUN_SIMULATION" "$scratch/$1.yaml" onnx-qdq "$scratch/$1.values" "$2" >"$scratch/$1.names" 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "$1: simulate"; }
  echo "$1:"
  "$PYTHON" "$here/check_integers.py" "$scratch/$1"/onnx-qdq/*.onnx "$scratch/$1.values" "$scratch/$1.names" 99.99 ||
    faults="${faults:-} $1"
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
