#!/usr/bin/env bash
# The target sophon-bm1684: every file parses with a schema typed from the vendor's tables, and numpy, running the int8
# network as the chip is described, decides what our simulation decided.
. "$(dirname "$0")/lib.sh"
need_tool protoc
need_python google.protobuf
protoc --descriptor_set_out="$scratch/ufw.bin" -I "$here" ufw.proto || fail "the schema does not compile"

# check JOB NAME: calibrates, runs the network elsewhere on the same records.
check() {
  ranks 2 "$ETALON" calibrate -q "$scratch/$1.yaml" >"$scratch/stdout" || fail "$1: calibrate"
  "$ETALON" evaluate -q "$scratch/$1.yaml" --choices "$scratch/$1.choices" >"$scratch/stdout" || fail "$1: evaluate"
  "$PYTHON" "$here/check_sophon.py" "$scratch/$1/sophon-bm1684" "$2" "$scratch/$1.choices" "$scratch/$1.npy" "$scratch/ufw.bin" ||
    fail "$1: what numpy made of the files"
}

# pixels LIST FOLDER OUT EXPRESSION: the list's first records as the network is given them; x is HWC, 0..255.
pixels() {
  "$PYTHON" - "$@" <<'END' || fail "records"
import os, sys
import numpy as np
from PIL import Image
listing, folder, out, expression = sys.argv[1:5]
names = [line.split()[0] for line in open(listing)][:64]
records = []
for name in names:
    x = np.asarray(Image.open(os.path.join(folder, name)).convert("RGB"), np.float32)
    records.append(eval(expression, {"x": x, "np": np}).transpose(2, 0, 1).astype(np.float32))
np.save(out, np.stack(records))
END
}

draw 32 64
demo_job demo "targets: [sophon-bm1684]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}"
pixels "$scratch/pictures/evaluation.txt" "$scratch/pictures" "$scratch/demo.npy" "(x - 127.5) / 64"
check demo demo
for file in README demo_qtable; do [ -s "$scratch/demo/sophon-bm1684/$file" ] || fail "demo: $file is missing"; done

# The archive gives the same files again, and so do three ranks.
ranks 3 "$ETALON" emit -q "$scratch/demo/archive.h5" --model "$demo/demo.onnx" --output "$scratch/again" >/dev/null || fail "emit"
diff -r "$scratch/demo/sophon-bm1684" "$scratch/again/sophon-bm1684" || fail "emit writes other files"

# Beside targets that want another network, the same; as from that job's archive, and on three ranks.
demo_job beside "targets: [onnx-qdq, sophon-bm1684]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}"
for n in 0 3; do
  ranks $n "$ETALON" calibrate -q "$scratch/beside.yaml" --set "output=$scratch/beside.$n" >/dev/null || fail "beside others"
  diff -r "$scratch/demo/sophon-bm1684" "$scratch/beside.$n/sophon-bm1684" || fail "beside others other integers, $n ranks"
done
[ "$(bits "$scratch/beside.0")" = "$(bits "$scratch/beside.3")" ] || fail "beside others: other bits on 3 ranks"
ranks 2 "$ETALON" emit -q "$scratch/beside.0/archive.h5" --model "$demo/demo.onnx" --output "$scratch/emitted" >/dev/null ||
  fail "beside others: emit"
for target in onnx-qdq sophon-bm1684; do
  diff -r "$scratch/beside.0/$target" "$scratch/emitted/$target" || fail "beside others: emit writes another $target"
done

if [ -d "$data" ]; then
  cat >"$scratch/resnet20.yaml" <<END
model: {file: $data/resnet20/resnet20_torch_opset13_bn.onnx}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 64}
preprocess: [{channels: rgb}, {scale: 0.00392156862745098}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]
targets: [sophon-bm1684]
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $(sized 64 8)}}
output: resnet20
END
  pixels "$data/cifar10/evaluation.txt" "$data/cifar10" "$scratch/resnet20.npy" "(x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]"
  check resnet20 resnet20_torch_opset13_bn
fi
