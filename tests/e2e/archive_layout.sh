#!/usr/bin/env bash
# The archive's layout is what the manual says, dataset by dataset, for readers that know nothing of us: h5py and h5dump
# find every documented dataset in one archive or another, and none that is not documented.
. "$(dirname "$0")/lib.sh"
need_python h5py
need_tool h5dump

draw 10 4
echo cut >"$scratch/pictures/calibration/cut.jpg"
echo "calibration/cut.jpg 0" >>"$scratch/pictures/calibration.txt"
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n "$(sized 40000 4000)" >"$scratch/pictures/long.txt"
demo_job plain 'limits: {max_bad_records: 1}\ntargets: [onnx-qdq, tnn]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job tensor 'limits: {max_bad_records: 1}\ntargets: [tnn]\ncalibration: {granularity: per-tensor, activations: isotone, weights: grid-output}\nevaluate: {skip: true}'
demo_job beside 'limits: {max_bad_records: 1}\ntargets: [tnn, sophon-bm1684]\nevaluate: {skip: true}'
demo_job twice 'limits: {max_bad_records: 1}
calibration: {passes: two, activations: kl-tnn, weights: admm, granularity: per-channel}
target_options: {tnn: {mode: tool-exact}}\ntargets: [tnn]\nevaluate: {skip: true}'
demo_job stable 'limits: {max_bad_records: 1}\ntargets: ["null"]\ncalibration: {stop_when_stable: 0.5}\nevaluate: {skip: true}'
demo_job stopped 'targets: ["null"]\ncalibration: {granularity: per-channel}\nevaluate: {skip: true}\ncheckpoint: {interval: 1}'
sed -i 's|pictures/calibration.txt|pictures/long.txt|' "$scratch/stopped.yaml"
demo_job refined 'targets: [tnn]\nevaluate: {skip: true}\ncheckpoint: {interval: 1}\ncalibration: {activations: minmax, refine: 1}'
head -n "$(sized 1500 300)" "$scratch/pictures/long.txt" >"$scratch/pictures/short.txt"
sed -i 's|pictures/calibration.txt|pictures/short.txt|' "$scratch/refined.yaml"
for job in plain tensor beside twice stable; do
  "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job"
done
"$ETALON" merge -q "$scratch/plain" -o "$scratch/merged.h5" >/dev/null || fail "merge"

# stopped JOB NAME [MPIRUN...]: while it has a checkpoint of such a name
stopped() {
  "${@:3}" "$ETALON" calibrate -q "$scratch/$1.yaml" >/dev/null 2>&1 & run=$!
  wait_for 60 eval "find '$scratch/$1/checkpoint' -name '$2' | grep -q ."
  kill -USR1 $run
  wait $run || true
}
stopped stopped '?.h5' mpirun --oversubscribe --bind-to none -n 2 # an index and shards
stopped refined 'refine*.h5'

check() { "$PYTHON" "$here/check_layout.py" "$@"; }
archives=("$scratch"/{plain,tensor,beside,twice,stable}/archive.h5 "$scratch/merged.h5" "$(ls "$scratch"/stopped/checkpoint/?.h5 | head -n 1)"
  "$(ls "$scratch"/stopped/checkpoint/?.1.h5 | head -n 1)" "$(ls "$scratch"/refined/checkpoint/refine*.h5 | head -n 1)")
check "$SOURCE/jobs/doc/archive.md" "${archives[@]}" || fail "the layout"

# The check itself: a dataset too many, a row too many, another unit are found.
for change in 's/^| `records\/key`.*//' 's/^| `job` .*/&\n| `jobs` | [bytes] u8 | | always | nothing |/' 's/`blocks` |/`dozens` |/' \
  's/^| `probe` .*//' 's/^| `nans` |.*/| `nans` | [rows] u32 | `elements` | |/'; do
  sed "$change" "$SOURCE/jobs/doc/archive.md" >"$scratch/other.md"
  ! check "$scratch/other.md" "${archives[@]}" >/dev/null 2>&1 || fail "nobody saw: $change"
done
echo "ok: other manuals are refused"
