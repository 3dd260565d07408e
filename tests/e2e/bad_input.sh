#!/usr/bin/env bash
# Bad input: each earns its exit code and one sentence, and leaves nothing under a final name.
. "$(dirname "$0")/lib.sh"
need_data

lenet="{file: $data/lenet/lenet_train_test.prototxt, weights: WEIGHTS, inputs: {data: [1, 1, 28, 28]}}"
weights=$data/lenet/lenet_iter_10000.caffemodel
lmdb="{kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 16}"
images="{kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: 16}"
resnet="{file: $data/resnet20/resnet20_opset13.onnx}"

# job MODEL DATASET [EXTRA]: writes $scratch/job.yaml
job() {
  printf 'model: %s\ndataset: %s\npreprocess: [{scale: 0.00390625}]\ntargets: [onnx-qdq]\noutput: out\n%b\n' \
    "$1" "$2" "${3:-}" >"$scratch/job.yaml"
}

# bad CODE "text": the job must end so, plainly and on two ranks, and leave no file behind.
bad() {
  for n in 0 2; do
    rm -rf "$scratch/out"
    expect "$1" "$2" ranks $n "$ETALON" calibrate -q "$scratch/job.yaml"
    [ -z "$(find "$scratch/out" -type f 2>/dev/null)" ] || fail "left behind: $(find "$scratch/out" -type f)"
    [ "$(grep -c '^etalon: ' "$scratch/stderr")" -eq 1 ] || { cat "$scratch/stderr" >&2; fail "expected one message"; }
  done
  echo "ok: exit $1, $(grep '^etalon: ' "$scratch/stderr")"
}

job "${lenet/WEIGHTS/missing.caffemodel}" "$lmdb"; bad 66 "missing.caffemodel"
head -c 400000 "$weights" >"$scratch/cut.caffemodel"
job "${lenet/WEIGHTS/$scratch/cut.caffemodel}" "$lmdb"; bad 65 "cut.caffemodel"
job "${lenet/WEIGHTS/$weights}" "{kind: lmdb, path: $data/nowhere}"; bad 66 "nowhere"
mkdir "$scratch/cut_lmdb"; head -c 500000 "$data/lmdb/mnist_test1000_lmdb/data.mdb" >"$scratch/cut_lmdb/data.mdb"
job "${lenet/WEIGHTS/$weights}" "{kind: lmdb, path: $scratch/cut_lmdb}"; bad 65 "cut_lmdb"
mkdir "$scratch/empty"; job "$resnet" "{kind: images, path: $scratch/empty}"; bad 65 "no record"

# A corrupt JPEG in the middle; and the same with permission to skip it.
mkdir -p "$scratch/pictures"
for i in 00 01 02 03 04 05; do cp "$data/cifar10/calibration/airplane/00$i.jpg" "$scratch/pictures/$i.jpg"; done
head -c 300 "$data/cifar10/calibration/airplane/0003.jpg" >"$scratch/pictures/03.jpg"
job "$resnet" "{kind: images, path: $scratch/pictures}"; bad 65 "03.jpg"
job "$resnet" "{kind: images, path: $scratch/pictures}" 'limits: {max_bad_records: 1}'
for n in 0 3; do
  rm -rf "$scratch/out"
  ranks $n "$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null || fail "one bad record is allowed"
  bits "$scratch/out"
done | uniq | wc -l | grep -qx 1 || fail "skipping a record gives other bits on other numbers of ranks"
grep -q '03.jpg' "$scratch/out/report.json" || fail "the skipped record is not in the report"
grep -q '"skipped": 1' "$scratch/out/report.json" || fail "the skipped record is not counted"

# Wrong shape: 28 x 28 grey records into a 3 x 32 x 32 network.
job "$resnet" "$lmdb"; bad 65 "expected 3x32x32, found 1x28x28"

# Unknown layer.
sed 's/type: "Pooling"/type: "Poolink"/' "$data/lenet/lenet_train_test.prototxt" >"$scratch/odd.prototxt"
job "{file: $scratch/odd.prototxt, weights: $weights, inputs: {data: [1, 1, 28, 28]}}" "$lmdb"; bad 69 "Poolink"

# Weights of another shape.
sed 's/num_output: 50/num_output: 60/' "$data/lenet/lenet_train_test.prototxt" >"$scratch/wide.prototxt"
job "{file: $scratch/wide.prototxt, weights: $weights, inputs: {data: [1, 1, 28, 28]}}" "$lmdb"; bad 65 "conv2"

# The job file itself.
job "$resnet" "$images" 'evalute: {top_k: [1]}'; bad 78 'the nearest is "evaluate"'
job "$resnet" "$images" 'calibration: {activations: mze}'; bad 78 'the nearest is "mse"'
job "$resnet" "$images" 'calibration: {bins: 1000}'; bad 78 "a power of two"
job "$resnet" "$images" 'output: twice'; bad 78 "given twice"
job "$resnet" "$images" 'calibration: {overrides: [{node: conv_nowhere, precision: float}]}'
rm -rf "$scratch/out"; expect 78 "matches no node" "$ETALON" calibrate -q "$scratch/job.yaml"
{ echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'; p=a; for k in b c d e f g h i; do echo "$k: &$k [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]"; p=$k; done; } >"$scratch/job.yaml"
bad 78 "more than 100,000 values"
expect 64 'the nearest is "calibrate"' "$ETALON" calibrat
expect 64 'the nearest is "--dry-run"' "$ETALON" calibrate --dry-rum x.yaml
expect 66 "nothing.yaml" "$ETALON" calibrate "$scratch/nothing.yaml"

# Output: a folder that cannot be made, and one that is in use.
job "$resnet" "$images"; sed -i 's|^output: .*|output: job.yaml/out|' "$scratch/job.yaml"
expect 73 "job.yaml" "$ETALON" calibrate -q "$scratch/job.yaml"
