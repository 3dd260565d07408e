#!/usr/bin/env bash
# Every network for every chip: one command on two ranks writes all seven targets of each, and readers that are not ours
# take every file.
. "$(dirname "$0")/lib.sh"
need_data
need_tool protoc
for package in onnxruntime yaml google.protobuf; do need_python $package; done
torch=/usr/bin/python3 # Debian's python3-torch is for the system's Python
"$torch" -c "import torch" 2>/dev/null || lack "the Debian package python3-torch is absent"
protoc --descriptor_set_out="$scratch/ufw.bin" -I "$here" ufw.proto || fail "the schema does not compile"

cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 4}"
targets="targets: [onnx-qdq, tnn, ascend, horizon-j6, sophon-bm1684, cambricon-mlu220, cambricon-mlu270]
calibration: {bias_correction: none, equalization: none, block: 2}
evaluate: {skip: true}"
pictures() { echo "$cifar
preprocess: [{channels: rgb}, {resize: {height: $1, width: $2, filter: bilinear}}, {mean: 127.5}, {divide: 127.5}]"; }

# network NAME MODEL DATA: without corrections of biases the fp32 models are the network itself, each in another's words.
network() {
  printf 'model: %s\noutput: %s\n%s\n%s\n' "${2//DATA/$data}" "$1" "$3" "$targets" >"$scratch/$1.yaml"
  ranks 2 "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null || fail "$1: calibrate"
  "$PYTHON" "$here/check_all_targets.py" "$scratch/$1" "$scratch/ufw.bin" || fail "$1: a file is not read"
  "$torch" "$here/check_modules.py" "$scratch/$1" || fail "$1: PyTorch"
}

network lenet '{file: DATA/lenet/lenet_train_test.prototxt, weights: DATA/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}' \
  "dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 4}
preprocess: [{scale: 0.00390625}]"
network resnet20_tensorflow '{file: DATA/resnet20/resnet20_frozen.pb}' "$(pictures 32 32)"
network slim_tnn \
  '{file: DATA/ultraface/version-slim-320_simplified.tnnproto, weights: DATA/ultraface/version-slim-320_simplified.tnnmodel}' \
  "$(pictures 240 320)"
[ "${SANITIZED:-0}" = 0 ] || exit 0 # one of each format and kind, that is

for name in opset13 torch_opset11 torch_opset13_bn; do
  network resnet20_$name "{file: DATA/resnet20/resnet20_$name.onnx}" "$(pictures 32 32)"
done
network resnet20_checkpoint '{file: DATA/resnet20/resnet20_torch_opset13_bn.onnx, weights: DATA/resnet20/resnet20-12fca82f.th}' \
  "$(pictures 32 32)"
network resnet20_caffe '{file: DATA/resnet20/resnet20.prototxt, weights: DATA/resnet20/resnet20.caffemodel}' "$(pictures 32 32)"
network mobilenet_onnx '{file: DATA/mobilenet025/mobilenet025_cifar10_opset13.onnx}' "$(pictures 128 128)"
network mobilenet_tensorflow '{file: DATA/mobilenet025/mobilenet025_cifar10_frozen.pb}' "$(pictures 128 128)"
network mnet '{file: DATA/tensorflow/mnet.pb}' "$(pictures 128 128)"
for name in RFB slim; do
  network ${name}_onnx "{file: DATA/ultraface/version-$name-320_simplified.onnx}" "$(pictures 240 320)"
done
network rfb_caffe '{file: DATA/ultraface/RFB-320.prototxt, weights: DATA/ultraface/RFB-320.caffemodel}' "$(pictures 240 320)"
for name in tiny_v1 tiny_v2; do
  network $name "{file: DATA/tnn_golden/$name.tnnproto, weights: DATA/tnn_golden/$name.tnnmodel}" "$(pictures 32 32)"
done
# Behind the operators that make numbers of sound, which are left to the program around the network.
"$PYTHON" -c 'import numpy, sys; numpy.save(sys.argv[1], numpy.random.default_rng(1).normal(size=(4, 49, 10)).astype("f4"))' \
  "$scratch/sound.npy"
network ds_cnn '{file: DATA/tensorflow/DS_CNN_S.pb, inputs: {Mfcc: [1, 49, 10]}}' "dataset: {kind: npy, path: $scratch/sound.npy}"
