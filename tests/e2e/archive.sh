#!/usr/bin/env bash
# The archive: h5py reads it as the manual describes it, and accuracy measured from it is that of the run.
. "$(dirname "$0")/lib.sh"
need_python h5py

draw "$(sized 200 40)" "$(sized 100 20)"
head -c 300 "$scratch/pictures/calibration/disc/0001.jpg" >"$scratch/cut"
mv "$scratch/cut" "$scratch/pictures/calibration/disc/0001.jpg"
demo_job mixed 'targets: [onnx-qdq, tnn]\nlimits: {max_bad_records: 1}
evaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job channels 'targets: [onnx-qdq]\nlimits: {max_bad_records: 2}\ncalibration: {granularity: per-channel, bins: 1024}'

demo_job tensor 'targets: [tnn]\nlimits: {max_bad_records: 1}\ncalibration: {granularity: per-tensor}' # equalized

for job in mixed channels tensor; do
  ranks 2 "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job: calibrate"
  "$PYTHON" "$here/check_archive.py" "$scratch/$job" $((3 * 32 * 32)) || fail "$job"
  for n in 0 3; do
    expect 0 "statistics come from" ranks $n "$ETALON" evaluate --json "$scratch/$job.yaml"
    "$PYTHON" - "$scratch/$job/report.json" "$scratch/stdout" <<'CHECK' || fail "$job: other numbers from the archive"
import json, sys
run, archive = (json.load(open(path)) for path in sys.argv[1:])
for report in (run, archive):
    for target in report["targets"].values():
        target.pop("files")  # of the run only
sys.exit(run != archive)
CHECK
  done
  echo "ok: $job: evaluate finds the run's numbers from its archive"
done

# Another method from the same statistics; another model from none of them.
expect 0 "statistics come from" "$ETALON" evaluate --json "$scratch/mixed.yaml" --set calibration.activations=minmax
grep -q '"method": "minmax"' "$scratch/stdout" || fail "expected min-max decisions"
expect 0 "" "$ETALON" evaluate "$scratch/mixed.yaml" --set calibration.block=4
! grep -q "statistics come from" "$scratch/stderr" || fail "statistics of another block size were taken"

# A flipped or a missing byte is never another number.
size=$(stat -c %s "$scratch/mixed/archive.h5")
for i in 1 2 3 4 5 6 7 8; do
  cp "$scratch/mixed/archive.h5" "$scratch/flipped.h5"
  at=$((size * i / 9))
  byte=$(od -An -tu1 -j $at -N 1 "$scratch/flipped.h5")
  printf "\\x$(printf %x $((byte ^ 16)))" | dd of="$scratch/flipped.h5" bs=1 seek=$at conv=notrunc status=none
  rc=0
  "$ETALON" inspect "$scratch/flipped.h5" >"$scratch/flipped.txt" 2>"$scratch/stderr" || rc=$?
  "$ETALON" inspect "$scratch/mixed/archive.h5" >"$scratch/whole.txt"
  [ $rc -eq 65 ] || { [ $rc -eq 0 ] && cmp "$scratch/flipped.txt" "$scratch/whole.txt"; } || fail "byte $at flipped: exit $rc"
done
head -c $((size / 2)) "$scratch/mixed/archive.h5" >"$scratch/half.h5"
expect 65 "half.h5" "$ETALON" inspect "$scratch/half.h5"
echo "ok: damaged archives are refused"
