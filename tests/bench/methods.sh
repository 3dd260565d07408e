#!/usr/bin/env bash
# Accuracy of every activation method: network x target and granularity x method, as tables in Markdown on stdout.
# 64 calibration images, evenly spaced over the calibration list; agreement with fp32 and what top-1 loses on the
# evaluation set, +- its standard error, of records that only one of the two gets right. Takes minutes: an evaluation each.
#
#   tests/bench/methods.sh [-e ETALON] [-d DATA] [-j THREADS] [-g "GRANULARITY..."] [-n "NETWORK..."] [METHOD...]
#
# By default every granularity, every network and every method of `etalon methods`.
set -euo pipefail
granularities="mixed per-tensor per-channel" networks="resnet20 mobilenet025 lenet"
declare -A option_of=([g]=granularities [n]=networks)
. "$(dirname "$0")/real.sh"
methods=("$@")
[ $# -gt 0 ] || mapfile -t methods < <("$etalon" methods | awk '$1 == "activations" && $2 != "given" {print $2}')

sed 's/.* //' "$data/cifar10/evaluation.txt" >"$scratch/cifar.labels"
for network in resnet20 mobilenet025; do
  { cifar $network && echo "evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt}}"; } \
    >"$scratch/$network.yaml"
done
cat >"$scratch/lenet.yaml" <<JOB
model: {file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}
dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: 64}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb}}
preprocess: [{scale: 0.00390625}]
JOB

# loss TARGET: what top-1 loses there and its standard error, from the choices and labels in $scratch.
loss() {
  paste -d' ' <(tail -n +2 "$scratch/choices") "$scratch/$labels.labels" |
    awk -v column="$1" '{n++; b += $2 == $NF && $column != $NF; c += $2 != $NF && $column == $NF}
      END {d = (b - c) / n; printf "%+.2f ± %.2f", 100 * -d, 100 * sqrt((b + c) / n - d * d) / sqrt(n)}'
}

# The targets that a granularity is shown on: scales per channel of activations exist on one only.
declare -A targets=([mixed]="onnx-qdq tnn" [per-tensor]="onnx-qdq tnn" [per-channel]="tnn")

# cells NETWORK GRANULARITY METHOD: " agreement, loss |" of each target
cells() {
  local column=3 target
  "$etalon" evaluate --json -q "$scratch/$1.yaml" --choices "$scratch/choices" --force --set "engine.threads=$threads" \
    --set "calibration.granularity=$2" --set "calibration.activations=$3" --set "output=$scratch/$1-$2" \
    --set "targets=[${targets[$2]// /, }]" >"$scratch/report.json"
  for target in ${targets[$2]}; do
    printf ' %.2f, %s |' "$(jq ".targets[\"$target\"].agreement" "$scratch/report.json")" "$(loss $column)"
    column=$((column + 1))
  done
}

for network in $networks; do
  printf 'targets: [onnx-qdq, tnn]\noutput: out\n' >>"$scratch/$network.yaml"
  for granularity in $granularities; do # per-tensor weights are equalized before anything is measured: their own statistics
    "$etalon" calibrate -q "$scratch/$network.yaml" --set evaluate.skip=true --set "calibration.granularity=$granularity" \
      --set "engine.threads=$threads" --set "output=$scratch/$network-$granularity" >/dev/null
  done
  labels=cifar
  if [ "$network" = lenet ]; then # no list of labels: fp32 stands for them, so the loss is what disagrees
    labels=fp32
    "$etalon" evaluate -q "$scratch/$network.yaml" --choices "$scratch/choices" --force --set "output=$scratch/$network-fp32" >/dev/null
    tail -n +2 "$scratch/choices" | awk '{print $2}' >"$scratch/fp32.labels"
  fi
  printf '\n%s: agreement %%, change of top-1 in points\n\n' "$network"
  header='| method |' rule='|---|'
  for granularity in $granularities; do
    for target in ${targets[$granularity]}; do header+=" $target, $granularity |" rule+='---|'; done
  done
  printf '%s\n%s\n' "$header" "$rule"
  for method in "${methods[@]}"; do
    line="| $method |"
    for granularity in $granularities; do line+=$(cells $network $granularity "$method"); done
    echo "$line"
  done
done
