#!/usr/bin/env bash
# Prints network x target as a table: top-1 of fp32 and int8, agreement and SQNR, for every real network beside the checkout,
# the demo's networks, and every target that the program knows. Whatever fails says why in its row.
#
#   tests/bench/accuracy.sh [CALIBRATION EVALUATION [NETWORK...]]      records, default 100 200
#
# The standard error of a top-1 of 80 % on 200 records is 2.8 points, that of an agreement of 98 % 1.0: whoever needs less
# asks for more records. Networks without labels ("-") are compared with fp32; of the segmentation network the columns are
# mean IoU, of int8 against fp32 as its agreement, on a tenth of the records.
set -euo pipefail
top=$(realpath "$(dirname "$0")/../..")
etalon=${ETALON:-$top/build/release/etalon} data=$top/../shared/data demo=$top/jobs/demo
pictures=${DEMO_IMAGES:-$top/build/release/etalon-demo-images}
calibration=${1:-100} evaluation=${2:-200}
wanted=("${@:3}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
targets=$("$etalon" targets | awk '$1 != "null" && /^[a-z]/ {print $1}' | paste -sd,)

# One row a target, and one more where the vendor does not say how the chip rounds; a target that failed has its sentence
# instead of numbers.
rows='def number: if . == null then "-" else . * 100 | round / 100 | tostring end;
  .fp32 as $fp32 | def row($target): "| \($name) | \($target) | \($fp32 | (.top1 // .mean_iou) | number)" +
    " | \((.top1 // .mean_iou) | number) | \((.fp32_mean_iou // .agreement) | number) | \(.sqnr_db | number) |";
  .targets | to_entries[] | .key as $target | .value |
  if .error then "| \($name) | \($target) | \(.error) |" else row($target), (.variants[] | row("\($target), if \(.name)")) end'

# network NAME MODEL JOB
network() {
  [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]] || return 0
  local rc=0
  printf 'model: %s\noutput: %s\ntargets: [%s]\n%s\n' "$2" "$scratch/out" "$targets" "$3" >"$scratch/job.yaml"
  # 69: one or more targets cannot express the network, which their rows say.
  "$etalon" evaluate -q --json "$scratch/job.yaml" >"$scratch/report.json" 2>"$scratch/stderr" || rc=$?
  if [ "$rc" -eq 0 ] || [ "$rc" -eq 69 ]; then jq -r --arg name "$1" "$rows" "$scratch/report.json"
  else echo "| $1 | $(tr '\n' ' ' <"$scratch/stderr") |"; fi
}

cifar="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $calibration}
evaluate: {dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/evaluation.txt, limit: $evaluation}}
preprocess:"
resnet="$cifar [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]"
mobilenet="$cifar [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]"
unlabelled="dataset: {kind: images, path: $data/cifar10, list: $data/cifar10/calibration.txt, limit: $calibration}
evaluate: {dataset: {kind: images, path: $data/cifar10/evaluation, limit: $evaluation}}
preprocess:"
backbone="$unlabelled [{channels: rgb}, {resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}]"
faces="$unlabelled [{channels: rgb}, {resize: {height: 240, width: 320, filter: bilinear}}, {mean: 127}, {divide: 128}]"
tiny="$unlabelled [{channels: rgb}, {divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}]"
digits="dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $calibration}
evaluate: {dataset: {kind: lmdb, path: $data/lmdb/mnist_test1000_lmdb, limit: $evaluation}}
preprocess: [{scale: 0.00390625}]"
drawn="dataset: {kind: images, path: $scratch/drawn, list: $scratch/drawn/calibration.txt}
evaluate: {dataset: {kind: images, path: $scratch/drawn, list: $scratch/drawn/evaluation.txt}}
preprocess: [{channels: rgb}, {mean: 127.5}, {divide: 64}]"
scenes="dataset: {kind: images, path: $scratch/drawn/scenes/calibration/pictures}
evaluate:
  dataset: {kind: images, path: $scratch/drawn/scenes/evaluation/pictures}
  segmentation: {labels: {kind: images, path: $scratch/drawn/scenes/evaluation/labels}, classes: {0: 0, 50: 1, 100: 2, 150: 3, 200: 4}}
calibration: {block: 1}
preprocess: [{channels: rgb}, {mean: 127.5}, {divide: 64}]"

few() { echo $((($1 + 9) / 10)); }
"$pictures" --out "$scratch/drawn" --calibration "$calibration" --evaluation "$evaluation"
"$pictures" --out "$scratch/drawn" --scenes --calibration "$(few "$calibration")" --evaluation "$(few "$evaluation")"

echo "$calibration records for calibration, $evaluation for evaluation"
echo
echo "| network | target | fp32 top-1 | int8 top-1 | agreement | SQNR dB |"
echo "|---|---|---|---|---|---|"
network demo "{file: $demo/demo.onnx}" "$drawn"
network segmentation "{file: $demo/segmentation.onnx}" "$scenes"
network lenet "{file: $data/lenet/lenet_train_test.prototxt, weights: $data/lenet/lenet_iter_10000.caffemodel, inputs: {data: [1, 1, 28, 28]}}" "$digits"
network resnet20 "{file: $data/resnet20/resnet20_opset13.onnx}" "$resnet"
network mobilenet025 "{file: $data/mobilenet025/mobilenet025_cifar10_opset13.onnx}" "$mobilenet"
network mnet "{file: $data/tensorflow/mnet.pb}" "$backbone"
network rfb320 "{file: $data/ultraface/version-RFB-320_simplified.onnx}" "$faces"
network slim320 "{file: $data/ultraface/version-slim-320_simplified.onnx}" "$faces"
network tnn_tiny "{file: $data/tnn_golden/tiny_v1.tnnproto, weights: $data/tnn_golden/tiny_v1.tnnmodel}" "$tiny"
