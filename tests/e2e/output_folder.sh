#!/usr/bin/env bash
# The output folder: one run at a time, finished means finished, nothing is written where nothing can be, and a closed
# pipe ends quietly.
. "$(dirname "$0")/lib.sh"
chmod 755 "$scratch" # another user looks in below

draw 10 0
{ yes "calibration/disc/0000.jpg 0" || true; } | head -n 600000 >"$scratch/list.txt"
job() { # job RECORDS [KEYS]
  demo_job job "${2:-}"
  sed -i "s|list: pictures/calibration.txt|list: list.txt, limit: $1|; s|^output: .*|output: out|" "$scratch/job.yaml"
}
calibrate() { "$ETALON" calibrate "$scratch/job.yaml" "$@"; }
wrong() { echo "FAILED: $1" >&2; sed 's/^/  /' "$scratch/stderr" >&2; exit 1; }

# --- two runs on one folder; what a killed run leaves behind stops nobody
job 0
"$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null 2>&1 & first=$!
wait_for 20 test -s "$scratch/out/.etalon.lock"
expect 73 "in use by pid $first on " calibrate -q
expect 73 "in use by pid $first on " ranks 2 "$ETALON" calibrate -q "$scratch/job.yaml"
kill -0 $first || fail "the first run has suffered from the second"
kill -KILL $first
wait $first 2>/dev/null && fail "a killed run cannot have succeeded"
[ -e "$scratch/out/.etalon.lock" ] || fail "expected the lock of the killed run"
: >"$scratch/out/.archive.h5.0.$first.tmp"
job 16
calibrate -q >/dev/null || fail "a stale lock must be taken over"
[ -z "$(find "$scratch/out" -name '.*')" ] || fail "left behind: $(find "$scratch/out" -name '.*')"
echo "ok: a second run is refused, a dead one's lock is taken over"

# --- a finished folder
before=$(bits "$scratch/out")
expect 0 "is finished with the same model, dataset and job" calibrate
[ "$(bits "$scratch/out")" = "$before" ] || fail "a run with nothing to do has written"
for gone in tnn archive.h5; do
  rm -r "${scratch:?}/out/$gone"
  expect 0 "is gone, so this job is not finished" calibrate
  [ "$(bits "$scratch/out")" = "$before" ] || fail "$gone was not made again as it was"
done
job 16 'targets: [onnx-qdq]\ncalibration: {activations: minmax}'
expect 73 "use --force" calibrate
expect 73 "use --force" ranks 2 "$ETALON" calibrate "$scratch/job.yaml"
[ "$(bits "$scratch/out")" = "$before" ] || fail "a refused run has written"
calibrate -q --force >/dev/null || fail "--force"
[ "$(bits "$scratch/out")" != "$before" ] || fail "--force has replaced nothing"
[ ! -e "$scratch/out/tnn" ] || fail "the files of a target that is no longer asked for have stayed"
forced=$(bits "$scratch/out")
rm -r "$scratch/out"
calibrate -q >/dev/null
[ "$(bits "$scratch/out")" = "$forced" ] || fail "a replaced folder differs from a fresh one"
echo 'no manifest' >"$scratch/out/manifest.json"
expect 65 "no manifest of ours" calibrate --force
rm -r "$scratch/out"
echo "ok: finished folders are kept, refused, or replaced as a whole"

# --- a target that fails alone: the others are written, and the exit code stays what it was
dilated=/usr/share/libonnx-testdata/data/node/test_maxpool_2d_dilations/model.onnx # TNN has no such pool
if [ -e "$dilated" ]; then
  job 16
  sed -i "s|^model: .*|model: {file: $dilated}|
    s|^preprocess: .*|preprocess: [{channels: gray}, {resize: {height: 4, width: 4, filter: bilinear}}]|" "$scratch/job.yaml"
  for run in first again; do
    expect 69 "target tnn: node \"MaxPool_0\" (MaxPool)" calibrate -q
    [ -s "$scratch/out/onnx-qdq/model.onnx" ] || fail "$run run: the target that works was not written"
    [ ! -e "$scratch/out/tnn" ] || fail "the target that failed has left files"
  done
  grep -q '"error": "node' "$scratch/out/report.json" || fail "report.json does not name the failure"
  rm -r "$scratch/out"
  echo "ok: a target that fails alone"
else
  echo "skipped in part: libonnx-testdata is absent, so no target that fails alone was tried"
fi

# --- folders that cannot be written: known before the first record is read (reading 600,000 would take minutes)
job 0
: >"$scratch/file"
sed -i 's|^output: .*|output: file/out|' "$scratch/job.yaml"
expect 73 "file/out" timeout 20 "$ETALON" calibrate "$scratch/job.yaml"
sed -i 's|^output: .*|output: locked/out|' "$scratch/job.yaml"
mkdir "$scratch/locked"; chmod 555 "$scratch/locked"
if [ "$(id -u)" -eq 0 ]; then nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups); else nobody=(); fi
if "${nobody[@]}" test -x "$ETALON" -a -r "$demo/demo.onnx"; then
  expect 73 "Permission denied" "${nobody[@]}" timeout 20 "$ETALON" calibrate "$scratch/job.yaml"
  mkdir "$scratch/locked/out"; chmod 555 "$scratch/locked/out"
  expect 73 "cannot be written: Permission denied" "${nobody[@]}" timeout 20 "$ETALON" calibrate "$scratch/job.yaml"
  echo "ok: read-only folders are refused at once"
else
  echo "skipped in part: another user cannot read this checkout, so read-only folders were not tried"
fi

# --- a full disk, at whatever file it fills up
job 16
calibrate -q >/dev/null
if unshare --mount true 2>/dev/null; then
  mkdir "$scratch/small"
  pages=$(find "$scratch/out" -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) } END { print n }')
  for size in $((pages / 10)) $((pages / 2)) $((pages * 3 / 4)) $((pages - 8)) $((pages - 1)); do
    expect 74 "No space left" unshare --mount bash -c '
      mount -t tmpfs -o "size=$((4096 * $1))" tmpfs "$2/small" || exit 99
      "$3" calibrate -q "$2/job.yaml" --set "output=$2/small"; rc=$?
      [ ! -e "$2/small/manifest.json" ] && [ -z "$(find "$2/small" -name ".*")" ] || exit 98
      exit $rc' - $size "$scratch" "$ETALON"
    [ "$(wc -l <"$scratch/stderr")" -eq 1 ] || wrong "expected one message"
  done
  echo "ok: a full disk is exit 74: $(cat "$scratch/stderr")"
else
  echo "skipped in part: no mount namespaces, so a full disk was not tried"
fi

# --- a reader that closes the pipe
for file in "$demo/demo.onnx" "$scratch/out/archive.h5"; do
  rc=0
  "$ETALON" inspect "$file" 2>"$scratch/stderr" | head -n 1 >"$scratch/stdout" || rc=$?
  [ $rc -eq 74 ] || [ $rc -eq 0 ] || wrong "inspect | head ended with $rc"
  [ "$(wc -l <"$scratch/stderr")" -le 1 ] || wrong "expected at most one message"
  [ "$(wc -l <"$scratch/stdout")" -eq 1 ] || wrong "expected a first line"
done
for verb in "inspect $scratch/out/archive.h5" targets methods "calibrate --help" "evaluate --json $scratch/job.yaml"; do
  rc=0
  "$ETALON" $verb >/dev/full 2>"$scratch/stderr" || rc=$?
  [ $rc -eq 74 ] || wrong "$verb: results that cannot be written are exit 74, found $rc"
done
echo "ok: closed pipes and full devices end quietly"
