#!/usr/bin/env bash
# The real networks: fp32 accuracy as measured by other software, int8 within a point of it, models that run.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime

cifar='
dataset: {kind: images, path: DATA/cifar10, list: DATA/cifar10/calibration.txt}
evaluate: {dataset: {kind: images, path: DATA/cifar10, list: DATA/cifar10/evaluation.txt}}
targets: [onnx-qdq, tnn]'
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
lenet='
dataset: {kind: lmdb, path: DATA/lmdb/mnist_test1000_lmdb, limit: 500}
evaluate: {dataset: {kind: lmdb, path: DATA/lmdb/mnist_test1000_lmdb}}
preprocess: [{scale: 0.00390625}]
targets: [onnx-qdq, tnn]'

# network NAME TOP1 MODEL JOB: calibrates on two ranks and checks report.json.
network() {
  local name=$1 top1=$2 model=$3 job=$4
  printf 'model: %s\noutput: %s\n%s\n' "$model" "$scratch/$name" "$job" | sed "s|DATA|$data|g" >"$scratch/$name.yaml"
  ranks 2 "$ETALON" calibrate "$scratch/$name.yaml" >"$scratch/$name.txt" || fail "$name: calibrate"
  "$PYTHON" "$SOURCE/tests/e2e/check_accuracy.py" "$scratch/$name/report.json" "$name" "$top1"
}

network resnet20_onnx13 81.35 '{file: DATA/resnet20/resnet20_opset13.onnx}' "$resnet"
network resnet20_torch11 81.35 '{file: DATA/resnet20/resnet20_torch_opset11.onnx}' "$resnet"
network resnet20_torch13 81.35 '{file: DATA/resnet20/resnet20_torch_opset13_bn.onnx}' "$resnet"
network resnet20_caffe 81.35 '{file: DATA/resnet20/resnet20.prototxt, weights: DATA/resnet20/resnet20.caffemodel}' "$resnet"
network mobilenet025 71.60 '{file: DATA/mobilenet025/mobilenet025_cifar10_opset13.onnx}' "$mobilenet"
network lenet 98.90 '{file: DATA/lenet/lenet_train_test.prototxt, weights: DATA/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}' "$lenet"

# The emitted Q/DQ models run elsewhere, and choose what our simulation chose.
agreement() {
  local name=$1 kind=$2
  "$ETALON" evaluate -q "$scratch/$name.yaml" --choices "$scratch/$name.choices" >/dev/null
  "$PYTHON" "$SOURCE/tests/e2e/check_agreement.py" "$scratch/$name"/onnx-qdq/*.onnx "$scratch/$name.choices" \
    "$data/cifar10/evaluation.txt" "$data/cifar10" "$kind"
}
agreement resnet20_onnx13 resnet
agreement mobilenet025 mobilenet
