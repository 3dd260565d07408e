# shellcheck shell=bash disable=SC2034 # what is set is for those who source it
# real.sh — sourced by the benches on the real networks: their common options, a scratch folder, jobs.
#
# Before: option_of[letter], the variable that each further option of the script sets. Afterwards the arguments are those
# behind the options, and $scratch/calibration.txt lists 64 calibration images, evenly spaced over the calibration list.
shopt -s inherit_errexit
source=$(cd "$(dirname "$0")/../.." && pwd)
etalon=$source/build/release/etalon data=$source/../shared/data threads=1
option_of+=([e]=etalon [d]=data [j]=threads)
letters=${!option_of[*]}
while getopts "${letters// /:}:" option; do
  [ -n "${option_of[$option]:-}" ] || exit 64
  printf -v "${option_of[$option]}" %s "$OPTARG"
done
shift $((OPTIND - 1))
[ -d "$data" ] || { echo "skipped: $data, the real networks, is absent"; exit 77; }
scratch=$(mktemp -d "${TMPDIR:-/tmp}/etalon-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
awk 'NR % 15 == 8 && n++ < 64' "$data/cifar10/calibration.txt" >"$scratch/calibration.txt"

# cifar NETWORK: its job in $scratch, of those images; without targets and output.
cifar() {
  local file preprocess
  case $1 in
    resnet20) file=resnet20_opset13.onnx preprocess='{divide: 255}, {mean: [0.485, 0.456, 0.406]}, {divide: [0.229, 0.224, 0.225]}' ;;
    mobilenet025) file=mobilenet025_cifar10_opset13.onnx preprocess='{resize: {height: 128, width: 128, filter: bilinear}}, {divide: 127.5}, {mean: 1}' ;;
    *) echo "no network of CIFAR-10 is called $1" >&2; exit 64 ;;
  esac
  cat <<JOB
model: {file: $data/$1/$file}
dataset: {kind: images, path: $data/cifar10, list: calibration.txt}
preprocess: [{channels: rgb}, $preprocess]
JOB
}
