#!/usr/bin/env bash
# The same pictures in every container give the same statistics, accuracies and models; each container the same bits for
# any number of ranks.
. "$(dirname "$0")/lib.sh"
need_python onnx
need_python PIL
need_python h5py
"$PYTHON" "$here/sources.py" "$scratch" 23 >"$scratch/sources" || fail "the containers"

# calibrate RANKS DATASET OUTPUT
calibrate() {
  printf 'model: {file: small.onnx}\ndataset: %s\npreprocess: [{channels: rgb}, {mean: 100}, {divide: 64}]\n%s\noutput: %s\n' \
    "$2" 'targets: [onnx-qdq]
calibration: {block: 3}' "$3" >"$scratch/job.yaml"
  ranks "$1" "$ETALON" calibrate -q "$scratch/job.yaml" >/dev/null </dev/null
}

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
[ $n -gt 5 ] || fail "only $n sources"
echo "ok: $n sources"
