#!/usr/bin/env bash
# Peak memory does not grow with the number of images: ten times the images cost at most 5 % more.
. "$(dirname "$0")/lib.sh"
[ "${SANITIZED:-0}" = 0 ] || skip "sanitizers keep what was freed"
need_tool python3

# peak COMMAND...: KiB resident at most.
peak() {
  python3 -c '
import resource, subprocess, sys
rc = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(rc)' "$@"
}

# grows_not NAME [SETTINGS...]: 100 and 1,000 images of $scratch/NAME.yaml
grows_not() {
  local name=$1 few many; shift
  few=$(peak "$ETALON" calibrate -q "$scratch/$name.yaml" --force --set dataset.limit=100 "$@") || fail "$name"
  for _ in 1 2 3; do # memory that grows does so every time; on a busy machine how threads meet costs some megabytes now and then
    many=$(peak "$ETALON" calibrate -q "$scratch/$name.yaml" --force --set dataset.limit=1000 "$@") || fail "$name"
    [ "$many" -gt $((few + few / 20)) ] || break
  done
  [ "$many" -le $((few + few / 20)) ] || fail "$name $*: $few KiB with 100 images, $many KiB with 1,000"
  echo "ok: $name $*: $few KiB with 100 images, $many KiB with 1,000"
}

draw 1000 0
demo_job demo
grows_not demo --set 'evaluate={skip: true}'
grows_not demo --set 'evaluate={skip: true}' --set engine.threads=2
grows_not demo # evaluates on the same images

# Pages of a mapped LMDB are this process's memory while it holds them: 1,000 records of 150 KB, 150 MB.
"$ETALON" dataset build -q "$scratch/pictures" "$scratch/pictures/calibration.txt" "$scratch/large_lmdb" \
  --resize_height 224 --resize_width 224 >/dev/null || fail "dataset build"
demo_job lmdb
sed -i 's|^dataset: .*|dataset: {kind: lmdb, path: large_lmdb}|; s|^preprocess: \[|&{resize: {height: 32, width: 32, filter: bilinear}}, |' \
  "$scratch/lmdb.yaml"
grows_not lmdb --set 'evaluate={skip: true}'

if [ -d "$data" ]; then
  cat >"$scratch/resnet20.yaml" <<JOB
model: {file: $data/resnet20/resnet20_opset13.onnx}
dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt}
preprocess: [{divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]
targets: [onnx-qdq, tnn]
output: resnet20
JOB
  grows_not resnet20 --set 'evaluate={skip: true}'
  grows_not resnet20
fi
