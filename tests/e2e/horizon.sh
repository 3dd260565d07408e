#!/usr/bin/env bash
# The package for Horizon's J6: models that ONNX's own tools and NumPy agree with, configuration by the vendor's schema,
# the same for any number of ranks; what the board or the march cannot do is refused by name.
. "$(dirname "$0")/lib.sh"
need_python onnxruntime
need_python yaml

# package NAME [SOURCE.onnx]: is the folder sound, and (of an ONNX model) its fp32 that of our engine?
package() {
  "$PYTHON" "$here/check_horizon.py" "$scratch/$1/horizon-j6" ${2:+"$2" "$RUN_NETWORK"} || fail "$1"
}

draw 40 10
keys='targets: [horizon-j6]\ntarget_options: {horizon-j6: {input_type_rt: RT, samples: 7, sample_format: both}}'
demo_job nv12 "${keys/RT/nv12}"
ranks 3 "$ETALON" calibrate -q "$scratch/nv12.yaml" >/dev/null || fail "calibrate"
package nv12 "$demo/demo.onnx"
[ "$(ls "$scratch"/nv12/horizon-j6/calibration_data/*/*.npy | wc -l)" -eq 7 ] || fail "expected 7 tensors"
"$ETALON" calibrate -q "$scratch/nv12.yaml" --set output="$scratch/alone" >/dev/null || fail "calibrate alone"
[ "$(bits "$scratch/nv12")" = "$(bits "$scratch/alone")" ] || fail "the number of ranks shows"
echo "ok: the demo's network, nv12"

# From an archive: everything but the tensors.
emit() { "$ETALON" emit "$scratch/nv12/archive.h5" -m "$demo/demo.onnx" -o "$scratch/$1" "${@:2}" --force; }
option() { echo "--set target_options.horizon-j6.$1"; }
for rt in yuv444 rgb bgr auto; do
  expect 0 "" emit $rt $(option input_type_rt=$rt)
  package $rt
done
expect 0 "" emit older $(option input_type_rt=bgr) $(option march=bayes-e) $(option dialect=bayes-e)
package older
expect 0 "" emit video $(option input_space_and_range=bt601_video)
package video
expect 0 "" emit numbers $(option input_type_rt=auto) --set calibration.bias_correction=analytic \
  --set calibration.activations=kl
grep -q '"kl"' "$scratch/numbers/horizon-j6/quant_config.json" || fail "kl did not reach quant_config.json"
[ ! -e "$scratch/auto/horizon-j6/calibration_data" ] || fail "tensors without data"
for stage in optimized_float ptq_model; do
  cmp "$scratch"/{nv12,rgb}/horizon-j6/demo_$stage.onnx || fail "emit writes another $stage"
done
echo "ok: other boards, from the archive"

# --- what is refused
expect 69 "input_type_rt gray cannot serve a network of rgb inputs" emit x $(option input_type_rt=gray)
expect 69 "input_source resizer gives nv12 or gray" emit x $(option input_type_rt=rgb) $(option input_source=resizer)
expect 69 "lies at several addresses" emit x $(option input_batch=4)
expect 69 "is at no input or output" emit x $(option remove_node_name=$("$ETALON" inspect "$demo/demo.onnx" --normalised \
  --json | "$PYTHON" -c 'import json, sys; n = json.load(sys.stdin)["nodes"]; print(n[len(n) // 2]["name"])'))
expect 69 'no node "nobody"' emit x $(option remove_node_name=nobody)
[ ! -e "$scratch/x/horizon-j6" ] || fail "a refused package was begun"
expect 78 "core_num" emit x $(option core_num=2)
expect 78 "max_l2m_size" emit x $(option max_l2m_size=1024)
expect 78 "dialect" emit x $(option march=bayes)
expect 78 "balance_factor" emit x $(option compile_mode=balance)
expect 78 "a batch of 1" emit x $(option separate_batch=true)
expect 78 "expected Quantize" emit x $(option 'remove_node_type=Quantize;Conv')
expect 0 "" emit x $(option march=nash-p) $(option core_num=2) $(option max_l2m_size=1024) $(option input_batch=4) \
  $(option separate_batch=true) $(option compile_mode=balance) $(option balance_factor=30) \
  $(option 'remove_node_type=Quantize;Dequantize')
package x
echo "ok: rules"

# --- real networks
need_data
cifar="{kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 16}"
plain='[{channels: rgb}, {divide: 255}]'
small='[{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]'
faces='[{channels: rgb}, {resize: {height: 240, width: 320, filter: bilinear}}, {mean: 127}, {divide: 128}]'
# real NAME MODEL PREPROCESS DATASET [SOURCE.onnx]
real() {
  printf 'model: %s\ndataset: %s\npreprocess: %s\nevaluate: {skip: true}\ntargets: [horizon-j6]\ntarget_options: %s\noutput: %s\n' \
    "$2" "$4" "$3" '{horizon-j6: {samples: 2}}' "$1" >"$scratch/$1.yaml"
  "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null || fail "$1: calibrate"
  package "$1" ${5:+"$5"}
}
for f in "$data"/resnet20/*.onnx; do real "$(basename "$f" .onnx)" "{file: $f}" "$plain" "$cifar" "$f"; done
real resnet20_caffe "{file: $data/resnet20/resnet20.prototxt, weights: $data/resnet20/resnet20.caffemodel}" "$plain" "$cifar"
real resnet20_tf "{file: $data/resnet20/resnet20_frozen.pb}" "$plain" "$cifar"
f=$data/mobilenet025/mobilenet025_cifar10_opset13.onnx
real mobilenet025 "{file: $f}" "$small" "$cifar" "$f"
real mobilenet025_tf "{file: $data/mobilenet025/mobilenet025_cifar10_frozen.pb}" "$small" "$cifar"
real lenet "{file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}" \
  '[{scale: 0.00390625}]' "{kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 16}"
for f in RFB slim; do
  real "version-$f-320_simplified" "{file: $data/ultraface/version-$f-320_simplified.onnx}" "$faces" "$cifar" \
    "$data/ultraface/version-$f-320_simplified.onnx"
done
real rfb_caffe "{file: $data/ultraface/RFB-320.prototxt, weights: $data/ultraface/RFB-320.caffemodel}" "$faces" "$cifar"
real slim_tnn "{file: $data/ultraface/version-slim-320_simplified.tnnproto, weights: $data/ultraface/version-slim-320_simplified.tnnmodel}" \
  "$faces" "$cifar"

# ONNX Runtime on the Q/DQ model chooses what the simulation chose (it sums floats where the simulation sums integers, so
# that one code in 2,000 differs by a step); a float bias, corrected, keeps the network's choice.
# choice NAME MODEL PREPROCESS KIND OUTPUT AGREEMENT-WITH-FP32
choice() {
  cat >"$scratch/choice_$1.yaml" <<JOB
model: {file: $2}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $(sized 500 16)}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $(sized 200 8)}}
preprocess: $3
targets: [horizon-j6]
target_options: {horizon-j6: {samples: 0}}
output: choice_$1
JOB
  ranks 2 "$ETALON" calibrate -q "$scratch/choice_$1.yaml" >/dev/null || fail "$1: calibrate"
  ranks 2 "$ETALON" evaluate -q "$scratch/choice_$1.yaml" --choices "$scratch/choices" >/dev/null || fail "$1: evaluate"
  "$PYTHON" "$here/check_agreement.py" "$scratch/choice_$1"/horizon-j6/*_ptq_model.onnx "$scratch/choices" horizon-j6 "$4" \
    "$data" 97 "$5" plain || fail "$1: other choices in ONNX Runtime"
  [ "${SANITIZED:-0}" = 1 ] || "$PYTHON" -c 'import json, sys
target = json.load(open(sys.argv[1]))["targets"]["horizon-j6"]
assert target["agreement"] >= float(sys.argv[2]), target["agreement"]' "$scratch/choice_$1/report.json" "$6" || fail "$1: lost"
}
choice resnet "$data/resnet20/resnet20_opset13.onnx" \
  '[{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]' resnet fc 95
choice mobilenet "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" "$small" mobilenet logits 75
