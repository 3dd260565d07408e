#!/usr/bin/env bash
# A prototxt that says where its records are and what becomes of them: a job that names neither calibrates as one that
# says the same itself, to the bit; what the job says holds; what cannot be done is one sentence.
. "$(dirname "$0")/lib.sh"
draw 24 1
cd "$scratch"
"$ETALON" convert -q "$demo/demo.onnx" --to fp32umodel --output net --name net >/dev/null || fail "convert"
"$ETALON" dataset build -q pictures pictures/calibration.txt net/image_lmdb >/dev/null || fail "dataset build"
input=$(sed -n 's/^  top: "\(.*\)"/\1/p' net/net_test.prototxt | head -1)
[ "$input" = image ] || mv net/image_lmdb "net/${input}_lmdb"

# net TRANSFORM: net/net.prototxt, the test prototxt with such a transform_param and batches of 5.
net() {
  sed "0,/data_param {/s//transform_param { $1 }\n  data_param {/; s/batch_size: 1/batch_size: 5/" net/net_test.prototxt \
    >net/net.prototxt
}

# job NAME KEYS
job() {
  printf 'model: {file: net/net.prototxt, weights: net/net.fp32umodel}\ntargets: [onnx-qdq]\noutput: %s\n%b\n' "$1" "$2" \
    >"$1.yaml"
}

explicit="dataset: {kind: lmdb, path: net/${input}_lmdb}\ncalibration: {block: 5}\n"
net 'scale: 0.015625 mean_value: 127.5'
job taken ''
job given "${explicit}preprocess: [{channels: bgr}, {mean: 127.5}, {scale: 0.015625}]"
for name in taken given; do
  ranks 2 "$ETALON" calibrate $name.yaml >$name.out 2>$name.err || { cat $name.err >&2; fail "$name"; }
done
[ "$(bits taken)" = "$(bits given)" ] || fail "other bits than those of the job that says it itself"
grep -qF 'preprocess, from layer "'"$input"'" (Data): [{channels: bgr}, {mean: 127.5}, {scale: 0.015625}]' taken.err ||
  { cat taken.err >&2; fail "the log does not say what was taken"; }
grep -qF "dataset, from layer \"$input\" (Data): lmdb in ./net/${input}_lmdb, 5 at once" taken.err || fail "nor from where"
! grep -q 'from layer' given.err || fail "something was taken from the model though the job gives it"
echo "ok: the same bits from a data layer and from the job"

"$ETALON" calibrate --dry-run taken.yaml >dry 2>&1 || fail "dry run"
grep -qF "24 records in blocks of 5, from layer \"$input\" (Data)" dry || fail "the dry run does not name the records"
grep -qF "preprocess:  # from layer \"$input\" (Data)" dry || fail "the dry run does not name the chain"
"$ETALON" inspect net/net.prototxt --weights net/net.fp32umodel >shown || fail "inspect"
grep -qxF '  - mean: 127.5' shown && grep -qF "lmdb in net/${input}_lmdb, 5 at once" shown || fail "inspect does not show it"

"$ETALON" inspect net/net.prototxt --weights net/net.fp32umodel --json >shown.json || fail "inspect --json"
"$PYTHON" - "$input" <<'PYTHON' || fail "inspect --json says something else of the data"
import json, sys
data = json.load(open("shown.json"))["data"]
assert data["origin"] == f'layer "{sys.argv[1]}" (Data)', data
assert data["dataset"]["kind"] == "lmdb" and data["dataset"]["batch"] == 5 and data["dataset"]["list"] is None, data
assert data["preprocess"] == "[{channels: bgr}, {mean: 127.5}, {scale: 0.015625}]", data
PYTHON

# what the job says holds
has() { "$ETALON" calibrate --dry-run taken.yaml "${@:2}" 2>/dev/null | grep -qF -- "$1" || fail "not said: $1"; }
has '7 records in blocks of 5, from layer' --set dataset.limit=7
has '24 records in blocks of 3, from layer' --set calibration.block=3
has '24 records in blocks of 8' --set 'dataset={kind: images, path: pictures, list: pictures/calibration.txt}'
has 'preprocess: []' --set 'preprocess=[]'

# the same as Sophon's list, in another order of the file
net 'transform_op { op: STAND mean_value: [127.5, 127.5, 127.5] scale: 0.015625 bgr2rgb: true }'
has '  - channels: rgb'

# images by a list
sed "s/type: \"Data\"/type: \"ImageData\"/; s/data_param {/image_data_param {/; /backend/d; s/${input}_lmdb/list/" \
  net/net_test.prototxt | sed '0,/batch_size.*/s//&\n    root_folder: "..\/pictures\/"/' >net/net.prototxt
cp pictures/calibration.txt net/list
has '24 records in blocks of 1, from layer'
has '  - channels: bgr'

# ---- refusals ----

net 'scale: 2 transform_op { op: NONE }'
expect 65 'has both scale and a list of transform_op' "$ETALON" calibrate taken.yaml
net 'crop_h: 1'
expect 65 'it crops to 1x0' "$ETALON" calibrate taken.yaml
"$ETALON" calibrate --dry-run -q given.yaml >/dev/null || fail "what the job does not need is in its way"
sed -i 's/crop_h: 1//; s/_lmdb/_nowhere/' net/net.prototxt
expect 65 'net/'"$input"'_nowhere: ' "$ETALON" calibrate taken.yaml
expect 66 'dataset, from layer' "$ETALON" calibrate taken.yaml --set "model.inputs={$input: [1, 3, 32, 32]}"
printf 'model: {file: %s}\ntargets: [onnx-qdq]\noutput: none\n' "$demo/demo.onnx" >none.yaml
expect 78 'the key "dataset" is missing' "$ETALON" calibrate none.yaml
[ ! -e none/manifest.json ] || fail "a refused job left results"

# ---- writing one ----

chain='[{channels: rgb}, {resize: {short: 40, filter: opencv_linear}}, {crop: {height: 32, width: 32}}, {mean: 127.5}, {divide: 64}]'
"$ETALON" convert -q "$demo/demo.onnx" --to fp32umodel --output written --name net --preprocess "$chain" \
  --dataset "net/${input}_lmdb" --accuracy >/dev/null || fail "convert with a data layer"
[ "$(grep -c 'top_k: [15]' written/net_test.prototxt)" -eq 2 ] || fail "no top-1 and top-5 accuracy"
printf 'model: {file: written/net_test.prototxt, weights: written/net.fp32umodel}\ntargets: [onnx-qdq]\noutput: written/out\n' \
  >written.yaml
says() { grep -qF -- "$1" written.err || { cat written.err >&2; fail "not said: $1"; }; }
"$ETALON" calibrate written.yaml >/dev/null 2>written.err || { cat written.err >&2; fail "the written network"; }
says "preprocess, from layer \"$input\" (Data): $chain"
says "lmdb in net/${input}_lmdb"
"$ETALON" convert -q written/net_test.prototxt --weights written/net.fp32umodel --to fp32umodel --output again --name net \
  --accuracy >/dev/null || fail "convert again"
cmp written/net_test.prototxt again/net_test.prototxt || fail "the data layer is not taken over"
"$ETALON" convert -q "$demo/demo.onnx" --to fp32umodel --output preset --name net --preprocess '{preset: ssd_i}' >/dev/null ||
  fail "convert with a preset"
grep -q 'resize_h: 32' preset/net_test.prototxt || fail "the preset is not written out"
expect 64 '--preprocess, --dataset and --accuracy are for formats' \
  "$ETALON" convert "$demo/demo.onnx" --to onnx --output none --accuracy
expect 78 '--preprocess: line 1, column 3: key "maen" does not exist' \
  "$ETALON" convert "$demo/demo.onnx" --to fp32umodel --output none --preprocess '[{maen: 3}]'
echo "ok: a data layer written and read"
