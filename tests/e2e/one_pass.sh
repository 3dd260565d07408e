#!/usr/bin/env bash
# All targets are calibrated by one reading of the records and one run of the network in fp32, and so they are evaluated.
. "$(dirname "$0")/lib.sh"
need_python json

draw 24 40
keys='evaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job one "targets: [tnn]\n$keys"
demo_job all "targets: [onnx-qdq, tnn, ascend, horizon-j6, sophon-bm1684, cambricon-mlu220, ncnn, mnn, tensorrt]\n$keys"
for job in one all; do
  ranks 2 "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "calibrate $job"
  "$PYTHON" - "$scratch/$job/run.json" <<'EOF' || fail "$job"
import json, sys
records = json.load(open(sys.argv[1]))["records"]
assert records == {"calibration": {"read": 24, "run": 24}, "evaluation": {"read": 40, "run": 40}}, records
EOF
  echo "ok: $job"
done
