#!/usr/bin/env bash
# Classifiers with real weights in every format: fp32 accuracy as other software measured it, int8 within a point of it,
# and the emitted models choose in ONNX Runtime what our simulation chose.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime

calibration=$(sized 1000 50) evaluation=$(sized 2000 50)
cifar="
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $calibration}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $evaluation}}
targets: [onnx-qdq, tnn]"
resnet="$cifar
preprocess:
  - {channels: rgb}
  - {divide: 255}
  - {mean: [0.485, 0.456, 0.406]}
  - {divide: [0.229, 0.224, 0.225]}"
mobilenet="$cifar
preprocess:
  - {channels: rgb}
  - {resize: {height: 128, width: 128, filter: bilinear}}
  - {divide: 127.5}
  - {mean: 1}"
lenet="
dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $(sized 500 50)}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $(sized 1000 50)}}
preprocess: [{scale: 0.00390625}]
targets: [onnx-qdq, tnn]"

# network NAME TOP1 MODEL JOB [TARGET=LOSS...]: calibrates on two ranks and checks report.json. A small part of
# the evaluation set, as under sanitizers, tells nothing about accuracy.
network() {
  local name=$1 top1=$2 losses=("${@:5}")
  printf 'model: %s\noutput: %s\n%s\n' "${3//DATA/$data}" "$name" "$4" >"$scratch/$name.yaml"
  [ "${SANITIZED:-0}" = 0 ] || { top1=any; losses=(onnx-qdq=10 tnn=10); }
  ranks 2 "$ETALON" calibrate -q "$scratch/$name.yaml" >/dev/null || fail "$name: calibrate"
  "$PYTHON" "$here/check_accuracy.py" "$scratch/$name/report.json" "$name" "$top1" "${losses[@]}" || fail "$name"
}

# agrees NAME KIND [ORIGINAL.onnx]: ONNX Runtime on the emitted model, and on the fp32 one where it can read it.
agrees() {
  local name=$1 kind=$2 choices=$scratch/$1.choices
  ranks 2 "$ETALON" evaluate -q "$scratch/$name.yaml" --choices "$choices" >/dev/null || fail "$name: evaluate"
  "$PYTHON" "$here/check_agreement.py" "$scratch/$name"/onnx-qdq/*.onnx "$choices" onnx-qdq "$kind" "$data" 99.8 ||
    fail "$name: other choices in ONNX Runtime"
  [ -z "${3:-}" ] || "$PYTHON" "$here/check_agreement.py" "$data/$3" "$choices" fp32 "$kind" "$data" 99.9 ||
    fail "$name: our fp32 differs from ONNX Runtime's"
}

network lenet 98.90 \
  '{file: DATA/lenet/lenet_train_test.prototxt, weights: DATA/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}' "$lenet"
agrees lenet lenet
network resnet20_onnx13 81.35 '{file: DATA/resnet20/resnet20_opset13.onnx}' "$resnet"
agrees resnet20_onnx13 resnet resnet20/resnet20_opset13.onnx
network resnet20_torch11 81.35 '{file: DATA/resnet20/resnet20_torch_opset11.onnx}' "$resnet"
network resnet20_torch13 81.35 '{file: DATA/resnet20/resnet20_torch_opset13_bn.onnx}' "$resnet"
"$PYTHON" "$here/zero_weights.py" "$data/resnet20/resnet20_torch_opset13_bn.onnx" "$scratch/zero.onnx"
network resnet20_checkpoint 81.35 "{file: $scratch/zero.onnx, weights: DATA/resnet20/resnet20-12fca82f.th}" "$resnet"
network resnet20_caffe 81.35 '{file: DATA/resnet20/resnet20.prototxt, weights: DATA/resnet20/resnet20.caffemodel}' "$resnet"
network resnet20_tf 81.35 '{file: DATA/resnet20/resnet20_frozen.pb}' "$resnet"
network mobilenet025 71.60 '{file: DATA/mobilenet025/mobilenet025_cifar10_opset13.onnx}' "$mobilenet" tnn=3.0
agrees mobilenet025 mobilenet mobilenet025/mobilenet025_cifar10_opset13.onnx
network mobilenet025_tf 71.60 '{file: DATA/mobilenet025/mobilenet025_cifar10_frozen.pb}' "$mobilenet" tnn=3.0
