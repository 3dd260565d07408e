#!/usr/bin/env bash
# A network of two inputs: records matched by names, preprocessing for each, the same bits for any number of ranks and
# after a kill, and a sentence for every way not to fit.
. "$(dirname "$0")/lib.sh"
need_python onnx
need_python PIL
"$PYTHON" "$here/two_inputs.py" "$scratch" 37 || fail "the network and its images"

# job NAME DATASET PREPROCESS
job() {
  printf 'model: {file: two.onnx}\ndataset: %s\npreprocess: %s\ntargets: [onnx-qdq]\ncalibration: {block: 4}\noutput: %s\n' \
    "$2" "$3" "$1" >"$scratch/$1.yaml"
}
both='{kind: images, inputs: {left: {path: left}, right: {path: right}}}'
each='{left: [{mean: 100}, {divide: 50}], right: [{divide: 255}]}'
job plain "$both" "$each"
"$ETALON" calibrate -q "$scratch/plain.yaml" >/dev/null || fail "two inputs"

# same WHAT: $scratch/again holds what plain holds
same() {
  [ "$(bits "$scratch/again")" = "$(bits "$scratch/plain")" ] || fail "other bits: $1"
  echo "ok: the same bits, $1"
}
for n in 2 3 5; do
  rm -rf "$scratch/again"
  ranks $n "$ETALON" calibrate -q "$scratch/plain.yaml" --set output=again >/dev/null || fail "$n ranks"
  same "$n ranks"
done
rm -rf "$scratch/again"
job folders '{kind: images, path: ., inputs: [right, left]}' "$each"
"$ETALON" evaluate -q "$scratch/plain.yaml" --json >"$scratch/plain.json" || fail "evaluate"
"$ETALON" evaluate -q "$scratch/folders.yaml" --json >"$scratch/folders.json" || fail "folders"
"$PYTHON" - "$scratch/plain.json" "$scratch/folders.json" <<'PYTHON' || fail "folders named after the inputs give other figures"
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
for report in a, b:
    report.pop("fingerprint", None)
sys.exit(int(a != b or a["records"]["used"] != 37))
PYTHON
echo "ok: folders named after the inputs"

# The written model takes both inputs, and agrees with the original.
need_python onnxruntime
"$PYTHON" - "$scratch" <<'PYTHON' || fail "the written model"
import glob, sys
import numpy as np, onnxruntime as ort
from PIL import Image
folder = sys.argv[1]
models = [ort.InferenceSession(p) for p in [f"{folder}/two.onnx", *glob.glob(f"{folder}/plain/onnx-qdq/*.onnx")]]
worst = 0
for i in range(37):
    left = (np.asarray(Image.open(f"{folder}/left/{i:02}.png"), np.float32).transpose(2, 0, 1)[None] - 100) / 50
    right = np.asarray(Image.open(f"{folder}/right/{i:02}.pgm"), np.float32)[None, None] / 255
    fp32, int8 = (m.run(None, {"left": left, "right": right})[0] for m in models)
    worst = max(worst, np.abs(fp32 - int8).max() / np.abs(fp32).max())
print(f"largest difference of int8: {worst:.4f} of the largest score")
sys.exit(int(len(models) != 2 or worst > 0.05))
PYTHON

# Killed behind a checkpoint, and on with other ranks: the rest of both inputs belongs to the records that are left.
"$PYTHON" - "$scratch" "$(sized 1200 300)" <<'PYTHON'
import os, sys
from PIL import Image
for side, ending in ("left", "png"), ("right", "pgm"):
    os.mkdir(f"{sys.argv[1]}/many_{side}")
    for i in range(37): # large, so that a checkpoint comes before the end
        Image.open(f"{sys.argv[1]}/{side}/{i:02}.{ending}").resize((500, 500)).save(f"{sys.argv[1]}/{i}.{ending}")
    for i in range(int(sys.argv[2])):
        os.link(f"{sys.argv[1]}/{i * 7 % 37}.{ending}", f"{sys.argv[1]}/many_{side}/{i:05}.{ending}")
PYTHON
job many '{kind: images, inputs: {left: {path: many_left}, right: {path: many_right}}}' \
  '{left: [{resize: {height: 8, width: 8}}, {mean: 100}], right: [{resize: {height: 4, width: 4}}, {divide: 255}]}'
many=("$ETALON" calibrate -q "$scratch/many.yaml" --set 'evaluate={skip: true}' --set calibration.block=1
  --set engine.threads=1 --set checkpoint.interval=1)
"${many[@]}" >/dev/null || fail "many records"
kept() { find "$scratch/again/checkpoint" -name '*.h5' | grep -q .; }
for n in 2 0; do
  rm -rf "$scratch/again"
  "${many[@]}" --set output=again >/dev/null 2>&1 & run=$!
  wait_for 60 kept
  kill -KILL $run; wait $run 2>/dev/null || true
  [ ! -e "$scratch/again/manifest.json" ] || fail "it was finished before it was killed"
  ranks $n "${many[@]/-q/-v}" --set output=again >/dev/null 2>"$scratch/stderr" || fail "going on"
  grep -q "going on after [1-9][0-9]* of" "$scratch/stderr" || fail "it has begun anew"
  [ "$(bits "$scratch/again")" = "$(bits "$scratch/many")" ] || fail "other bits after a kill, $n ranks"
done
rm -rf "$scratch/again"
echo "ok: the same bits after a kill"

job one '{kind: images, path: left}' '[]'
expect 78 'the network has 2 inputs (the second is "right"): the dataset needs "inputs"' "$ETALON" calibrate "$scratch/one.yaml"
job misspelt '{kind: images, inputs: {left: {path: left}, rigth: {path: right}}}' '[]'
expect 78 'input "rigth": the network has no such input; the nearest is "right"' "$ETALON" calibrate "$scratch/misspelt.yaml"
job fewer '{kind: images, inputs: {left: {path: left}}}' '[]'
expect 78 'no input of the dataset is named "right"' "$ETALON" calibrate "$scratch/fewer.yaml"
job strange "$both" '{left: [], middle: []}'
expect 78 'preprocess "middle": the network has no such input' "$ETALON" calibrate "$scratch/strange.yaml"
job size "$both" '{left: [{resize: {height: 4, width: 4}}]}'
expect 78 'input "left": ' "$ETALON" calibrate "$scratch/size.yaml"
rm "$scratch/right/07.pgm"
for n in 0 3; do
  expect 65 'input "left" has a record named "07", input "right" has not' ranks $n "$ETALON" calibrate "$scratch/plain.yaml" --set output=again
done
printf 'no image' >"$scratch/right/07.pgm"
expect 65 'right: 07.pgm: ' "$ETALON" calibrate "$scratch/plain.yaml" --set output=again
for n in 0 3; do
  rm -rf "$scratch/again"
  ranks $n "$ETALON" calibrate -q "$scratch/plain.yaml" --set output=again --set limits.max_bad_records=1 >/dev/null ||
    fail "one bad record, $n ranks"
  "$ETALON" inspect "$scratch/again/archive.h5" | grep -F 'right: 07.pgm' >/dev/null || fail "the bad record is not listed"
done
echo "ok: what does not fit is told"
