#!/usr/bin/env bash
# Calibration tables for ncnn, MNN and TensorRT: each fits the float model beside it, the same for any number of ranks.
. "$(dirname "$0")/lib.sh"
need_python onnxruntime

draw 40 10
demo_job tables 'targets: [ncnn, mnn, tensorrt]'
ranks 2 "$ETALON" calibrate -q "$scratch/tables.yaml" >/dev/null || fail "calibrate"
"$PYTHON" "$here/check_tables.py" "$scratch/tables" || fail "the demo's tables"
"$ETALON" calibrate -q "$scratch/tables.yaml" --set output="$scratch/alone" >/dev/null || fail "calibrate alone"
[ "$(bits "$scratch/tables")" = "$(bits "$scratch/alone")" ] || fail "the number of ranks shows"
expect 0 "" "$ETALON" emit "$scratch/alone/archive.h5" -m "$demo/demo.onnx" -o "$scratch/newer" \
  --set target_options.tensorrt.version=100300
grep -q '^TRT-100300-' "$scratch"/newer/tensorrt/*.cache || fail "another version of TensorRT"
diff "$scratch"/{newer,alone}/ncnn/demo.table || fail "emit writes another table"
echo "ok: the demo's network"

# real NAME MODEL PREPROCESS DATASET
real() {
  printf 'model: %s\ndataset: %s\npreprocess: %s\nevaluate: {skip: true}\ntargets: [ncnn, mnn, tensorrt]\noutput: %s\n' \
    "$2" "$4" "$3" "$1" >"$scratch/$1.yaml"
  "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null || fail "$1: calibrate"
  "$PYTHON" "$here/check_tables.py" "$scratch/$1" || fail "$1"
}
need_data
cifar="{kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 16}"
real resnet20 "{file: $data/resnet20/resnet20_torch_opset13_bn.onnx}" '[{channels: rgb}, {divide: 255}]' "$cifar"
real mobilenet025 "{file: $data/mobilenet025/mobilenet025_cifar10_frozen.pb}" \
  '[{channels: rgb}, {resize: {height: 128, width: 128}}, {divide: 127.5}, {mean: 1}]' "$cifar"
real lenet "{file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}" \
  '[{scale: 0.00390625}]' "{kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 16}"
