#!/usr/bin/env bash
# The targets cambricon-*: PyTorch loads the checkpoint into the module and computes the network's fp32 outputs; the prototxt
# says the same steps as the checkpoint; a first convolution that normalises computes on bytes what the job's preprocessing
# and the network compute; the build script claims nothing where the vendor's tools are absent.
. "$(dirname "$0")/lib.sh"
torch=/usr/bin/python3 # Debian's python3-torch is for the system's Python
"$torch" -c "import torch" 2>/dev/null || lack "the Debian package python3-torch is absent"
need_python onnxruntime

# expected MODEL [MEAN DIVISOR]: onnxruntime's outputs on records of noise; with MEAN and DIVISOR, lists for the channels,
# on normalised bytes, which are the records then.
expected() {
  "$PYTHON" - "$scratch/records.npy" "$scratch/expected.npy" "$@" <<'END' || fail "onnxruntime"
import json
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[3])
given = session.get_inputs()[0]
shape = [4] + list(given.shape[1:])
random = np.random.default_rng(1)
if len(sys.argv) == 4:
    x = records = random.normal(size=shape).astype(np.float32)
else:
    mean, divisor = (np.array(json.loads(text), np.float32).reshape(-1, 1, 1) for text in sys.argv[4:6])
    records = random.integers(0, 256, shape).astype(np.float32)
    x = (records - mean) / divisor
out = [session.run(None, {given.name: x[i:i + 1]})[0] for i in range(4)]
np.save(sys.argv[1], records)
np.save(sys.argv[2], np.concatenate(out))
END
}

# check NAME BITS TARGET JOB
check() {
  local folder=$scratch/$4/$3
  "$torch" "$here/check_cambricon.py" "$folder" "$1" "$2" "$scratch/expected.npy" "$scratch/records.npy" || fail "$4: $3"
  grep -q "type: DT_INT$2" "$folder/${1}_int$2.prototxt" || fail "$4: $3: no type in the prototxt"
  grep -q "top_mlu_dtype: DT_FLOAT32" "$folder/${1}_int$2_fp32.prototxt" || fail "$4: $3: the twin is no fp32 one"
  ! grep -q top_mlu_dtype "$folder/${1}_int$2.prototxt" || fail "$4: $3: fp16 is the default"
  expect 69 "nothing was made" bash "$folder/build_offline.sh"
  ! ls "$folder"/*.cambricon 2>/dev/null || fail "$4: $3: a model that nobody compiled"
}

targets="[cambricon-mlu220, cambricon-mlu220-int16, cambricon-mlu270, cambricon-mlu270-int16]"
draw 32 16
demo_job demo "targets: $targets\ncalibration: {bias_correction: none}"
ranks 2 "$ETALON" calibrate -q "$scratch/demo.yaml" >"$scratch/stdout" || fail "demo: calibrate"
expected "$demo/demo.onnx"
for chip in mlu220 mlu270; do
  check demo 8 cambricon-$chip demo
  check demo 16 cambricon-$chip-int16 demo
done

# Steps: scale / 2^position of the prototxt is S of the checkpoint.
"$torch" - "$scratch/demo/cambricon-mlu220" <<'END' || fail "steps differ"
import re, sys, torch
folder = sys.argv[1]
state = torch.load(f"{folder}/demo_int8.pth")
scales = sorted(v[0].item() for k, v in state.items() if k.endswith(".scale"))
text = open(f"{folder}/demo_int8.prototxt").read()
found = sorted(float(s) / 2.0 ** int(p) for p, s in
               re.findall(r"bottom_mlu_dtype \{\s*type: DT_INT8\s*position: (-?\d+)\s*scale: ([\d.e+-]+)", text))
assert len(found) == len(scales) > 0, (len(found), len(scales))
assert all(abs(a - b) < 1e-6 * a for a, b in zip(scales, found)), list(zip(scales, found))
END

# firstconv: the checkpoint in PyTorch, and the pair as our importer reads it in onnxruntime.
first="target_options: {cambricon-mlu220: {firstconv: true}, cambricon-mlu270-int16: {firstconv: true}}
calibration: {bias_correction: none, equalization: none}"
demo_job first "targets: [cambricon-mlu220, cambricon-mlu270-int16]\n$first"
"$ETALON" calibrate -q "$scratch/first.yaml" >/dev/null || fail "first: calibrate"
expected "$demo/demo.onnx" "[127.5, 127.5, 127.5]" "[64, 64, 64]"
check demo 8 cambricon-mlu220 first
check demo 16 cambricon-mlu270-int16 first
folder=$scratch/first/cambricon-mlu220
"$ETALON" convert "$folder/demo_int8_fp32.prototxt" --weights "$folder/demo_int8.caffemodel" --to onnx --name pair \
  -o "$scratch/pair" >/dev/null || fail "first: the pair is not read"
"$PYTHON" - "$scratch/pair/pair.onnx" "$scratch/records.npy" "$scratch/expected.npy" <<'END' || fail "first: the pair computes something else"
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
records, want = np.load(sys.argv[2]), np.load(sys.argv[3])
out = np.concatenate([session.run(None, {session.get_inputs()[0].name: x[None]})[0] for x in records])
error = np.abs(out - want).max() / np.abs(want).max()
print(f"the pair on bytes differs from onnxruntime on normalised values by {error:.1e}")
assert error < 1e-5
END

# Caffe has one std for all channels: such a network gets a checkpoint alone. A chain that resizes floats gets neither, and
# leaves the other target alone.
demo_job channels "targets: [cambricon-mlu220]\n${first/, cambricon-mlu270-int16: {firstconv: true\}/}"
sed -i 's/{divide: 64}/{divide: [64, 32, 48]}/' "$scratch/channels.yaml"
expect 0 "channel 1 has another scale than channel 0" "$ETALON" calibrate "$scratch/channels.yaml"
expected "$demo/demo.onnx" "[127.5, 127.5, 127.5]" "[64, 32, 48]"
"$torch" "$here/check_cambricon.py" "$scratch/channels/cambricon-mlu220" demo 8 "$scratch/expected.npy" "$scratch/records.npy" ||
  fail "channels"
[ ! -e "$scratch/channels/cambricon-mlu220/demo_int8.prototxt" ] || fail "channels: one std for three"
demo_job floats "targets: [cambricon-mlu220, tnn]\ntarget_options: {cambricon-mlu220: {firstconv: true}}"
sed -i 's/{divide: 64}/{divide: 64}, {resize: {height: 32, width: 32}}/' "$scratch/floats.yaml"
expect 69 "firstconv: the preprocessing is no mean and scale of bytes: a resize or pad stands behind" \
  "$ETALON" calibrate "$scratch/floats.yaml"
[ -e "$scratch/floats/tnn/demo.quantized.tnnproto" ] && [ ! -e "$scratch/floats/cambricon-mlu220" ] || fail "floats: other targets"

# Arrays of floats are no bytes, with the data and without.
"$PYTHON" -c 'import sys, numpy; numpy.save(sys.argv[1], numpy.random.default_rng(1).random((8, 3, 32, 32), "float32"))' \
  "$scratch/reals.npy"
demo_job reals "targets: [cambricon-mlu220]\nevaluate: {skip: true}"
sed -i "s|^dataset: .*|dataset: {kind: npy, path: reals.npy}|; s|^preprocess: .*|preprocess: [{mean: 0.5}, {divide: 0.25}]|" \
  "$scratch/reals.yaml"
option=target_options.cambricon-mlu220.firstconv=true
expect 69 "firstconv: it reads bytes" "$ETALON" calibrate "$scratch/reals.yaml" --set "$option"
expect 0 "" "$ETALON" calibrate "$scratch/reals.yaml" --force
expect 69 "firstconv: it reads bytes" "$ETALON" emit "$scratch/reals/archive.h5" --model "$demo/demo.onnx" \
  --output "$scratch/again" --set "$option"

if [ -d "$data" ]; then
  for model in resnet20/resnet20_torch_opset13_bn mobilenet025/mobilenet025_cifar10_opset13; do
    name=$(basename $model)
    cat >"$scratch/$name.yaml" <<END
model: {file: $data/$model.onnx}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 8}
preprocess: [{channels: rgb}, {resize: {height: $([[ $model = mobile* ]] && echo 128, width: 128 || echo 32, width: 32)}}, {mean: 127.5}, {divide: 127.5}]
calibration: {bias_correction: none, equalization: none}
targets: [cambricon-mlu270, cambricon-mlu270-int16]
evaluate: {skip: true}
output: $name
END
    ranks 2 "$ETALON" calibrate -q "$scratch/$name.yaml" >"$scratch/stdout" || fail "$name: calibrate"
    expected "$data/$model.onnx"
    check "$name" 8 cambricon-mlu270 "$name"
    check "$name" 16 cambricon-mlu270-int16 "$name"
  done
fi
