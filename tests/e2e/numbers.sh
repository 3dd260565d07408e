#!/usr/bin/env bash
# Odd numbers: a record with NaN or Inf is a bad record; nothing but zeros, constants, denormals and numbers whose
# activations overflow still give a model for every target, with finite scales.
. "$(dirname "$0")/lib.sh"
need_python numpy
(cd "$scratch" && "$PYTHON" - <<'PY'
import numpy as np

x = np.random.default_rng(1).normal(0, 1, (16, 3, 32, 32)).astype(np.float32)
for name, odd in ("nan", np.nan), ("inf", np.inf):
    y = x.copy()
    y[5, 1, 3, 3] = odd
    np.save(name, y)
np.save("zeros", x * 0)
np.save("constants", x * 0 + 3)
np.save("denormals", x * np.float32(1e-40))
np.save("huge", x * np.float32(3e38 / np.abs(x).max()))
PY
) || fail "numpy"
job() { # job DATA [KEYS]
  printf 'model: {file: %s}\ndataset: {kind: npy, path: %s.npy}\npreprocess: []\noutput: %s\nevaluate: {skip: true}\n%b\n' \
    "$demo/demo.onnx" "$1" "$1" "targets: [$targets]\n${2:-}" >"$scratch/$1.yaml"
}
targets=$("$ETALON" targets | awk '$1 != "null" { print $1 }' | paste -sd,)

for data in nan inf; do
  job $data
  expect 65 "record 00000005: expected finite numbers, value 1123 is $data" "$ETALON" calibrate -q "$scratch/$data.yaml"
  job $data 'limits: {max_bad_records: 1}'
  "$ETALON" calibrate -q "$scratch/$data.yaml" >/dev/null || fail "$data: one bad record is allowed"
  grep -q '"skipped": 1' "$scratch/$data/report.json" || fail "$data: the record is not listed"
  echo "ok: a record with $data is a bad record"
done

for data in zeros constants denormals huge; do
  job $data
  "$ETALON" calibrate -q "$scratch/$data.yaml" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$data"; }
  found=$(grep -rIilE '(^|[^a-z])(nan|-?inf(inity)?)([^a-z]|$)' "$scratch/$data" --exclude=report.html || true)
  [ -z "$found" ] || fail "$data: numbers that are none in $found"
  "$PYTHON" - "$scratch/$data" <<'PY' || fail "$data: scales of the ONNX model"
import sys
import numpy as np
import onnx
from onnx import numpy_helper

model = onnx.load(sys.argv[1] + "/onnx-qdq/demo.onnx")
scales = {name for node in model.graph.node if node.op_type.endswith("QuantizeLinear") for name in node.input[1:2]}
arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name in scales}
assert len(arrays) > 10, len(arrays)
for name, scale in arrays.items():
    assert np.isfinite(scale).all() and (scale > 0).all(), (name, scale)
PY
done
echo "ok: zeros, constants, denormals and overflows give finite positive scales, for $(tr , ' ' <<<"$targets")"
