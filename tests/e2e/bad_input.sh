#!/usr/bin/env bash
# Bad input: each earns its exit code and one sentence, plainly and on two ranks, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"

draw 16 0
network="{file: $demo/demo.onnx}"
images="{kind: images, path: pictures, list: pictures/calibration.txt}"

# job MODEL DATASET [MORE KEYS]: writes $scratch/job.yaml
job() {
  printf 'model: %s\ndataset: %s\npreprocess: [{scale: 0.00390625}]\noutput: out/deep\n%b\n' \
    "$1" "$2" "${3:-targets: [onnx-qdq]}" >"$scratch/job.yaml"
}

# bad CODE "text" [NAME]: the job must end so, and not even an empty folder remains.
bad() {
  for n in 0 2; do
    expect "$1" "$2" ranks $n "$ETALON" calibrate -q "${3:-$scratch/job.yaml}"
    [ ! -e "$scratch/out" ] || fail "left behind: $(find "$scratch/out")"
    [ "$(grep -c '^etalon: ' "$scratch/stderr")" -eq 1 ] || { cat "$scratch/stderr" >&2; fail "expected one message"; }
    [ ! -s "$scratch/stdout" ] || fail "expected no results, found: $(cat "$scratch/stdout")"
  done
  echo "ok: exit $1, $(grep '^etalon: ' "$scratch/stderr")"
}

# --- models
job "{file: missing.onnx}" "$images"; bad 66 "missing.onnx"
head -c 100000 "$demo/demo.onnx" >"$scratch/cut.onnx"
job "{file: cut.onnx}" "$images"; bad 65 "cut.onnx"
: >"$scratch/empty.onnx"
job "{file: empty.onnx}" "$images"; bad 65 "empty.onnx"
job "{file: pictures}" "$images"; bad 65 "found a folder"
job "{file: pictures/calibration.txt}" "$images"; bad 65 "calibration.txt"

if [ -d "$data" ]; then
  weights=$data/lenet/lenet_iter_10000.caffemodel
  prototxt=$data/lenet/lenet_train_test.prototxt
  mnist=$data/lmdb/mnist_test1000_lmdb
  lenet() { echo "{file: $1, weights: $2, inputs: {data: [1, 1, 28, 28]}}"; }
  job "$(lenet "$prototxt" missing.caffemodel)" "{kind: lmdb, path: $mnist}"; bad 66 "missing.caffemodel"
  head -c 400000 "$weights" >"$scratch/cut.caffemodel"
  job "$(lenet "$prototxt" cut.caffemodel)" "{kind: lmdb, path: $mnist}"; bad 65 "cut.caffemodel"
  sed 's/type: "Pooling"/type: "Poolink"/' "$prototxt" >"$scratch/odd.prototxt"
  job "$(lenet odd.prototxt "$weights")" "{kind: lmdb, path: $mnist}"; bad 69 "Poolink"
  sed 's/num_output: 50/num_output: 60/' "$prototxt" >"$scratch/wide.prototxt"
  job "$(lenet wide.prototxt "$weights")" "{kind: lmdb, path: $mnist}"; bad 65 "expected shape 60x20x5x5, found 50x20x5x5"
  job "$network" "{kind: lmdb, path: $mnist}"; bad 65 "expected 3x32x32, found 1x28x28"
else
  echo "skipped in part: the real networks beside the checkout are absent, so Caffe's files were not tried"
fi

# --- datasets and records
job "$network" "{kind: images, path: nowhere}"; bad 66 "nowhere"
job "$network" "{kind: lmdb, path: nowhere}"; bad 66 "nowhere"
"$ETALON" dataset build "$scratch/pictures" "$scratch/pictures/calibration.txt" "$scratch/lmdb" ||
  fail "dataset build"
mkdir "$scratch/cut_lmdb"
head -c 50000 "$scratch/lmdb/data.mdb" >"$scratch/cut_lmdb/data.mdb"
job "$network" "{kind: lmdb, path: cut_lmdb}"; bad 65 "cut_lmdb"
mkdir "$scratch/empty"
job "$network" "{kind: images, path: empty}"; bad 65 "no record"
disc=$scratch/pictures/calibration/disc/0000.jpg
mkdir "$scratch/broken"
for i in 00 01 02 03 04 05; do cp "$disc" "$scratch/broken/$i.jpg"; done
head -c 300 "$disc" >"$scratch/broken/03.jpg"
job "$network" "{kind: images, path: broken}"; bad 65 "record 03.jpg"

# --- the job file
with() { job "$network" "$images" "$1"; }
with 'targets: [onnx-qdq]\nengine: {prefetch: 0}'; bad 78 "MiB"
with 'targets: [onnx-qdq]\nevalute: {top_k: [1]}'; bad 78 'the nearest is "evaluate"'
with 'targets: [onnx-qdc]'; bad 78 'the nearest is "onnx-qdq"'
with 'targets: [onnx-qdq]\ncalibration: {activations: mze}'; bad 78 'the nearest is "mse"'
with 'targets: [onnx-qdq]\ncalibration: {bins: 1000}'; bad 78 "a power of two"
with 'targets: [onnx-qdq]\noutput: twice'; bad 78 "given twice"
with 'targets: [onnx-qdq]\ncalibration: {overrides: [{node: conv_nowhere, precision: float}]}'; bad 78 "matches no node"
with 'targets: [onnx-qdq'; bad 78 "line 6"
with '# nothing'; bad 78 '"targets" is missing'
{
  echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'; p=a
  for k in b c d e f g h i; do echo "$k: &$k [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]"; p=$k; done
} >"$scratch/job.yaml"
bad 78 "more than 100,000 values"
bad 66 "nothing.yaml" "$scratch/nothing.yaml"
bad 65 "found a folder" "$scratch/pictures"

# --- the command line
expect 64 'the nearest is "calibrate"' "$ETALON" calibrat
expect 64 'the nearest is "calibrate"' ranks 2 "$ETALON" calibrat
expect 64 'the nearest is "--dry-run"' "$ETALON" calibrate --dry-rum x.yaml
expect 64 'needs one job file' "$ETALON" calibrate
with 'targets: [onnx-qdq]'; expect 64 'key=value' "$ETALON" calibrate --set bins "$scratch/job.yaml"

# --- a bad record that is allowed: skipped, listed, and the same bits on any number of ranks
job "$network" "{kind: images, path: broken}" 'targets: [onnx-qdq]\nlimits: {max_bad_records: 1}'
for n in 0 3; do
  rm -rf "$scratch/out"
  ranks $n "$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null || fail "one bad record is allowed"
  bits "$scratch/out/deep" >"$scratch/bits.$n"
done
cmp "$scratch/bits.0" "$scratch/bits.3" || fail "skipping a record gives other bits on other numbers of ranks"
grep -q '03.jpg' "$scratch/out/deep/report.json" || fail "the skipped record is not in the report"
grep -q '"skipped": 1' "$scratch/out/deep/report.json" || fail "the skipped record is not counted"
rm -rf "$scratch/out"

# --- one rank fails while the others work: all end at once. A share of the long list, of pictures that take milliseconds
# to read, is minutes of work that nobody waits for.
side=$(sized 1000 300)
{ echo "P6 $side $side 255"; head -c $((3 * side * side)) /dev/zero; } >"$scratch/large.ppm"
{ yes "large.ppm 0" || true; } | head -n 200000 >"$scratch/long.txt"
{ head -n 20 "$scratch/long.txt"; echo "nowhere.ppm 0"; cat "$scratch/long.txt"; } >"$scratch/early.txt"
{ head -n 300 "$scratch/long.txt"; echo "nowhere.ppm 0"; head -n 30 "$scratch/long.txt"; } >"$scratch/late.txt"
for list in early late; do
  job "$network" "{kind: images, path: ., list: $list.txt}"
  expect 65 "record nowhere.ppm" ranks 3 timeout 40 "$ETALON" calibrate -q "$scratch/job.yaml" \
    --set 'preprocess=[{resize: {height: 32, width: 32, filter: bilinear}}]'
  [ ! -e "$scratch/out" ] || fail "left behind: $(find "$scratch/out")"
done
echo "ok: $(grep '^etalon: ' "$scratch/stderr")"
