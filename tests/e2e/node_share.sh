#!/usr/bin/env bash
# The ranks of one machine hold one copy of a network: constants and reordered weights of 67 MB each, and less than 40 MB
# a rank of its own, whatever their number. The results are those of one process.
. "$(dirname "$0")/lib.sh"
[ "${SANITIZED:-0}" = 0 ] || skip "sanitizers keep what was freed"
need_python onnx
need_tool mpirun

"$PYTHON" - "$scratch/large.onnx" <<'MODEL'
import sys, numpy, onnx
from onnx import helper, numpy_helper
draw = numpy.random.default_rng(1)
def weights(name, *shape):
    return numpy_helper.from_array((draw.standard_normal(shape) / numpy.prod(shape[1:]) ** 0.5).astype("f"), name)
nodes = [helper.make_node("Conv", ["image", "w0"], ["v0"], strides=[2, 2], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["v0"], ["v1"]),
         helper.make_node("Flatten", ["v1"], ["v2"]), helper.make_node("Gemm", ["v2", "w1"], ["v3"], transB=1), helper.make_node("Relu", ["v3"], ["v4"]),
         helper.make_node("Gemm", ["v4", "w2"], ["v5"], transB=1), helper.make_node("Gemm", ["v5", "w3"], ["v6"], transB=1)]
constants = [weights("w0", 16, 3, 3, 3), weights("w1", 2048, 4096), weights("w2", 4096, 2048), weights("w3", 10, 4096)]
value = helper.make_tensor_value_info
graph = helper.make_graph(nodes, "large", [value("image", 1, [1, 3, 32, 32])], [value("v6", 1, [1, 10])], constants)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), sys.argv[1])
MODEL
draw 64 0
demo_job large 'targets: [onnx-qdq]\nevaluate: {skip: true}\ncalibration: {bias_correction: none}'
sed -i "s|$demo/demo.onnx|$scratch/large.onnx|" "$scratch/large.yaml"
"$ETALON" calibrate -q "$scratch/large.yaml" >/dev/null || fail "one process"
plain=$(bits "$scratch/large")
rm -rf "$scratch/large"
ranks 3 "$ETALON" calibrate -q "$scratch/large.yaml" >/dev/null || fail "three ranks"
[ "$(bits "$scratch/large")" = "$plain" ] || fail "other bits with shared weights"
rm -rf "$scratch/large"

# Again over many records, to look at the ranks while they work; what they would write is not waited for.
for _ in $(seq 100); do cat "$scratch/pictures/calibration.txt"; done >"$scratch/pictures/many.txt"
mpirun --oversubscribe --bind-to none -n 4 "$ETALON" calibrate -q "$scratch/large.yaml" --set dataset.list=pictures/many.txt \
  >/dev/null 2>&1 &
mpirun=$!
# kib FIELD: of each rank, from its status
kib() { for pid in $(ranks_of $mpirun); do awk -v field="$1:" '$1 == field {print $2}' "/proc/$pid/status"; done; }
all_see_them() { [ "$(kib RssShmem | awk '$1 > 60000' | wc -l)" -eq 4 ]; }
wait_for 120 all_see_them
own=$(kib RssAnon | sort -n | tail -n 1)
kill -9 $mpirun $(ranks_of $mpirun)
wait $mpirun 2>/dev/null || true
[ "$own" -lt 40000 ] || fail "a rank holds $own KiB of its own"
echo "ok: four ranks, at most $own KiB of their own beside 134 MB that they share"
