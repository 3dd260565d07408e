#!/usr/bin/env bash
# Models again from an archive, without data and without inference: the bits of the run that wrote it, or of the run that
# would have asked for the same.
. "$(dirname "$0")/lib.sh"
need_python h5py
need_python onnx

draw "$(sized 120 40)" 10
demo_job mixed
demo_job tensor 'targets: [onnx-qdq, tnn]\ncalibration: {granularity: per-tensor}' # equalized
demo_job channels 'targets: [onnx-qdq, tnn]\ncalibration: {granularity: per-channel, bias_correction: analytic}'
for job in mixed channels tensor; do
  ranks 2 "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job: calibrate"
done
mv "$scratch/pictures" "$scratch/gone" # from here on there is no data

# emit NAME ARCHIVE-OF [OPTIONS]: into $scratch/NAME
emit() {
  local name=$1 from=$2; shift 2
  "$ETALON" emit "$scratch/$from/archive.h5" --model "$demo/demo.onnx" --output "$scratch/$name" "$@"
}

# h5_has ARCHIVE ITEM: yes or no.
h5_has() { "$PYTHON" -c 'import h5py, sys; print("yes" if sys.argv[2] in h5py.File(sys.argv[1]) else "no")' "$@"; }

# same A B: the models of both folders.
same() {
  for target in onnx-qdq tnn; do diff -r "$scratch/$1/$target" "$scratch/$2/$target" || fail "$1 and $2: other $target"; done
}

# A batch is what is written, not what is decided.
emit batch mixed --set 'targets=[onnx-qdq]' --set model.input_batch=4 >/dev/null || fail "a batch of 4"
[ -s "$scratch/batch/onnx-qdq/demo.onnx" ] || fail "a batch of 4: no model"

for job in mixed channels tensor; do
  for n in 0 3; do
    ranks $n "$ETALON" emit "$scratch/$job/archive.h5" -m "$demo/demo.onnx" -o "$scratch/$job.$n" >/dev/null || fail "$job"
    same $job $job.$n
  done
  # Where one scale serves a tensor, codes are not the nearest, and are in the archive; nothing else could tell them.
  [ $job = tensor ] && codes=yes || codes=no
  [ "$(h5_has "$scratch/$job/archive.h5" targets/tnn/layers/code)" = $codes ] || fail "$job: codes in the archive: not $codes"
  # The decisions that it writes down are those that it read: all but the figures of an evaluation that was not run.
  emit $job.again $job.0 >/dev/null || fail "$job: from an emitted archive"
  cmp "$scratch/$job.0/archive.h5" "$scratch/$job.again/archive.h5" || fail "$job: the archive of an archive differs"
  expect 0 "nothing to do" emit $job.0 $job
done
echo "ok: an archive gives its run's models, bit for bit, on 0 and 3 ranks"

# --- dealt out to ranks
everything=(--set 'targets=[onnx-qdq, tnn, ascend, horizon-j6, sophon-bm1684, cambricon-mlu220, cambricon-mlu270, ncnn, mnn]'
  --set calibration.bias_correction=analytic)
for n in 0 1 2 3 5; do
  ranks $n "$ETALON" emit "$scratch/mixed/archive.h5" -m "$demo/demo.onnx" -o "$scratch/dealt.$n" "${everything[@]}" \
    >/dev/null || fail "nine targets on $n ranks"
  [ "$(bits "$scratch/dealt.$n")" = "$(bits "$scratch/dealt.0")" ] || fail "nine targets on $n ranks: other bits"
done
[ "$(find "$scratch/dealt.5" -name '*.tmp' | wc -l)" -eq 0 ] || fail "ranks have left temporaries"
echo "ok: ranks that write targets side by side leave the bits of one"

# --- what nobody has run yet
expect 69 "target onnx-qdq, tnn: bias_correction: simulated needs the calibration data" emit kl mixed \
  --set calibration.activations=kl
grep -qF "2 of 2 targets are not possible: onnx-qdq, tnn" "$scratch/stderr" || fail "the end does not name both targets"
[ "$(grep -c simulated "$scratch/stderr")" -eq 1 ] || fail "a reason that two targets share is told twice"
[ ! -e "$scratch/kl" ] || fail "a folder without any target was left"
expect 69 "rounding: output needs the calibration data" emit rounded mixed --set calibration.bias_correction=analytic \
  --set calibration.rounding=output
methods=(--set calibration.activations=kl --set calibration.weights=maxabs --set calibration.bias_correction=analytic)
expect 0 "" emit kl mixed "${methods[@]}"
expect 73 "use --force" emit kl mixed
expect 0 "" emit fewer channels --set 'targets=[tnn]' --set calibration.granularity=mixed
mv "$scratch/gone" "$scratch/pictures"
expect 0 "" "$ETALON" calibrate "$scratch/mixed.yaml" "${methods[@]}" --set output="$scratch/measured"
same kl measured
# In the folder of another job the statistics are there already.
expect 0 "statistics come from" "$ETALON" calibrate "$scratch/mixed.yaml" "${methods[@]}" --force
diff -r "$scratch/mixed" "$scratch/measured" -x run.json -x report.html || fail "statistics taken from the folder give other bits"
echo "ok: other methods from the archive are what a run with them gives"

# --- jobs of several kinds of targets once equalized none, and `rounding: auto` was nearest to all of them
demo_job older 'targets: [sophon-bm1684, tnn]\ncalibration: {rounding: nearest, equalization: none}'
"$ETALON" calibrate -q "$scratch/older.yaml" >/dev/null || fail "older: calibrate"
todays=(--set calibration.rounding=auto)
expect 0 "target sophon-bm1684: weights are rounded to the nearest, as the archive has decided" emit older.0 older "${todays[@]}"
for target in sophon-bm1684 tnn; do
  diff -r "$scratch/older/$target" "$scratch/older.0/$target" || fail "an older job of two kinds: other $target"
done
expect 69 "needs the calibration data" emit x older --set calibration.rounding=output
echo "ok: what older jobs of several kinds of targets have decided"

# --- what it refuses
expect 64 "dataset.limit=3" emit x mixed --set dataset.limit=3
expect 64 "calibration.bins=256" emit x mixed --set calibration.bins=256
expect 64 "nothing would follow from this key" emit x mixed --set engine.threads=2
expect 64 "nothing would follow from this key" emit x mixed --set evaluate.skip=true
expect 78 "target mnn has no options" emit x mixed --set 'target_options={mnn: {}}'
expect 64 "--model" "$ETALON" emit "$scratch/mixed/archive.h5" --output "$scratch/x"
expect 65 "needs a calibration that counted them, mixed and per-tensor do not" emit x mixed --set calibration.granularity=per-channel
sed 's/demo/Demo/' "$demo/demo.onnx" >"$scratch/other.onnx"
expect 65 "not the model of this archive" "$ETALON" emit "$scratch/mixed/archive.h5" -m "$scratch/other.onnx" -o "$scratch/x"
"$PYTHON" - "$scratch/many.onnx" <<'MANY' || fail "a network of many inputs"
import sys
import onnx
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])
names = [f"x{i}" for i in range(40)]
node = helper.make_node("Concat", names, ["y"], axis=1)
graph = helper.make_graph([node], "g", [value(name) for name in names], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 120])])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), sys.argv[1])
MANY
expect 69 "the network has 40 inputs, at most 16 are fed" "$ETALON" emit "$scratch/mixed/archive.h5" -m "$scratch/many.onnx" -o "$scratch/x"
[ ! -e "$scratch/x/manifest.json" ] || fail "a refused emit has left results"
of_model=("$ETALON" emit "$scratch/mixed/archive.h5" -o "$scratch/x" -m)
expect 66 "rank 1: " timeout 120 mpirun --oversubscribe --bind-to none -n 1 "${of_model[@]}" "$demo/demo.onnx" : \
  -n 1 "${of_model[@]}" "$scratch/nowhere.onnx"
[ ! -e "$scratch/x" ] || fail "a rank without the model: a folder was left"
echo "ok: another model, other data and statistics that are not there are refused, on one rank of two as well"

# --- one channel: a value has one scale then, channels or not
if [ -d "$data" ]; then
  cat >"$scratch/digits.yaml" <<JOB
model: {file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}
dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 16}
preprocess: [{scale: 0.00390625}]
calibration: {granularity: per-channel, bias_correction: analytic}
targets: [tnn]
output: digits
JOB
  "$ETALON" calibrate -q "$scratch/digits.yaml" >/dev/null || fail "digits: calibrate"
  "$ETALON" emit "$scratch/digits/archive.h5" -m "$data/lenet/lenet_train_test.prototxt" \
    -w "$data/lenet/lenet_iter_10000.caffemodel" -o "$scratch/digits.again" >/dev/null || fail "digits: emit"
  diff -r "$scratch/digits/tnn" "$scratch/digits.again/tnn" || fail "an archive of gray pictures gives another model"
  echo "ok: a value of one channel"
fi

# --- an old archive: decisions as they are, or by any method that is there now; no data, no inference
old() { "$ETALON" emit -q "$SOURCE/tests/golden/archive_v1.h5" -m "$SOURCE/tests/golden/archive_v1.onnx" -o "$@"; }
old "$scratch/old" >/dev/null || fail "an archive of format version 1"
"$ETALON" compare "$SOURCE/tests/golden/archive_v1.h5" "$scratch/old" --fail-above 0 --gate statistics=0 >/dev/null ||
  fail "an archive of format version 1 gives other decisions or statistics"
while read -r kind method reads _; do
  new=("$scratch/old" --force --set calibration.bias_correction=analytic --set "calibration.$kind=$method")
  if [ "$reads" = records ]; then # what it wants to know was not asked for
    expect 69 "\"$method\" wants to know more than histograms" old "${new[@]}"
  else
    old "${new[@]}" >/dev/null || fail "$kind $method from an old archive"
  fi
done < <("$ETALON" methods)
expect 69 "bias_correction: simulated needs the calibration data" old "$scratch/data-bound" --set calibration.weights=maxabs
expect 69 "rounding: output needs the calibration data" old "$scratch/data-bound" --set calibration.rounding=output \
  --set calibration.bias_correction=analytic
echo "ok: $("$ETALON" methods | wc -l) methods on an archive of format version 1"

# --- 9 MB of weights, more than a SqueezeNet: seconds of one processor, which a busy machine does not lengthen much
if "$PYTHON" -c 'import onnx' 2>/dev/null; then
  "$PYTHON" "$SOURCE/tests/random_networks.py" shufflenetv2 "$scratch/net.onnx" >/dev/null || fail "a random network"
  head -c $((8 * 3 * 224 * 224)) <(cat "$ETALON" "$ETALON") >"$scratch/records.bin"
  cat >"$scratch/net.yaml" <<JOB
model: {file: net.onnx}
dataset: {kind: bin, path: records.bin, dtype: uint8}
preprocess: [{divide: 64}]
targets: [onnx-qdq, tnn]
evaluate: {skip: true}
output: net
JOB
  "$ETALON" calibrate -q "$scratch/net.yaml" >/dev/null || fail "a network of 9 MB: calibrate"
  TIMEFORMAT='%U %S'
  { time "$ETALON" emit -q "$scratch/net/archive.h5" -m "$scratch/net.onnx" -o "$scratch/net.again" >/dev/null; } \
    2>"$scratch/time" || { cat "$scratch/time" >&2; fail "a network of 9 MB: emit"; }
  diff -r "$scratch/net/onnx-qdq" "$scratch/net.again/onnx-qdq" && diff -r "$scratch/net/tnn" "$scratch/net.again/tnn" ||
    fail "a network of 9 MB: other models"
  read -r user system <"$scratch/time"
  [ "${SANITIZED:-0}" = 1 ] || awk "BEGIN {exit !($user + $system < 2)}" || fail "emit took $user + $system s"
  echo "ok: emit of $(($(stat -c %s "$scratch/net.onnx") / 1000000)) MB took $user s, and $system s of the system"
fi
