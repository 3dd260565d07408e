#!/usr/bin/env bash
# libetalon as a user meets it: installed, found by pkg-config, linked by the example, whose sets are calibrated.
. "$(dirname "$0")/lib.sh"
need_tool pkg-config
need_tool nm
need_python onnx
need_python lmdb
cd "$scratch"

cmake --install "$(dirname "$ETALON")" --prefix "$scratch/usr" >/dev/null || fail "install"
library=$(find usr -name 'libetalon.so') || fail "no library"
[ -L "$library" ] || fail "$library: expected a link to the library with its version"
export PKG_CONFIG_PATH=$scratch/$(dirname "$library")/pkgconfig LD_LIBRARY_PATH=$scratch/$(dirname "$library")
[ "$(pkg-config --modversion etalon)" = "$("$ETALON" --version | cut -d' ' -f2)" ] || fail "pkg-config: another version"
[ -s usr/share/man/man3/etalon_dataset.3 ] || fail "the page for man is not installed"
if command -v groff >/dev/null; then
  [ -z "$(groff -man -ww -z usr/share/man/man3/etalon_dataset.3 2>&1)" ] || fail "groff complains"
fi

# What is exported, and what it drags in.
nm -D --defined-only "$library" | awk '$2 == "T" {print $3}' | sort >exported
printf 'etalon_dataset_%s@@ETALON_0.1\n' append cancel commit create >expected
echo 'etalon_version@@ETALON_0.1' >>expected
diff expected exported || fail "other symbols than those of the map"
[ "$(nm -D --defined-only "$library" | grep -vcE ' [TA] ')" -eq 0 ] || fail "data is exported"
readelf -d "$library" | grep NEEDED >needed
if [ "$SANITIZED" = 0 ] && grep -vE 'liblmdb|libc\.so|ld-linux' needed; then fail "the library needs more than LMDB"; fi

flags=(-std=c11 -Wall -Wextra -Wpedantic -Werror)
[ "$SANITIZED" = 0 ] || flags+=(-fsanitize=address,undefined)
${CC:-cc} "${flags[@]}" "$SOURCE/tests/examples/cascade.c" $(pkg-config --cflags --libs etalon) -o cascade || fail "cascade.c"
if command -v c++ >/dev/null; then
  echo '#include <etalon/dataset.h>' | c++ -x c++ -Werror -fsyntax-only $(pkg-config --cflags etalon) - || fail "C++"
fi

./cascade one 20 || fail "cascade"
./cascade both 20 with-box || fail "cascade with two inputs"
expect 73 "one: exists already" ./cascade one 20
expect 73 "nowhere" ./cascade nowhere/one 20
"$ETALON" inspect one | grep -qF "dataset of kind lmdb: 40 records" || fail "inspect"
"$ETALON" inspect one | grep -qF "00000001_picture0_window1: label -1, 3 x 24 x 24 floats" || fail "inspect: a record"

# Tensors are packed anew as they are.
"$ETALON" dataset build -q one - again --kind lmdb --shuffle --seed 4 || fail "build from tensors"
"$ETALON" dataset verify -q again --check_size | grep -qF "sizes: 3 x 24 x 24, 0 of bytes, 40 of floats" || fail "tensors"
"$ETALON" dataset build -q one - same || fail "build from what lies there"
"$PYTHON" - <<'PYTHON' || fail "tensors: other values"
import lmdb
def rows(path):
    with lmdb.open(path, readonly=True, lock=False) as env, env.begin() as txn:
        return list(txn.cursor())
one, again, same = (rows(path) for path in ("one", "again", "same"))
assert sorted((key[9:], value) for key, value in again) == one
assert [value for _, value in again] != [value for _, value in one]
assert [(b"%08d_" % i + key, value) for i, (key, value) in enumerate(one)] == same
PYTHON
expect 65 "expected an image for the options given, found floats" "$ETALON" dataset build one - none --gray

# The second stage: with and without the box.
"$PYTHON" - <<'PYTHON'
import numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

random = np.random.default_rng(3)
weights = [nh.from_array(random.normal(0, 0.3, s).astype(np.float32), n)
           for n, s in (("w", (8, 3, 3, 3)), ("v", (8, 5)), ("u", (3, 5)))]
crop = h.make_tensor_value_info("crop", T.FLOAT, [1, 3, 24, 24])
box = h.make_tensor_value_info("box", T.FLOAT, [1, 3])
y = h.make_tensor_value_info("y", T.FLOAT, [1, 5])
trunk = [h.make_node("Conv", ["crop", "w"], ["a"], "conv"), h.make_node("Relu", ["a"], ["b"], "relu"),
         h.make_node("GlobalAveragePool", ["b"], ["c"], "pool"), h.make_node("Flatten", ["c"], ["d"], "flatten")]
alone = trunk + [h.make_node("MatMul", ["d", "v"], ["y"], "head")]
both = trunk + [h.make_node("MatMul", ["d", "v"], ["e"], "head"), h.make_node("MatMul", ["box", "u"], ["f"], "place"),
                h.make_node("Add", ["e", "f"], ["y"], "sum")]
for name, nodes, inputs, n in ("one", alone, [crop], 2), ("both", both, [crop, box], 3):
    graph = h.make_graph(nodes, name, inputs, [y], weights[:n])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), name + ".onnx")
PYTHON
printf 'targets: [onnx-qdq]\nevaluate: {skip: true}\n' | tee both.yaml >one.yaml
printf 'model: {file: one.onnx}\ndataset: {kind: lmdb, path: one}\noutput: out1\n' >>one.yaml
printf 'model: {file: both.onnx}\noutput: out2\ndataset: {inputs: {crop: {kind: lmdb, path: both/crop}, box: {kind: lmdb, path: both/box}}}\n' >>both.yaml
for job in one both; do
  "$ETALON" calibrate $job.yaml >$job.log 2>&1 || { cat $job.log >&2; fail "calibrate $job"; }
  grep -q "40 calibration records used, 0 skipped" $job.log || { cat $job.log >&2; fail "$job: expected 40 records"; }
done
echo "ok: calibrated"

# Killed at any moment: no set, and the next run is none the wiser.
for delay in 0.02 0.1 0.3; do
  ./cascade killed 1000000 & pid=$!
  sleep $delay
  kill -9 $pid
  wait $pid 2>/dev/null || true
  [ ! -e killed ] || fail "a killed program left a set"
done
./cascade killed 1 || fail "after being killed"
echo "ok: killed"
