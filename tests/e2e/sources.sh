#!/usr/bin/env bash
# The same pictures in every container give the same statistics, accuracies and models; each container the same bits for
# any number of ranks.
. "$(dirname "$0")/lib.sh"
need_python onnx
need_python PIL
need_python h5py
need_python lmdb
"$PYTHON" "$here/sources.py" "$scratch" 23 >"$scratch/sources" || fail "the containers"

# calibrate RANKS DATASET OUTPUT
calibrate() {
  printf 'model: {file: small.onnx}\ndataset: %s\npreprocess: [{channels: rgb}, {mean: 100}, {divide: 64}]\n%s\noutput: %s\n' \
    "$2" 'targets: [onnx-qdq]
calibration: {block: 3}' "$3" >"$scratch/job.yaml"
  ranks "$1" "$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null </dev/null
}

# Reading leaves a LevelDB as it was, byte for byte, and nothing behind.
digest() { (cd "$scratch" && find . -path './*_leveldb/*' -type f -print0 | sort -z | xargs -0 sha256sum); }
digest >"$scratch/before"
export TMPDIR=$scratch/temporary
mkdir "$TMPDIR"
n=0 seen=
while IFS=$'\t' read -r name dataset; do
  counts="0 2 3 5"
  if [[ $seen == *" ${name%% *} "* ]]; then counts=0; fi # another variant of a kind: its bytes are what is new
  seen+=" ${name%% *} "
  for ranks in $counts; do
    rm -rf "$scratch/again"
    calibrate $ranks "$dataset" again || fail "$name, $ranks ranks"
    if [ $ranks -eq 0 ]; then
      rm -rf "$scratch/plain"
      mv "$scratch/again" "$scratch/plain"
      [ -d "$scratch/first" ] || cp -r "$scratch/plain" "$scratch/first"
      "$PYTHON" "$here/check_sources.py" "$scratch/first" "$scratch/plain" || fail "$name: other results than PNG files"
    elif [ "$(bits "$scratch/again")" != "$(bits "$scratch/plain")" ]; then
      fail "$name: other bits with $ranks ranks"
    elif [ "${SANITIZED:-0}" = 1 ]; then
      break
    fi
  done
  n=$((n + 1))
done <"$scratch/sources"
"$PYTHON" -c 'import json, sys; assert json.load(open(sys.argv[1]))["fp32"]["top1"] is not None' "$scratch/first/report.json" ||
  fail "the labels did not arrive"
[ $n -gt 25 ] || fail "only $n sources"
calibrate 0 '{kind: images, path: turned, orientation: exif}' turned_out &&
  calibrate 0 '{kind: images, path: upright}' upright_out || fail "orientations"
"$PYTHON" "$here/check_sources.py" "$scratch/turned_out" "$scratch/upright_out" || fail "orientations: other results than PIL"
expect 65 '5.jpg: expected 3x6x5, found 3x5x6' "$ETALON" calibrate -q "$scratch/job.yaml" --set dataset='{kind: images, path: turned}' --set output=again
digest | cmp - "$scratch/before" || fail "a LevelDB was written to"
[ -z "$(ls "$TMPDIR" | grep etalon)" ] || fail "links were left behind: $(ls "$TMPDIR")"
echo "ok: $n sources"
