#!/usr/bin/env bash
# How long it takes to write all targets of a network of 100 MB from an archive, and in how much memory: seconds, and the
# peak of the largest rank in sizes of the model. Two ranks; each target alone on one.
#
#   tests/bench/emit.sh [-e ETALON] [-n NETWORK] [-r RANKS]
#
# The network is one of bench_network's, with made-up weights.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
etalon=$source/build/release/etalon network=resnet50 ranks=2
while getopts e:n:r: option; do
  case $option in
    e) etalon=$OPTARG ;;
    n) network=$OPTARG ;;
    r) ranks=$OPTARG ;;
    *) exit 64 ;;
  esac
done
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/etalon-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
all="onnx-qdq tnn ascend horizon-j6 sophon-bm1684 cambricon-mlu220 cambricon-mlu270"

"$(dirname "$etalon")/tests/bench_network" "$network" "$scratch" 2
cat >"$scratch/job.yaml" <<JOB
model: {file: $network.onnx}
dataset: {kind: bin, path: records.bin}
calibration: {activations: minmax, weights: maxabs, bias_correction: none, equalization: none}
targets: [${all// /, }]
evaluate: {skip: true}
output: measured
JOB
mpirun --oversubscribe --bind-to none -n "$ranks" "$etalon" calibrate -q "$scratch/job.yaml" >/dev/null

# emit NAME RANKS TARGETS: a line of the table. Times by the wall, and by the processors of all ranks.
emit() {
  python3 - "$scratch/$network.onnx" "$1" mpirun --oversubscribe --bind-to none -n "$2" "$etalon" emit -q "$scratch/measured/archive.h5" \
    --model "$scratch/$network.onnx" --output "$scratch/out" --set "targets=[$3]" <<'END'
import os, resource, subprocess, sys, time
model, what, command = sys.argv[1], sys.argv[2], sys.argv[3:]
start = time.monotonic()
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"| {what} | {time.monotonic() - start:.1f} | {used.ru_utime:.1f} + {used.ru_stime:.1f} | "
      f"{used.ru_maxrss * 1024 / os.path.getsize(model):.2f} |")
END
  [ $# -lt 4 ] || du -sm "$scratch/out" | cut -f 1 >"$4"
  rm -r "$scratch/out"
}

echo "| targets, of a model of $(($(stat -c %s "$scratch/$network.onnx") >> 20)) MiB | seconds | user + system | peak, sizes |"
echo "|---|---|---|---|"
emit "all seven, $ranks ranks" "$ranks" "${all// /, }"
emit "all seven, one rank" 1 "${all// /, }"
for target in $all; do emit "$target" 1 "$target"; done
