#!/usr/bin/env bash
# A model that was written for a target, read back and evaluated, is the model that was simulated: the same codes of every
# value, the same figures. And models that somebody else has quantized give the runtime's own choices.
. "$(dirname "$0")/lib.sh"
need_python onnxruntime

# back JOB TARGET FILE [WEIGHTS]: of a job that was run, into $scratch/JOB.
back() {
  local job=$1 target=$2 file=$3 weights=${4:-} name=$1.$2
  mkdir "$scratch/$name.own" "$scratch/$name.back"
  "$ETALON" evaluate -q "$scratch/$job.yaml" --json --quantized "$target=$file${weights:+,$weights}" \
    >"$scratch/$name.json" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$name: evaluate"; }
  "$RUN_SIMULATION" "$scratch/$job.yaml" "$target" "$scratch/$name.own" "$few" >"$scratch/$name.own.names" \
    2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$name: simulate"; }
  "$RUN_SIMULATION" "$scratch/$job.yaml" "$target" "$scratch/$name.back" "$few" "$file" $weights \
    >"$scratch/$name.back.names" || fail "$name: simulate what was read back"
  "$PYTHON" "$here/check_readback.py" "$scratch/$job/report.json" "$scratch/$name.json" "$target" \
    "$scratch/$name.own.names" "$scratch/$name.back.names" "$scratch/$name.own" "$scratch/$name.back" ||
    fail "$name: not what was written"
  echo "ok: $name: $(wc -l <"$scratch/$name.back.names") values, code by code, and every figure of the report"
}

# The files of each target that are read back, for a name that they begin with.
files() {
  case $1 in
    onnx-qdq | onnx-qdq-int16) echo "$2.onnx" ;;
    tnn) echo "$2.quantized.tnnproto $2.quantized.tnnmodel" ;;
    ascend) echo "$2_quantized.pb" ;;
    horizon-j6) echo "$2_ptq_model.onnx" ;;
    sophon-bm1684) echo "$2_deploy_int8_unique_top.prototxt $2.int8umodel" ;;
    cambricon-*-int16) echo "$2_int16.pth" ;;
    cambricon-*) echo "$2_int8.pth" ;;
  esac
}

# all JOB NAME TARGET...: those of a job's targets, of files that begin with NAME.
all() {
  local job=$1 name=$2 target file; shift 2
  "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job: calibrate"
  for target; do
    read -r -a file <<<"$(files "$target" "$name")"
    back "$job" "$target" "${file[@]/#/$scratch/$job/$target/}"
  done
}

# caffe JOB NAME: what Cambricon's Caffe computes as the simulation does: a scale a tensor, no depthwise layers.
caffe() {
  sed "s/^targets:.*/targets: [cambricon-mlu270, cambricon-mlu220-int16]\ncalibration: {granularity: per-tensor}/; s/^output: .*/output: $1.caffe/" \
    "$scratch/$1.yaml" >"$scratch/$1.caffe.yaml"
  "$ETALON" calibrate -q "$scratch/$1.caffe.yaml" >/dev/null || fail "$1: calibrate with a scale a tensor"
  back "$1.caffe" cambricon-mlu270 "$scratch/$1.caffe/cambricon-mlu270/$2_int8.prototxt" "$scratch/$1.caffe/cambricon-mlu270/$2_int8.caffemodel"
  back "$1.caffe" cambricon-mlu220-int16 "$scratch/$1.caffe/cambricon-mlu220-int16/$2_int16.prototxt" \
    "$scratch/$1.caffe/cambricon-mlu220-int16/$2_int16.caffemodel"
}

# foreign JOB MODEL WAYS...: models of another quantizer, by records of the job's evaluation set.
foreign() {
  local job=$1 model=$2; shift 2
  mkdir "$scratch/$job.inputs"
  "$RUN_SIMULATION" "$scratch/$job.yaml" onnx-qdq "$scratch/$job.inputs" "$many" >/dev/null 2>&1 || fail "$job: inputs"
  for way in "$@"; do
    "$PYTHON" "$here/foreign_qdq.py" make "$model" "$scratch/$job.inputs/input.0" "$scratch/$job.$way.onnx" "$way" \
      2>/dev/null || fail "$job, $way: quantize"
    "$ETALON" evaluate -q "$scratch/$job.yaml" --quantized "onnx-qdq=$scratch/$job.$way.onnx" \
      --choices "$scratch/$job.$way.txt" >"$scratch/stdout" || fail "$job, $way: evaluate"
    echo "$job, $way: $(grep -A 2 '^network' "$scratch/stdout" | tail -1)"
    "$PYTHON" "$here/foreign_qdq.py" check "$scratch/$job.$way.onnx" "$scratch/$job.inputs/input.0" \
      "$scratch/$job.$way.txt" 99.8 || fail "$job, $way: other choices than ONNX Runtime's"
  done
}

few=$(sized 16 2) many=$(sized 200 40)
draw "$(sized 60 20)" "$(sized 200 40)"
every=(onnx-qdq tnn ascend horizon-j6 sophon-bm1684 cambricon-mlu270 cambricon-mlu220-int16)
targets="targets: [$(IFS=,; echo "${every[*]}")]"
evaluate='evaluate: {top_k: [1, 3], dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job demo "$targets\n$evaluate"
all demo demo "${every[@]}"
demo_job symmetric "$targets\ntarget_options: {onnx-qdq: {flavour: tensorrt}, cambricon-mlu270: {float: fp32}}\n$evaluate"
all symmetric demo onnx-qdq cambricon-mlu270
demo_job wide "targets: [onnx-qdq-int16]\ntarget_options: {onnx-qdq-int16: {weights: int16}}\n$evaluate"
all wide demo onnx-qdq-int16
foreign demo "$demo/demo.onnx" default channels signed symmetric conv-biases blocks
"$PYTHON" "$here/foreign_qdq.py" make "$demo/demo.onnx" "$scratch/demo.inputs/input.0" "$scratch/gemm.onnx" gemm-biases \
  2>/dev/null || fail "gemm-biases"
expect 69 "its bias has a scale that is not its input's times its weights'" \
  "$ETALON" evaluate "$scratch/demo.yaml" --quantized "onnx-qdq=$scratch/gemm.onnx"

# What is no quantized model, or of another network, is refused in a sentence.
quantized() { "$ETALON" evaluate "$scratch/demo.yaml" --quantized "$1"; }
expect 65 "demo.onnx: no value of this model has codes: it is not quantized" quantized "onnx-qdq=$demo/demo.onnx"
expect 65 "the network's output \"blend\" is no output of this model" "$ETALON" evaluate "$scratch/demo.yaml" \
  --set 'model.outputs=[blend]' --quantized "onnx-qdq=$scratch/demo/onnx-qdq/demo.onnx"
expect 64 "expected TARGET=FILE" quantized "$demo/demo.onnx"
expect 64 "\"onnx\" is no target with an arithmetic" quantized "onnx=$demo/demo.onnx"
expect 69 "not read back in this version" quantized ncnn=net.param
expect 65 "no value of this model has codes" quantized "sophon-bm1684=$scratch/demo/sophon-bm1684/demo_deploy_fp32_unique_top.prototxt,$scratch/demo/sophon-bm1684/demo.fp32umodel"
expect 69 "its weights become codes of another width than the target's" quantized "cambricon-mlu270=$scratch/demo/cambricon-mlu220-int16/demo_int16.pth"
# Caffe has one scale a tensor and no depthwise layers of integers: other figures than the checkpoint's, and no refusal.
expect 0 "" quantized "cambricon-mlu270=$scratch/demo/cambricon-mlu270/demo_int8.prototxt,$scratch/demo/cambricon-mlu270/demo_int8.caffemodel"
expect 66 "absent.onnx" quantized onnx-qdq=absent.onnx

if [ -d "$data" ]; then
  few=$(sized 8 1) many=$(sized 500 20)
  cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $(sized 128 8)}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $many}}
$targets"
  printf 'model: {file: %s}\noutput: resnet20\n%s\npreprocess: [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]\n' \
    "$data/resnet20/resnet20_opset13.onnx" "$cifar" >"$scratch/resnet20.yaml"
  printf 'model: {file: %s}\noutput: mobilenet\n%s\npreprocess: [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]\n' \
    "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" "$cifar" >"$scratch/mobilenet.yaml"
  all resnet20 resnet20_opset13 "${every[@]}"
  caffe resnet20 resnet20_opset13
  # 16 bits of everything, whose weights no file of 8 bits holds: what ONNX's checker and ONNX Runtime say of the file, and
  # that nothing is lost.
  sed 's/^targets:.*/targets: [onnx-qdq-int16]\ntarget_options: {onnx-qdq-int16: {weights: int16}}/; s/^output: .*/output: wide20/' \
    "$scratch/resnet20.yaml" >"$scratch/wide20.yaml"
  all wide20 resnet20_opset13 onnx-qdq-int16
  wide=onnx-qdq-int16/resnet20_opset13.onnx
  "$ETALON" emit -q "$scratch/wide20/archive.h5" --job "$scratch/wide20.yaml" -o "$scratch/wide20.again" >/dev/null || fail "wide20: emit"
  cmp "$scratch/wide20/$wide" "$scratch/wide20.again/$wide" || fail "wide20: emit writes another model"
  "$ETALON" evaluate -q "$scratch/wide20.yaml" --choices "$scratch/wide20.choices" >/dev/null || fail "wide20: evaluate"
  "$PYTHON" - "$scratch/wide20/$wide" "$scratch/wide20/report.json" <<'WIDE' || fail "wide20"
import json, sys
import numpy as np, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
codes = [t for t in model.graph.initializer if t.name.endswith("/quantized")]
assert len(codes) == 22 and all(np.abs(onnx.numpy_helper.to_array(t).astype(int)).max() == 32767 for t in codes), len(codes)
report = json.load(open(sys.argv[2]))
fp32, wide = report["fp32"], report["targets"]["onnx-qdq-int16"]
print(f"  fp32 {fp32['top1']}, 16 bits {wide['top1']}, agreement {wide['agreement']}, SQNR {wide['sqnr_db']:.1f} dB")
assert abs(wide["top1"] - fp32["top1"]) <= 0.2 and wide["agreement"] >= 99.8, wide
WIDE
  "$PYTHON" "$here/check_agreement.py" "$scratch/wide20/$wide" "$scratch/wide20.choices" onnx-qdq-int16 resnet "$data" 99.8 fc \
    plain || fail "wide20: other choices in ONNX Runtime"
  foreign resnet20 "$data/resnet20/resnet20_opset13.onnx" channels symmetric
  many=$(sized 200 4)
  all mobilenet mobilenet025_cifar10_opset13 "${every[@]}"
  foreign mobilenet "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" channels
  printf 'model: {file: %s, weights: %s, inputs: {data: [1, 1, 28, 28]}}\noutput: lenet\ndataset: {kind: lmdb, path: %s, limit: %s}\npreprocess: [{scale: 0.00390625}]\n%s\n' \
    "$data/lenet/lenet_train_test.prototxt" "$data/lenet/lenet_iter_10000.caffemodel" "$data/lmdb/mnist_test1000_lmdb" "$(sized 200 8)" "$targets" >"$scratch/lenet.yaml"
  # Not ascend: the job's shape of the input is Caffe's, and a frozen graph has channels last.
  all lenet lenet_train_test onnx-qdq tnn horizon-j6 sophon-bm1684 cambricon-mlu270 cambricon-mlu220-int16
  caffe lenet lenet_train_test
  expect 65 "expected float32 of shape 1x3x128x128" "$ETALON" evaluate "$scratch/mobilenet.yaml" --quantized "onnx-qdq=$scratch/demo.channels.onnx"
fi
