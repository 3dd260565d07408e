#!/usr/bin/env bash
# What calibration.refine wins: network x method x target, as a table in Markdown on stdout. 64 calibration images, evenly
# spaced over the calibration list; signal to noise at the output in dB without and with refinement, on these records and
# on others, and agreement with fp32 on the others. Takes minutes: two evaluations a cell.
#
#   tests/bench/refine.sh [-e ETALON] [-d DATA] [-j THREADS] [-n EVERY] [-p PASSES] [-t "TARGET..."] [METHOD...]
#
# EVERY: only every so many records of the evaluation set, default 4. By default two passes and mse, kl and minmax.
set -euo pipefail
every=4 passes=2 targets="onnx-qdq tnn sophon-bm1684 cambricon-mlu270"
declare -A option_of=([n]=every [p]=passes [t]=targets)
. "$(dirname "$0")/real.sh"
methods=("$@")
[ $# -gt 0 ] || methods=(mse kl minmax)
awk -v every="$every" 'NR % every == 0' "$data/cifar10/evaluation.txt" >"$scratch/evaluation.txt"
other="{kind: images, path: $data/cifar10, list: $scratch/evaluation.txt}"

# figures NETWORK METHOD PASSES SET: "agreement sqnr" of every target, a line each. The plans of one run are in its archive.
figures() {
  local evaluate=()
  [ "$4" = same ] || evaluate=(--set "evaluate={dataset: $other}")
  "$etalon" evaluate --json -q "$scratch/$1.yaml" --set "output=$scratch/$1-$2-$3" --set "calibration.activations=$2" \
    --set "calibration.refine=$3" --set "engine.threads=$threads" "${evaluate[@]}" >"$scratch/report.json"
  for target in $targets; do
    jq -r ".targets[\"$target\"] | \"\(.agreement) \(.sqnr_db)\"" "$scratch/report.json"
  done
}

echo "| network | activations | target | these records, dB | others, dB | agreement, % |"
echo "|---|---|---|---|---|---|"
for network in resnet20 mobilenet025; do
  printf '%s\ntargets: [%s]\noutput: out\n' "$(cifar $network)" "${targets// /, }" >"$scratch/$network.yaml"
  for method in "${methods[@]}"; do
    for n in 0 "$passes"; do
      "$etalon" calibrate -q "$scratch/$network.yaml" --set evaluate.skip=true --set "output=$scratch/$network-$method-$n" \
        --set "calibration.activations=$method" --set "calibration.refine=$n" --set "engine.threads=$threads" >/dev/null
      figures "$network" "$method" "$n" same >"$scratch/same.$n"
      figures "$network" "$method" "$n" other >"$scratch/other.$n"
    done
    paste -d' ' <(printf '%s\n' $targets) "$scratch"/{same,other}.0 "$scratch"/{same,other}."$passes" |
      awk -v network="$network" -v method="$method" '{
        printf "| %s | %s | %s | %.2f → %.2f | %.2f → %.2f | %.2f → %.2f |\n",
          network, method, $1, $3, $7, $5, $9, $4, $8}'
  done
done
