#!/usr/bin/env bash
# A named chain of preprocessing is the steps that --dry-run prints of it, and nothing else: a job that lists those is the
# same job.
. "$(dirname "$0")/lib.sh"
draw 4 1

demo_job listed 'targets: [onnx-qdq]'
for preset in vgg inception ssd_v ssd_i; do
  sed "/^preprocess/d" "$scratch/listed.yaml" >"$scratch/named.yaml"
  sed "s|^output: .*|output: $preset|" -i "$scratch/named.yaml"
  cp "$scratch/named.yaml" "$scratch/steps.yaml"
  echo "preprocess: {preset: $preset}" >>"$scratch/named.yaml"
  "$ETALON" calibrate --dry-run "$scratch/named.yaml" >"$scratch/dry" || fail "$preset: dry run"
  sed -n '/^preprocess:/,/^target/{/^target/!p}' "$scratch/dry" >>"$scratch/steps.yaml"
  grep -q '^  - channels: rgb' "$scratch/steps.yaml" || fail "$preset: no steps are printed"
  "$ETALON" calibrate -q "$scratch/named.yaml" >/dev/null || fail "$preset: calibrate"
  expect 0 'is finished with the same model, dataset and job' "$ETALON" calibrate "$scratch/steps.yaml"
done
expect 78 'preset "vvg" does not exist; the nearest is "vgg"' "$ETALON" calibrate "$scratch/named.yaml" --set preprocess.preset=vvg
