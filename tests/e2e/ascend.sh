#!/usr/bin/env bash
# The target ascend for every network: the record is one by the vendor's schema; a calibration, and its own record, give
# the same files, on any number of ranks. With TENSORFLOW, a Python that has it (ascend_tensorflow.sh): that reads and
# runs them.
. "$(dirname "$0")/lib.sh"
need_data
need_tool protoc

cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $(sized 64 8)}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $(sized 200 8)}}"
resnet="$cifar
preprocess: [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]"
mobilenet="$cifar
preprocess: [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]"
ultraface="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $(sized 16 2)}
preprocess: [{channels: rgb}, {resize: {height: 240, width: 320, filter: bilinear}}, {mean: 127}, {divide: 128}]"
lenet="dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $(sized 200 8)}
preprocess: [{scale: 0.00390625}]"

cat >"$scratch/record.proto" <<'EOF'
syntax = "proto2"; // from the table in the vendor's manual
package AMCTTensorflow;
message SingleLayerRecord {
  optional float scale_d = 1; optional int32 offset_d = 2; repeated float scale_w = 3; repeated int32 offset_w = 4;
  repeated uint32 shift_bit = 5; optional bool skip_fusion = 9 [default = false];
}
message MapFiledEntry { optional string key = 1; optional SingleLayerRecord value = 2; }
message ScaleOffsetRecord { repeated MapFiledEntry record = 1; }
EOF

# record NAME LAYERS: protoc reads it, with so many layers.
record() {
  local n
  protoc -I "$scratch" --encode=AMCTTensorflow.ScaleOffsetRecord record.proto <"$scratch/$1/ascend/record.txt" \
    >"$scratch/record" || fail "$1: protoc does not read the record"
  n=$(protoc -I "$scratch" --decode=AMCTTensorflow.ScaleOffsetRecord record.proto <"$scratch/record" | grep -c '^record {')
  [ "$n" -eq "$2" ] || fail "$1: expected $2 layers in the record, found $n"
}

# again NAME: the record and the folded graph give the rest.
again() {
  local folder=$scratch/$1/ascend file
  rm -rf "$scratch/again"
  "$ETALON" convert "$folder/$1_folded.pb" --to ascend --record "$folder/record.txt" --name "$1" -o "$scratch/again" \
    >/dev/null || fail "$1: not made from its record"
  for file in "$1_quantized.pb" "$1_fake_quant.pb" "$1_quant.json"; do
    cmp "$folder/$file" "$scratch/again/$file" || fail "$1: $file differs from the one made of its record"
  done
}

# tensorflow NAME KIND PERCENT: the files are what they should be; with KIND, they choose what the simulation chose.
tensorflow() {
  local name=$1 folder=$scratch/$1/ascend
  "$TENSORFLOW" "$here/check_ascend.py" structure "$folder" "$name" 2>"$scratch/stderr" ||
    { cat "$scratch/stderr" >&2; fail "$name: structure"; }
  [ -n "$2" ] || return 0
  ranks 2 "$ETALON" evaluate -q "$scratch/$name.yaml" --choices "$scratch/choices" --force >/dev/null || fail "$name: evaluate"
  "$TENSORFLOW" "$here/check_ascend.py" choices "$folder" "$name" "$scratch/choices" "$2" "$data" "$3" "$3" \
    2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$name: other choices in TensorFlow"; }
}

# network NAME LAYERS MODEL JOB [KIND [PERCENT]]: NAME is that of the model's file.
network() {
  local name=$1
  printf 'model: %s\noutput: %s\ntargets: [ascend]\n%s\n' "${3//DATA/$data}" "$name" "$4" >"$scratch/$name.yaml"
  ranks 2 "$ETALON" calibrate -q "$scratch/$name.yaml" >/dev/null || fail "$name: calibrate"
  record "$name" "$2"
  again "$name"
  [ -z "${TENSORFLOW:-}" ] || tensorflow "$name" "${5:-}" "${6:-99}"
  echo "ok: $name: $2 layers"
}

network lenet_train_test 4 \
  '{file: DATA/lenet/lenet_train_test.prototxt, weights: DATA/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}' "$lenet"
network resnet20_opset13 23 "{file: DATA/resnet20/resnet20_opset13.onnx}" "$resnet" resnet
for name in resnet20_torch_opset11 resnet20_torch_opset13_bn; do
  network $name 21 "{file: DATA/resnet20/$name.onnx}" "$resnet" resnet
done
network resnet20 23 '{file: DATA/resnet20/resnet20.prototxt, weights: DATA/resnet20/resnet20.caffemodel}' "$resnet" resnet
network resnet20_frozen 23 '{file: DATA/resnet20/resnet20_frozen.pb}' "$resnet" resnet
network mobilenet025_cifar10_opset13 29 '{file: DATA/mobilenet025/mobilenet025_cifar10_opset13.onnx}' "$mobilenet" mobilenet 97
network mobilenet025_cifar10_frozen 29 '{file: DATA/mobilenet025/mobilenet025_cifar10_frozen.pb}' "$mobilenet" mobilenet 97
network mnet 27 '{file: DATA/tensorflow/mnet.pb}' "$mobilenet"
network version-RFB-320_simplified 52 '{file: DATA/ultraface/version-RFB-320_simplified.onnx}' "$ultraface"
network version-slim-320_simplified 42 '{file: DATA/ultraface/version-slim-320_simplified.onnx}' "$ultraface"
network RFB-320 52 '{file: DATA/ultraface/RFB-320.prototxt, weights: DATA/ultraface/RFB-320.caffemodel}' "$ultraface"

# The original graph serves as well as the folded one, where there is nothing to fold but normalisation.
original=$data/resnet20/resnet20_frozen.pb made=$scratch/resnet20_frozen
"$ETALON" calibrate -q "$made.yaml" --set calibration.bias_correction=none --set output=plain >/dev/null
"$ETALON" convert "$original" --to ascend --record "$scratch/plain/ascend/record.txt" -o "$scratch/of_original" >/dev/null
cmp "$scratch/plain/ascend/resnet20_frozen_quantized.pb" "$scratch/of_original/resnet20_frozen_quantized.pb" ||
  fail "the original graph gives another file"

if [ -n "${TENSORFLOW:-}" ]; then # with the source's biases, the folded graph computes what our engine does
  "$TENSORFLOW" -c "import numpy; numpy.random.default_rng(7).standard_normal(3072).astype('f4').tofile('$scratch/in.0')"
  "$RUN_NETWORK" "$original" normalised "$scratch/ours" "$scratch/in.0" >/dev/null || fail "our fp32"
  "$TENSORFLOW" "$here/check_ascend.py" float "$scratch/plain/ascend/resnet20_frozen_folded.pb" "$scratch/in" "$scratch/ours" \
    2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "TensorFlow's fp32 is not ours"; }
fi

# One rank, and three: the same bits.
for ranks in 0 3; do
  ranks $ranks "$ETALON" calibrate -q "$made.yaml" --set "output=ranks$ranks" >/dev/null
  [ "$(bits "$scratch/ranks$ranks/ascend")" = "$(bits "$made/ascend")" ] || fail "$ranks ranks write other files"
done

# Symmetric: no offsets.
"$ETALON" calibrate -q "$made.yaml" --set 'target_options={ascend: {activation_offset: false}}' --set output=symmetric >/dev/null
grep -q 'offset_d: -128' "$made/ascend/record.txt" || fail "no layer has an offset"
if grep -q 'offset_d: [^0]' "$scratch/symmetric/ascend/record.txt"; then fail "a symmetric record has offsets"; fi

# What cannot be, without leftovers.
expect 64 "--record is for targets" "$ETALON" convert "$original" --to onnx --record "$scratch/record" -o "$scratch/none"
expect 66 "cannot be opened" "$ETALON" convert "$original" --to ascend --record "$scratch/nowhere" -o "$scratch/none"
sed 's|key: "fc|key: "fx|' "$made/ascend/record.txt" >"$scratch/wrong.txt"
expect 65 "the model has no such node" "$ETALON" convert "$original" --to ascend --record "$scratch/wrong.txt" -o "$scratch/none"
[ ! -e "$scratch/none" ] || fail "files are left behind"
