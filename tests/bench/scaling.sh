#!/usr/bin/env bash
# How calibration scales, and what checkpoints cost: the demo's network, whose blocks take a millisecond, on one core, on two
# with a rank of one thread on each, on two with one rank of two threads, and on one with a checkpoint every second. Seconds
# are of the pass over the data, the least of several turns. On a machine with other work they say little, unless
# `chrt -f 10` takes the cores from it for the minute; processor time (all of the program's, waiting in MPI included) still
# tells what ranks and threads do beyond the work of one.
#
#   tests/bench/scaling.sh [-b BUILD] [-n RECORDS] [-t TURNS]
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$source/build/release records=60000 turns=3
while getopts b:n:t: option; do
  case $option in
    b) build=$OPTARG ;;
    n) records=$OPTARG ;;
    t) turns=$OPTARG ;;
    *) exit 64 ;;
  esac
done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/etalon-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
"$build/etalon-demo-images" --out "$scratch/pictures" --calibration 1000 --evaluation 0
for _ in $(seq $((records / 1000))); do cat "$scratch/pictures/calibration.txt"; done >"$scratch/list.txt"
cat >"$scratch/job.yaml" <<JOB
model: {file: $source/jobs/demo/demo.onnx}
dataset: {kind: images, path: pictures, list: list.txt}
preprocess: [{channels: rgb}, {mean: 127.5}, {divide: 64}]
targets: [onnx-qdq]
evaluate: {skip: true}
output: out
JOB

TIMEFORMAT="%U %S"
# run WHAT RANKS THREADS INTERVAL: seconds of the pass, and of them idle, into files of $scratch.
run() {
  local launch=()
  [ "$2" -eq 1 ] || launch=(mpirun -n "$2" --bind-to core)
  [ $(($2 * $3)) -gt 1 ] || launch=(taskset -c 0)
  rm -rf "$scratch/out"
  { time "${launch[@]}" "$build/etalon" calibrate -q "$scratch/job.yaml" --set "engine.threads=$3" \
    --set "checkpoint.interval=$4" >/dev/null; } 2>"$scratch/time"
  awk '{ print $1 + $2 }' "$scratch/time" >>"$scratch/$1.processor"
  jq -r "(.rank_seconds.passes | max) / $3" "$scratch/out/run.json" >>"$scratch/$1.seconds"
  jq -r '100 * (.rank_seconds.idle | add) / (.rank_seconds.passes | add)' "$scratch/out/run.json" >>"$scratch/$1.idle"
}
for _ in $(seq "$turns"); do
  run one 1 1 100000
  run ranks 2 1 100000
  run threads 1 2 100000
  run kept 1 1 1
done
least() { sort -g "$scratch/$1" | head -n 1; }
one=$(least one.seconds)
for what in ranks threads; do
  awk -v a="$one" -v b="$(least $what.seconds)" -v idle="$(least $what.idle)" -v what=$what \
    -v c="$(least one.processor)" -v d="$(least $what.processor)" \
    'BEGIN { printf "two %-8s efficiency %.3f (%.2f s, one %.2f s); by processor time %.3f (%.2f s, one %.2f s); idle %.1f %%\n",
       what, a / b / 2, b, a, c / d, d, c, idle }'
done
# Cadence: max(60 s, sqrt(2 x cost x a day)).
awk -v a="$one" -v b="$(least kept.seconds)" 'BEGIN {
  cost = b > a ? (b - a) / int(b) : 0; interval = sqrt(2 * cost * 86400); if (interval < 60) interval = 60
  printf "checkpoint   %.3f s each; at the default cadence of %.0f s %.2f %% of the run\n", cost, interval, 100 * cost / interval }'
