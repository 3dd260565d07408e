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

draw 130 10
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

# With the run's job also the tensors, and nothing else of the data: all bits of the run that measured.
expect 0 "target horizon-j6: records of the calibration set, which it ships, are left out" emit auto
with_job() { "$ETALON" emit "$scratch/$1/archive.h5" --job "$scratch/$1.yaml" -o "$scratch/$2" "${@:3}"; }
for n in 0 3; do
  ranks $n "$ETALON" emit -q "$scratch/nv12/archive.h5" --job "$scratch/nv12.yaml" -o "$scratch/again.$n" >/dev/null || fail "emit --job"
  diff -r "$scratch"/{nv12,again.$n}/horizon-j6 || fail "emit --job on $n ranks: other bits"
done
expect 0 "" with_job nv12 kl $(option samples=100) --set calibration.activations=kl --set calibration.bias_correction=analytic
[ "$(ls "$scratch"/kl/horizon-j6/calibration_data/*/*.npy | wc -l)" -eq 100 ] || fail "expected 100 tensors beside other decisions"
list=$scratch/pictures/calibration.txt
cp "$list" "$scratch/list"
head -1 "$scratch/list" >>"$list"
expect 0 "" with_job nv12 more # what has come since is not looked at
head -129 "$scratch/list" >"$list"
expect 65 "dataset: expected 130 records as the archive has, found 129" with_job nv12 x
tac "$scratch/list" >"$list"
expect 65 "its records are not those of the archive" with_job nv12 x
cp "$scratch/list" "$list"
# Record 37 is shipped (2/7 of 130), and none of the 64 that are the fingerprint's.
picture=$scratch/pictures/$(sed -n 38p "$list" | cut -d' ' -f1)
cp "$picture" "$scratch/picture"
cp "$scratch/pictures/$(sed -n 39p "$list" | cut -d' ' -f1)" "$picture"
expect 65 "record 37 of the dataset is not the one that was calibrated with" with_job nv12 x
[ ! -e "$scratch/x/manifest.json" ] || fail "another record: results are called finished"
rm -rf "$scratch/x"
cp "$scratch/picture" "$picture"
sed 's/mean: 127.5/mean: 127/' "$scratch/nv12.yaml" >"$scratch/nv13.yaml"
expect 65 "preprocess, or how the dataset is read, is not that of the archive" "$ETALON" emit "$scratch/nv12/archive.h5" \
  --job "$scratch/nv13.yaml" -o "$scratch/x"
mv "$scratch/pictures" "$scratch/gone"
expect 66 "pictures: cannot be opened" with_job nv12 x
expect 0 "" with_job nv12 tables --set targets=[onnx-qdq] --set calibration.bias_correction=analytic # which ships no records: the job tells the model only
expect 64 "emit needs --model or --job" "$ETALON" emit "$scratch/nv12/archive.h5" -o "$scratch/x"
mv "$scratch/gone" "$scratch/pictures"
[ ! -e "$scratch/x" ] || fail "a refused emit has left a folder"
echo "ok: tensors from an archive and its job"

# Inputs whose names would be one folder.
"$PYTHON" "$here/two_inputs.py" "$scratch" 6 || fail "two inputs"
"$PYTHON" - "$scratch/two.onnx" <<'RENAME' || fail "two inputs"
import sys
import onnx
model, names = onnx.load(sys.argv[1]), {"left": "a/b", "right": "A_B_0"}
for node in model.graph.node:
    node.input[:] = [names.get(name, name) for name in node.input]
for value in model.graph.input:
    value.name = names[value.name]
onnx.save(model, sys.argv[1])
RENAME
cat >"$scratch/two.yaml" <<'JOB'
model: {file: two.onnx}
dataset: {kind: images, path: ., inputs: {a/b: {path: left}, A_B_0: {path: right}}}
preprocess: {a/b: [{channels: rgb}, {divide: 255}], A_B_0: [{channels: gray}]}
targets: [horizon-j6]
output: two
JOB
expect 0 "" "$ETALON" calibrate "$scratch/two.yaml"
package two
(cd "$scratch/two/horizon-j6/calibration_data" && find . -name '*.npy' | wc -l && ls) >"$scratch/folders"
[ "$(paste -sd' ' "$scratch/folders")" = "12 A_B_0_2 a_b_0" ] || fail "folders of inputs: $(cat "$scratch/folders")"
expect 0 "" with_job two two.again
diff -r "$scratch"/two{,.again}/horizon-j6 || fail "two inputs: other bits"
echo "ok: names of inputs that would be one folder"

# What opset 11, which the older chain reads, says otherwise than opset 13.
"$PYTHON" - "$scratch" <<'OLDER' || fail "a network for the older chain"
import sys
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
draw = np.random.default_rng(3)
array = lambda name, data, dtype=np.float32: numpy_helper.from_array(np.array(data, dtype), name)
for axis in (1, 2):
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="c", pads=[1, 1, 1, 1]),
             helper.make_node("Resize", ["c", "", "sizes"], ["r"], name="r", mode="linear"),
             helper.make_node("ReduceSum", ["r", "axes"], ["s"], name="s", keepdims=0),
             helper.make_node("Softmax", ["s"], ["y"], name="y", axis=axis)]
    graph = helper.make_graph(nodes, "older", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 12])],
                              [array("w", draw.normal(size=(4, 3, 3, 3))), array("sizes", [1, 1, 1.5, 1.5]), array("axes", [3], np.int64)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{sys.argv[1]}/axis{axis}.onnx")
np.save(f"{sys.argv[1]}/x.npy", draw.normal(size=(4, 3, 8, 8)).astype(np.float32))
OLDER
for axis in 1 2; do
  printf 'model: {file: axis%s.onnx}\ndataset: {kind: npy, path: x.npy}\ntargets: [horizon-j6]\noutput: axis%s\ntarget_options: {horizon-j6: {march: bayes, dialect: bayes}}\n' \
    $axis $axis >"$scratch/axis$axis.yaml"
done
expect 0 "" "$ETALON" calibrate "$scratch/axis2.yaml"
package axis2 "$scratch/axis2.onnx"
expect 69 'node "y" (Softmax): before opset 13 it runs along the last axis only' "$ETALON" calibrate "$scratch/axis1.yaml"
expect 0 "" "$ETALON" calibrate "$scratch/axis1.yaml" --set 'target_options={}' --force
echo "ok: opset 11"

# --- what is refused
expect 69 "input_type_rt gray cannot serve a network of rgb inputs" emit x $(option input_type_rt=gray)
expect 69 "input_source resizer gives nv12 or gray" emit x $(option input_type_rt=rgb) $(option input_source=resizer)
expect 69 "lies at several addresses" emit x $(option input_batch=4)
expect 69 'separate_name: the network has no input "nobody"' emit x $(option input_batch=4) $(option separate_name=nobody)
expect 69 'int16_nodes: no node "nobody"' emit x $(option int16_nodes=nobody)
expect 78 "only the dialect nash has a quant_config" emit x $(option march=bayes) $(option dialect=bayes) $(option all_node_type=int16)
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

# What the older chain reads, of networks with other operators than the demo's.
older() { # NAME MODEL [WEIGHTS]
  expect 0 "" "$ETALON" emit "$scratch/$1/archive.h5" -m "$2" ${3:+-w "$3"} -o "$scratch/$1.older" $(option march=bayes) $(option dialect=bayes)
  package "$1.older"
}
older mobilenet025_tf "$data/mobilenet025/mobilenet025_cifar10_frozen.pb"
older lenet "$data"/lenet/lenet_train_test.prototxt "$data/lenet/lenet_iter_10000.caffemodel"
older version-RFB-320_simplified "$data/ultraface/version-RFB-320_simplified.onnx"

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
  ranks 2 "$ETALON" evaluate -q "$scratch/choice_$1.yaml" --choices "$scratch/choices" --force >/dev/null || fail "$1: evaluate"
  "$PYTHON" "$here/check_agreement.py" "$scratch/choice_$1"/horizon-j6/*_ptq_model.onnx "$scratch/choices" horizon-j6 "$4" \
    "$data" 97 "$5" plain || fail "$1: other choices in ONNX Runtime"
  [ "${SANITIZED:-0}" = 1 ] || "$PYTHON" -c 'import json, sys
target = json.load(open(sys.argv[1]))["targets"]["horizon-j6"]
assert target["agreement"] >= float(sys.argv[2]), target["agreement"]' "$scratch/choice_$1/report.json" "$6" || fail "$1: lost"
}
choice resnet "$data/resnet20/resnet20_opset13.onnx" \
  '[{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]' resnet fc 95
choice mobilenet "$data/mobilenet025/mobilenet025_cifar10_opset13.onnx" "$small" mobilenet logits 75
