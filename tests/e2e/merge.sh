#!/usr/bin/env bash
# Archives of disjoint records add up: two halves, or any pieces of whole blocks, are the whole bit for bit, and so are the
# models that come out of it; what does not add up is refused by name.
. "$(dirname "$0")/lib.sh"

# 25 blocks of 8 and one of 3: no eighth of a piece ends where one of the whole does. A cut file in the second half.
draw 203 2
head -c 300 "$scratch/pictures/$(sed -n '150s/ [0-9]*$//p' "$scratch/pictures/calibration.txt")" >"$scratch/cut"
mv "$scratch/cut" "$scratch/pictures/$(sed -n '150s/ [0-9]*$//p' "$scratch/pictures/calibration.txt")"

keys='targets: [onnx-qdq, tnn]\nevaluate: {skip: true}\nlimits: {max_bad_records: 1}'
analytic='bias_correction: analytic'

# piece NAME FIRST COUNT KEYS [OPTIONS]: a run of its own over so many records, in $scratch/NAME
piece() {
  local name=$1 first=$2 count=$3 more=$4; shift 4
  sed -n "$first,$((first + count - 1))p" "$scratch/pictures/calibration.txt" >"$scratch/pictures/$name.txt"
  demo_job "$name" "$keys\n$more"
  sed -i "s|pictures/calibration.txt|pictures/$name.txt|" "$scratch/$name.yaml"
  "$ETALON" calibrate -q "$@" "$scratch/$name.yaml" >/dev/null || fail "$name: calibrate"
}

# merge OUT NAME...: of runs or archives
merge() {
  local out=$1; shift
  (cd "$scratch" && "$ETALON" merge -q "$@" -o "$out" >/dev/null) || fail "merge $*"
}

emit() { "$ETALON" emit -q "$scratch/$1" --model "$demo/demo.onnx" --output "$scratch/$2" "${@:3}" >/dev/null || fail "emit $1"; }

for kind in mixed channels records; do
  calibration="calibration: {$analytic}"
  case $kind in
    channels) calibration="calibration: {$analytic, granularity: per-channel, bins: 1024}" ;;
    records) # every kind of statistics beside histograms
      calibration="calibration: {$analytic, activations: isotone, weights: grid-output, overrides: [{node: head_conv, activations: mean-of-extrema}]}" ;;
  esac
  piece $kind.whole 1 203 "$calibration"
  piece $kind.a 1 104 "$calibration"
  piece $kind.b 105 99 "$calibration" --set engine.threads=2
  merge $kind.of-one.h5 $kind.whole
  merge $kind.h5 $kind.a $kind.b/archive.h5
  cmp "$scratch/$kind.of-one.h5" "$scratch/$kind.h5" || fail "$kind: two halves are not the whole"

  # Nothing but the archive from here on.
  mv "$scratch/pictures" "$scratch/gone"
  emit $kind.whole/archive.h5 $kind.whole.emitted
  emit $kind.h5 $kind.emitted
  diff -r -x run.json -x report.html "$scratch/$kind.whole.emitted" "$scratch/$kind.emitted" || fail "$kind: emit gives other files"
  for target in onnx-qdq tnn; do
    diff -r "$scratch/$kind.whole/$target" "$scratch/$kind.emitted/$target" || fail "$kind: the models are not the run's"
  done
  mv "$scratch/gone" "$scratch/pictures"
done
echo "ok: two halves are the whole, bit for bit, as are the models"

piece c 1 40 "calibration: {$analytic}"
piece d 41 72 "calibration: {$analytic}"
piece e 113 91 "calibration: {$analytic}"
merge three.h5 c d e
cmp "$scratch/three.h5" "$scratch/mixed.h5" || fail "three pieces are not the whole"
merge c+d.h5 c d
merge nested.h5 c+d.h5 e
cmp "$scratch/nested.h5" "$scratch/mixed.h5" || fail "a merged archive and another are not the whole"
merge d+e.h5 d e
merge nested.h5 --force c d+e.h5
cmp "$scratch/nested.h5" "$scratch/mixed.h5" || fail "an archive and a merged one are not the whole"
echo "ok: merging is associative"

# Records of an array have no names of their own; what they are is told by their bytes.
cat >"$scratch/array.yaml" <<JOB
model: {file: $demo/demo.onnx}
dataset: {kind: bin, path: whole.bin, shape: [3, 32, 32], dtype: uint8}
calibration: {$analytic, block: 4}
targets: [tnn]
evaluate: {skip: true}
output: array
JOB
head -c $((60 * 3072)) <(cat "$ETALON" "$ETALON" "$ETALON") >"$scratch/whole.bin"
head -c $((36 * 3072)) "$scratch/whole.bin" >"$scratch/first.bin"
tail -c $((24 * 3072)) "$scratch/whole.bin" >"$scratch/second.bin"
tail -c $((26 * 3072)) "$scratch/whole.bin" >"$scratch/overlapping.bin"
for name in whole first second overlapping; do
  "$ETALON" calibrate -q "$scratch/array.yaml" --set "dataset.path=$scratch/$name.bin" --set "output=array.$name" >/dev/null ||
    fail "array: $name"
done
merge array.of-one.h5 array.whole
merge array.h5 array.first array.second
cmp "$scratch/array.h5" "$scratch/array.of-one.h5" || fail "halves of an array are not the whole"
cd "$scratch"
expect 65 "array.overlapping/archive.h5: record 0 (key 0000000000000000" \
  "$ETALON" merge array.first array.overlapping -o x.h5
grep -q "is record 34 of array.first/archive.h5, too; 2 records are in several archives" "$scratch/stderr" || fail "places"
echo "ok: halves of an array"

# --- what does not add up
[ ! -e x.h5 ] || fail "a refused merge wrote a file"
expect 65 "d/archive.h5: record 0" "$ETALON" merge c+d.h5 d -o x.h5
expect 65 "is record 40 of c+d.h5, too; 72 records are in several archives" "$ETALON" merge c+d.h5 d -o x.h5
expect 0 "72 records are in several archives and are counted as often" \
  "$ETALON" merge c+d.h5 d -o repeated.h5 --allow-repeats
for change in "calibration.block=16|calibration.block: expected as in the first archive 8, found 16" \
  "calibration.bins=1024|calibration.bins: expected as in the first archive" \
  "preprocess=[{mean: 3}]|preprocessing, how records are read, granularity or equalization differ" \
  "calibration.granularity=per-channel|preprocessing, how records are read, granularity or equalization differ" \
  "calibration.activations=isotone|only one of the two has counted what is for isotone (" \
  "calibration.weights=grid-output|only one of the two has counted what is for grid-output (" \
  "model.outputs=[flat]|the model (SHA-256" \
  "calibration.stop_when_stable=0.5|its run was to end once thresholds were stable" \
  "engine.isa=sse41|the instruction set sse41, the first archive with"; do
  rm -rf other
  "$ETALON" calibrate -q "$scratch/d.yaml" --set "${change%%|*}" --set output=other >/dev/null || fail "$change"
  expect 65 "other/archive.h5: " "$ETALON" merge c other -o x.h5
  grep -qF -- "${change#*|}" stderr || { cat stderr >&2; fail "expected \"${change#*|}\""; }
done
expect 65 "archive_v1.h5: its statistics are of format version 1" "$ETALON" merge "$SOURCE/tests/golden/archive_v1.h5" -o x.h5
expect 66 "nowhere.h5: cannot be opened" "$ETALON" merge c nowhere.h5 -o x.h5
expect 73 "three.h5: exists; use --force to replace it" "$ETALON" merge c -o three.h5
expect 64 "--output" "$ETALON" merge c
expect 64 "merge needs archives" "$ETALON" merge -o x.h5
[ ! -e x.h5 ] || fail "a refused merge wrote a file"

# Networks beside the user's that were equalized in different ways do not add up; all else does.
piece g 1 8 "calibration: {$analytic}" --set 'targets=[onnx-qdq, sophon-bm1684]'
piece h 9 40 "calibration: {$analytic}" --set 'targets=[onnx-qdq, sophon-bm1684]'
expect 0 "equalization is left out" "$ETALON" merge g h -o unlike.h5
emit unlike.h5 unlike

# A piece that ends within a block: the sum is right, the block is another's.
piece f 1 101 "calibration: {$analytic}"
expect 0 "101 records come before, which are no multiple of the block of 8" "$ETALON" merge f mixed.b -o rest.h5
emit rest.h5 rest
echo "ok: refusals"
