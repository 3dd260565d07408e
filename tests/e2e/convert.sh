#!/usr/bin/env bash
# Every network in every float format: what is written is the same network, for ONNX Runtime and for ourselves; the same
# bytes each time; what a format cannot express is named, and nothing is left behind.
. "$(dirname "$0")/lib.sh"
need_python onnxruntime
need_python PIL

# files FORMAT BASE: what it is called, and where its weights are: "FILE [WEIGHTS]".
files() {
  case $1 in
    onnx) echo "$2.onnx" ;;
    caffe) echo "$2.prototxt $2.caffemodel" ;;
    fp32umodel) echo "$2_deploy.prototxt $2.fp32umodel" ;;
    tnn) echo "$2.tnnproto $2.tnnmodel" ;;
    tensorflow) echo "$2.pb" ;;
  esac
}

# to FORMAT FOLDER "FILE [WEIGHTS]" [OPTIONS...]: FOLDER/net.*
to() {
  local format=$1 folder=$2 file weights
  read -r file weights <<<"$3"
  shift 3
  "$ETALON" convert -q "$file" ${weights:+--weights "$weights"} --to "$format" --output "$folder" --name net "$@" \
    >"$folder.list" || fail "$file to $format"
  [ -s "$(head -1 "$folder.list")" ] || fail "$file to $format: the files it prints are not there"
}

# round NAME "FILE [WEIGHTS]" [REFERENCE.onnx] [OPTIONS...]: to every format, and from there to ONNX: all of them compute
# what the reference does (default: what was written as ONNX directly).
round() {
  local name=$1 source=$2 reference=${3:-$scratch/$1/onnx/net.onnx} models=() format
  shift 2; [ $# -eq 0 ] || shift
  mkdir "$scratch/$name"
  for format in onnx caffe fp32umodel tnn tensorflow; do
    to $format "$scratch/$name/$format" "$source" "$@"
    to $format "$scratch/$name/$format-again" "$source" "$@"
    diff -r "$scratch/$name/$format" "$scratch/$name/$format-again" || fail "$name: other bytes the second time"
    to onnx "$scratch/$name/from-$format" "$(files $format "$scratch/$name/$format/net")"
    models+=("$scratch/$name/from-$format/net.onnx")
  done
  to onnx "$scratch/$name/normalised" "$source" --normalised "$@"
  "$PYTHON" "$here/check_converted.py" "$reference" "$scratch/$name"/{onnx,normalised}/net.onnx "${models[@]}" ||
    fail "$name: other outputs in ONNX Runtime"
}

round demo "$demo/demo.onnx" "$demo/demo.onnx"
for name in shufflenetv2 two_inputs segmentation features; do # splits and joins; several inputs, outputs; no image
  "$PYTHON" "$SOURCE/tests/random_networks.py" $name "$scratch/$name.onnx" || fail "$name: not made"
  round $name "$scratch/$name.onnx" "$scratch/$name.onnx"
done

# a sequence: Caffe has images only
"$PYTHON" "$SOURCE/tests/random_networks.py" sequence "$scratch/sequence.onnx" || fail "sequence: not made"
to caffe "$scratch/sequence" "$scratch/sequence.onnx"
to onnx "$scratch/from-sequence" "$(files caffe "$scratch/sequence/net")"
"$PYTHON" "$here/check_converted.py" "$scratch/sequence.onnx" "$scratch/from-sequence/net.onnx" || fail "a sequence as caffe"

# a sequence, attention, and layers with the newer normalisations: as TensorFlow
"$PYTHON" "$SOURCE/tests/random_networks.py" transformer "$scratch/transformer.onnx" || fail "transformer: not made"
for name in sequence transformer; do
  to tensorflow "$scratch/$name-tensorflow" "$scratch/$name.onnx"
  to onnx "$scratch/$name-from-tensorflow" "$scratch/$name-tensorflow/net.pb"
  "$PYTHON" "$here/check_converted.py" "$scratch/$name.onnx" "$scratch/$name-from-tensorflow/net.onnx" || fail "$name as tensorflow"
done

# for several records at once
for format in onnx caffe; do
  to $format "$scratch/batch-$format" "$demo/demo.onnx" --batch 4
  to onnx "$scratch/batch-from-$format" "$(files $format "$scratch/batch-$format/net")"
  "$PYTHON" "$here/check_converted.py" "$demo/demo.onnx" "$scratch/batch-from-$format/net.onnx" || fail "a batch as $format"
done
grep -q 'dim: 4' "$scratch/batch-caffe/net.prototxt" || fail "no batch of 4 in the prototxt"
to caffe "$scratch/separate" "$demo/demo.onnx" --batch 2 --separate-batch
[ "$(grep -c 'type: "Input"' "$scratch/separate/net.prototxt")" -eq 2 ] || fail "not two inputs"
expect 69 'batch' "$ETALON" convert "$demo/demo.onnx" --to tnn --output "$scratch/none" --batch 4

# --- refusals ---

printf '%s\n' 'input: "x" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }' \
  'layer { name: "p" type: "Pooling" bottom: "x" top: "pooled" pooling_param { kernel_size: 2 } }' \
  'layer { name: "t" type: "NoSuchLayer" bottom: "pooled" top: "y" }' >"$scratch/unknown.prototxt"
mkdir "$scratch/results" && touch "$scratch/results/archive.h5"
expect 64 'one of onnx' "$ETALON" convert "$demo/demo.onnx" --to gif --output "$scratch/none"
expect 64 'need --batch' "$ETALON" convert "$demo/demo.onnx" --to onnx -o "$scratch/none" --separate x
expect 69 'choose --end above it' "$ETALON" convert "$scratch/unknown.prototxt" --to onnx -o "$scratch/none"
"$ETALON" convert "$scratch/unknown.prototxt" --to onnx -o "$scratch/ended" --name net --end pooled >/dev/null || fail "--end"
"$ETALON" inspect "$scratch/ended/net.onnx" | grep -q '^outputs: pooled' || fail "--end leads elsewhere"
expect 64 'its archive.h5' "$ETALON" inspect "$scratch/results"
expect 64 'calibrate --dry-run' "$ETALON" inspect "$demo/demo.yaml"
expect 65 'inspected as a data set' "$ETALON" inspect "$scratch/ended"
"$ETALON" convert --help | grep -q '  tensorflow ' || fail "--help names no formats"
expect 0 "" "$ETALON" convert "$demo/demo.onnx" --to onnx -o "$scratch/twice"
expect 73 "twice/demo.onnx: exists; use --force to replace it" "$ETALON" convert "$demo/demo.onnx" --to onnx -o "$scratch/twice" --batch 4
expect 0 "" "$ETALON" convert "$demo/demo.onnx" --to tnn -o "$scratch/twice" # other files beside it
expect 0 "" "$ETALON" convert "$demo/demo.onnx" --to onnx -o "$scratch/twice" --batch 4 --force
# of a format with several files all are new, or none is written
for format in caffe tnn fp32umodel; do
  to $format "$scratch/pair" "$demo/demo.onnx"
  for file in "$scratch"/pair/*; do
    mkdir "$scratch/one"
    cp "$file" "$scratch/one"
    expect 73 "${file##*/}: exists; use --force to replace it" "$ETALON" convert "$demo/demo.onnx" --to $format -o "$scratch/one" --name net
    [ "$(ls -A "$scratch/one")" = "${file##*/}" ] || fail "$format: written beside the old ${file##*/}: $(ls -A "$scratch/one")"
    rm -r "$scratch/one"
  done
  rm -r "$scratch/pair"
done
printf 'layer { name: "data" type: "Input" top: "data" }\nlayer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n' \
  >"$scratch/open.prototxt"
expect 65 'does not tell the shape of "data": give it, 1 x C x H x W with numbers for the letters, under --input' \
  "$ETALON" convert "$scratch/open.prototxt" --to onnx -o "$scratch/none"
expect 64 '--input takes a name and a shape' "$ETALON" convert "$demo/demo.onnx" --to onnx -o "$scratch/none" --input x=1x
"$PYTHON" - "$scratch/floor.onnx" <<'PYTHON'
import sys
import onnx
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, 3, 3])
graph = helper.make_graph([helper.make_node("Floor", ["x"], ["y"], name="the_node")], "g", [value("x")], [value("y")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), sys.argv[1])
PYTHON
expect 69 'caffe: node "the_node" (Floor): its activation floor has no form in Caffe' \
  "$ETALON" convert "$scratch/floor.onnx" --to caffe --output "$scratch/none"
[ ! -e "$scratch/none" ] || fail "a refused conversion leaves something behind: $(ls -A "$scratch/none")"

need_data

# --- networks ---

resnet=$data/resnet20 faces=$data/ultraface golden=$data/tnn_golden
round lenet "$data/lenet/lenet_train_test.prototxt $data/lenet/lenet_iter_10000.caffemodel" "" --input data=1x1x28x28
round resnet "$resnet/resnet20_opset13.onnx" "$resnet/resnet20_opset13.onnx"
round torch11 "$resnet/resnet20_torch_opset11.onnx" "$resnet/resnet20_torch_opset11.onnx"
round torch13 "$resnet/resnet20_torch_opset13_bn.onnx" "$resnet/resnet20_torch_opset13_bn.onnx"
round resnet_caffe "$resnet/resnet20.prototxt $resnet/resnet20.caffemodel" "$resnet/resnet20_opset13.onnx"
round mobilenet "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" \
  "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx"
round rfb "$faces/version-RFB-320_simplified.onnx" "$faces/version-RFB-320_simplified.onnx"
round rfb_caffe "$faces/RFB-320.prototxt $faces/RFB-320.caffemodel" "$faces/version-RFB-320_simplified.onnx"
round slim "$faces/version-slim-320_simplified.onnx" "$faces/version-slim-320_simplified.onnx"
round slim_tnn "$faces/version-slim-320_simplified.tnnproto $faces/version-slim-320_simplified.tnnmodel" \
  "$faces/version-slim-320_simplified.onnx"
round tiny "$golden/tiny_v2.tnnproto $golden/tiny_v2.tnnmodel"

# --- accuracy: ours, of the source and of what was written ---

records=$(sized 500 20)
cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 4}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $records}}"
rgb="$cifar
preprocess: [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]"
large="$cifar
preprocess: [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]"
digits="dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 4}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $records}}
preprocess: [{scale: 0.00390625}]"

# choices "FILE [WEIGHTS]" JOB [INPUTS]: the class that fp32 chooses for each record, one a line.
choices() {
  local file weights; read -r file weights <<<"$1"
  printf 'model: {file: %s%s%s}\n%s\ntargets: ["null"]\noutput: none\n' "$file" "${weights:+, weights: $weights}" \
    "${3:+, inputs: $3}" "$2" >"$scratch/job.yaml"
  "$ETALON" evaluate -q "$scratch/job.yaml" --choices "$scratch/choices" --force >/dev/null || fail "$file: evaluate"
  awk 'NR > 1 {print $2}' "$scratch/choices"
}

# same_choices NAME "FILE [WEIGHTS]" JOB [INPUTS]
same_choices() {
  local format
  choices "$2" "$3" "${4:-}" >"$scratch/$1.fp32"
  [ "$(wc -l <"$scratch/$1.fp32")" -eq "$records" ] || fail "$1: not every record was evaluated"
  for format in onnx caffe tnn tensorflow; do
    choices "$(files $format "$scratch/$1/$format/net")" "$3" >"$scratch/$1.$format"
    cmp "$scratch/$1.fp32" "$scratch/$1.$format" || fail "$1: other classes as $format"
  done
  echo "  $1: the same $records classes in every format"
}

same_choices lenet "$data/lenet/lenet_train_test.prototxt $data/lenet/lenet_iter_10000.caffemodel" "$digits" \
  '{data: [1, 1, 28, 28]}'
same_choices resnet "$resnet/resnet20_opset13.onnx" "$rgb"
same_choices torch11 "$resnet/resnet20_torch_opset11.onnx" "$rgb"
same_choices resnet_caffe "$resnet/resnet20.prototxt $resnet/resnet20.caffemodel" "$rgb"
same_choices mobilenet "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" "$large"

# A checkpoint is no network: its tensors come back in the older container, and nothing but them; a network is no checkpoint.
checkpoint=$here/../formats/torch/checkpoint.zip.pth
to torch-legacy "$scratch/legacy" "$checkpoint"
"$ETALON" inspect "$checkpoint" >"$scratch/before"
"$ETALON" inspect "$scratch/legacy/net.pth" | diff "$scratch/before" - || fail "a checkpoint lost something"
expect 65 "no PyTorch checkpoint" "$ETALON" convert "$demo/demo.onnx" --to torch-legacy --output "$scratch/none"
expect 64 "torch-legacy for a checkpoint" "$ETALON" convert "$checkpoint" --to pth --output "$scratch/none"
[ ! -e "$scratch/none" ] || fail "a refused conversion left its folder behind"
echo "ok: a checkpoint in the older container"
