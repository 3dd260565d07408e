#!/usr/bin/env bash
# The same bits for any number of ranks and threads, also when ranks stand still at random moments. (demo.sh says the
# same of the demo's network; here are the real ones.)
. "$(dirname "$0")/lib.sh"
need_data

# job NAME MODEL DATASET PREPROCESS
job() {
  printf 'model: %s\ndataset: %s\npreprocess: %s\ntargets: [onnx-qdq, tnn]\noutput: plain\n' "$2" "$3" "$4" \
    >"$scratch/$1.yaml"
}
images="kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt"
job resnet20 "{file: $data/resnet20/resnet20_opset13.onnx}" "{$images, limit: $(sized 200 24)}" \
  '[{divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]'
job mobilenet025 "{file: $data/mobilenet025/mobilenet025_cifar10_opset13.onnx}" "{$images, limit: $(sized 30 9)}" \
  '[{resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]'
job lenet "{file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}" \
  "{kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $(sized 300 60)}" '[{scale: 0.00390625}]'

# calibrate NETWORK RANKS [SETTINGS...]: into $scratch/again
calibrate() {
  local network=$1 n=$2; shift 2
  rm -rf "$scratch/again"
  ranks "$n" "$ETALON" calibrate -q "$scratch/$network.yaml" --set output=again "$@" >/dev/null ||
    fail "$network: $n ranks $*"
}

# same NETWORK WHAT: compares $scratch/again with the plain start
same() {
  [ "$(bits "$scratch/again")" = "$(bits "$scratch/plain")" ] ||
    { diff -rq "$scratch/again" "$scratch/plain" >&2; fail "$1: other bits with $2"; }
  echo "ok: $1: the same bits, $2"
}

# standing_still SEED: calibrates on three ranks, of which now one and now another is stopped for some tenths of a second.
standing_still() {
  local launcher pids stops=0
  RANDOM=$1
  rm -rf "$scratch/again"
  mpirun --oversubscribe --bind-to none -n 3 "$ETALON" calibrate -q "$scratch/resnet20.yaml" --set output=again >/dev/null &
  launcher=$!
  while kill -0 $launcher 2>/dev/null; do
    sleep "0.$((RANDOM % 3))"
    mapfile -t pids < <(ranks_of $launcher)
    [ ${#pids[@]} -eq 3 ] || continue
    local pid=${pids[RANDOM % 3]}
    kill -STOP "$pid" 2>/dev/null || continue
    sleep "0.$((RANDOM % 6 + 1))"
    kill -CONT "$pid" 2>/dev/null || true
    stops=$((stops + 1))
  done
  wait $launcher || fail "ranks that stand still, seed $1"
  [ $stops -ge 2 ] || fail "the run ended after $stops stops: too short to prove anything"
  echo "stopped ranks $stops times, seed $1"
}

for network in lenet mobilenet025 resnet20; do
  rm -rf "$scratch/plain"
  "$ETALON" calibrate -q "$scratch/$network.yaml" >/dev/null || fail "$network"
  [ -s "$scratch/plain/manifest.json" ] || fail "$network: no manifest"
  calibrate $network 3 --set engine.threads=2
  same $network "3 ranks of 2 threads"
done
for n in 1 2 5; do
  calibrate resnet20 $n
  same resnet20 "$n ranks"
done
calibrate resnet20 0 --set engine.threads=2
same resnet20 "2 threads"
calibrate resnet20 2 --set engine.decode_threads=3 --set engine.prefetch=1
same resnet20 "2 ranks of 3 decoding threads"
# One scale a tensor: the network is equalized, and codes are dealt out to ranks by layer.
rm -rf "$scratch/plain"
"$ETALON" calibrate -q "$scratch/resnet20.yaml" --set calibration.granularity=per-tensor >/dev/null || fail "per-tensor"
for n in 3 5; do
  calibrate resnet20 $n --set calibration.granularity=per-tensor
  same resnet20 "per-tensor, $n ranks"
done
rm -rf "$scratch/plain"
"$ETALON" calibrate -q "$scratch/resnet20.yaml" >/dev/null || fail "resnet20"
standing_still ${SEED:-$((RANDOM * 32768 + RANDOM))}
same resnet20 "ranks that stand still"

# One record, five ranks: four have nothing to do but to join in.
rm -rf "$scratch/plain"
"$ETALON" calibrate -q "$scratch/lenet.yaml" --set dataset.limit=1 >/dev/null || fail "one record"
calibrate lenet 5 --set dataset.limit=1
same lenet "one record on 5 ranks"
