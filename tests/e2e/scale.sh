#!/usr/bin/env bash
# Many ranks, far more than cores: the bits of one rank, and no more bytes sent by any than the manual's model says
# (jobs/doc/scaling.md): 2 S (P - 1) / P for statistics of S bytes on P ranks. Open MPI's monitoring counts them.
. "$(dirname "$0")/lib.sh"
[ "${SANITIZED:-0}" = 0 ] || skip "sixty-four sanitized processes are too much for a machine"
need_tool mpirun
need_python h5py
[ -z "$(ompi_info 2>/dev/null | grep 'MCA pml: monitoring')" ] && skip "this Open MPI does not count bytes"

draw 1024 64
demo_job demo 'targets: [onnx-qdq]\ncalibration: {block: 4, bias_correction: analytic}\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
"$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "one rank"
plain=$(bits "$scratch/demo")
"$PYTHON" - "$scratch/demo/archive.h5" >"$scratch/bytes" <<'MODEL' || fail "the archive"
import sys, h5py
archive = h5py.File(sys.argv[1])
def counts(group): # a value's negative half exists on the wire where it has ever been negative
    return 8 * group["positive"].shape[1] * (len(group["positive"]) + sum(bool(row.any()) for row in group["negative"]))
parts = archive["parts"]
print(counts(archive["values"]) + sum(counts(parts[p]) for p in parts if p.isdigit()) +
      sum(8 * rows.size for rows in archive["sums"].values()))
MODEL
statistics=$(cat "$scratch/bytes")
rm -rf "$scratch/demo"

for n in 2 16 32 64; do
  mpirun --oversubscribe --bind-to none -n $n --mca pml_monitoring_enable 2 --mca pml_monitoring_enable_output 3 \
    --mca pml_monitoring_filename "$scratch/sent" "$ETALON" calibrate -q "$scratch/demo.yaml" --set 'evaluate={skip: true}' \
    --set "output=$scratch/counted" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$n ranks"; }
  most=$(for r in $(seq 0 $((n - 1))); do awk '$1 == "I" || $1 == "E" {sum += $4} END {print sum}' "$scratch/sent.$r.prof"; done |
    sort -n | tail -n 1)
  model=$((2 * statistics * (n - 1) / n))
  [ "$most" -gt $((model * 9 / 10)) ] && [ "$most" -lt $((model * 11 / 10)) ] || fail "$n ranks: $most bytes sent, the model says $model"
  rm -rf "$scratch/counted" "$scratch"/sent.*
  ranks $n "$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "$n ranks"
  [ "$(bits "$scratch/demo")" = "$plain" ] || fail "other bits with $n ranks"
  rm -rf "$scratch/demo"
  echo "ok: $n ranks: the bits of one; at most $most bytes sent by a rank, $model by the model"
done
