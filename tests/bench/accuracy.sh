#!/usr/bin/env bash
# Prints network x target: top-1 of fp32 and int8, agreement and SQNR, for every real network beside the checkout and every
# target that the program knows. Whatever fails says why.
#
#   tests/bench/accuracy.sh [CALIBRATION EVALUATION [NETWORK...]]      records, default 1000 2000
set -euo pipefail
top=$(realpath "$(dirname "$0")/../..")
etalon=${ETALON:-$top/build/release/etalon} data=$top/../shared/data
calibration=${1:-1000} evaluation=${2:-2000}
wanted=("${@:3}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
targets=$("$etalon" targets | awk '$1 != "null" && /^[a-z]/ {print $1}' | paste -sd,)

cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $calibration}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $evaluation}}
preprocess:"
resnet="$cifar [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]"
mobilenet="$cifar [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]"
faces="$cifar [{channels: rgb}, {resize: {height: 240, width: 320, filter: bilinear}}, {mean: 127}, {divide: 128}]"
digits="dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $calibration}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $evaluation}}
preprocess: [{scale: 0.00390625}]"

# network NAME MODEL JOB
network() {
  [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]] || return 0
  printf 'model: %s\noutput: %s\ntargets: [%s]\n%s\n' "$2" "$scratch/out" "$targets" "$3" >"$scratch/job.yaml"
  echo
  echo "$1"
  # The five worst layers of each target are left out; a target that cannot express the network is a line, not an end.
  { "$etalon" evaluate -q "$scratch/job.yaml" 2>"$scratch/stderr" || cat "$scratch/stderr"; } |
    awk '/where it is lost/ {exit} NF && !/calibration records used|^thresholds moved/'
}

network lenet "{file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}" "$digits"
network resnet20 "{file: $data/resnet20/resnet20_opset13.onnx}" "$resnet"
network mobilenet025 "{file: $data/mobilenet025/mobilenet025_cifar10_opset13.onnx}" "$mobilenet"
network mnet "{file: $data/tensorflow/mnet.pb}" "$mobilenet"
network rfb320 "{file: $data/ultraface/version-RFB-320_simplified.onnx}" "$faces"
network slim320 "{file: $data/ultraface/version-slim-320_simplified.onnx}" "$faces"
network tnn_tiny "{file: $data/tnn_golden/tiny_v1.tnnproto, weights: $data/tnn_golden/tiny_v1.tnnmodel}" "$resnet"
