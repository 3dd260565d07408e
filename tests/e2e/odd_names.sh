#!/usr/bin/env bash
# Whatever a network calls its values and nodes, every target is written, readers that are not ours take every file, and
# what they compute is the network that was given.
. "$(dirname "$0")/lib.sh"
need_tool protoc
for package in onnxruntime yaml google.protobuf; do need_python $package; done
torch=/usr/bin/python3 # Debian's python3-torch is for the system's Python
"$torch" -c "import torch" 2>/dev/null || lack "the Debian package python3-torch is absent"
protoc --descriptor_set_out="$scratch/ufw.bin" -I "$here" ufw.proto || fail "the schema does not compile"

draw 8 4
demo_job job "targets: [onnx-qdq, tnn, ascend, horizon-j6, sophon-bm1684, cambricon-mlu220, cambricon-mlu270]
calibration: {bias_correction: none, equalization: none}
evaluate: {skip: true}"
"$PYTHON" "$here/odd_names.py" "$demo/demo.onnx" "$scratch" >"$scratch/kinds" || fail "the networks"
while read -r kind; do
  "$ETALON" calibrate -q "$scratch/job.yaml" --set "model.file=$scratch/$kind.onnx" --set "output=$scratch/$kind" >/dev/null ||
    fail "$kind: calibrate"
  find "$scratch/$kind" -printf '%P\n' | sort -f | uniq -di >"$scratch/twice"
  [ ! -s "$scratch/twice" ] || { cat "$scratch/twice" >&2; fail "$kind: names of files that differ in case alone"; }
  "$PYTHON" "$here/check_all_targets.py" "$scratch/$kind" "$scratch/ufw.bin" || fail "$kind: a file is not read"
  "$torch" "$here/check_modules.py" "$scratch/$kind" || fail "$kind: PyTorch"
done <"$scratch/kinds"
