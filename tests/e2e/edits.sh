#!/usr/bin/env bash
# What a user may ask of a network before it is calibrated: nodes at its edges removed, others kept from folding; and how
# `etalon inspect` shows what the passes make of it.
. "$(dirname "$0")/lib.sh"
model=$demo/demo.onnx
inspect() { "$ETALON" inspect "$model" "$@" >"$scratch/stdout" || fail "inspect $*"; }
says() { grep -qE -- "$1" "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "expected \"$1\""; }; }

# ---- the passes, told ----

inspect
says '^totals of one record: 42642 parameters, 4929280 multiply-accumulates, 1649704 bytes'
nodes=$(sed -n '1s/.*: \([0-9]*\) nodes.*/\1/p' "$scratch/stdout")
inspect --passes
says "^pass 1 fold_normalize +$nodes -> +[0-9]+ nodes; gone stem_sum .*; changed stem_conv "
says '^nothing to do for .*merge_pads'
sed '/^pass /d; /^nothing to do /d' "$scratch/stdout" >"$scratch/passes"
inspect --normalised
cmp -s "$scratch/stdout" "$scratch/passes" || fail "the table after --passes is not that of --normalised"
inspect --json --passes
if [ -x "${PYTHON:-}" ]; then
  "$PYTHON" - "$scratch/stdout" "$nodes" <<'END' || fail "JSON"
import json, sys
with open(sys.argv[1]) as file:
    graph = json.load(file)
first, last = graph["passes"][0], graph["passes"][-1]
assert first["pass"] == "fold_normalize" and first["nodes_before"] == int(sys.argv[2])
assert first["nodes_before"] - first["nodes_after"] == len(first["gone"]) and "stem_conv" in first["changed"]
assert last["nodes_after"] == len(graph["nodes"])
assert graph["totals"]["macs"] == sum(node["macs"] for node in graph["nodes"]) == 4929280
assert graph["inputs"] == [{"name": "image", "shape": [1, 3, 32, 32], "constant": False}]
END
fi

# ---- removed and kept ----

expect 64 'the nearest is "Reshape"' "$ETALON" inspect "$model" --remove-type Reshap
expect 78 "is not at an edge" "$ETALON" inspect "$model" --remove-node flat
expect 78 'the nearest is "flat"' "$ETALON" inspect "$model" --remove-node flut
expect 78 "expected a Quantize" "$ETALON" inspect "$model" --remove-node logits
inspect --normalised --keep 'stem_*'
says ' normalize +stem_sum '
says ' conv +stem_conv [^+]*\|'

draw 64 64
demo_job plain
demo_job kept "targets: [onnx-qdq, tnn]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}"
sed -i 's/^model: {/&keep: [stem_sum, head_sum], /' "$scratch/kept.yaml"
"$ETALON" calibrate --dry-run "$scratch/kept.yaml" >"$scratch/stdout" || fail "kept: dry run"
says ' normalize +head_sum '
ranks 2 "$ETALON" calibrate -q "$scratch/kept.yaml" >"$scratch/stdout" || fail "kept: calibrate"
says '^onnx-qdq '
sed 's/^model: {/&outputs: [flat], remove_nodes: {types: [Reshape]}, /' "$scratch/plain.yaml" >"$scratch/features.yaml"
sed -i 's/^output: .*/output: features/' "$scratch/features.yaml"
ranks 2 "$ETALON" calibrate -q "$scratch/features.yaml" >/dev/null || fail "features: calibrate"
[ -s "$scratch/features/onnx-qdq/demo.onnx" ] || fail "features: no model"
expect 78 'does not exist; the nearest is "stem_sum"' "$ETALON" calibrate -q "$scratch/kept.yaml" --set 'model.keep=[stem_sun]'

# ---- a batch, split: what is written, not what is decided ----

sed 's/^targets: .*/targets: [onnx-qdq]/; s/^output: .*/output: single/' "$scratch/plain.yaml" >"$scratch/single.yaml"
sed 's/^model: {/&input_batch: 2, separate_batch: true, /; s/^output: .*/output: pair/' "$scratch/single.yaml" >"$scratch/pair.yaml"
for job in single pair; do ranks 2 "$ETALON" calibrate -q "$scratch/$job.yaml" >/dev/null || fail "$job: calibrate"; done
if [ -x "${PYTHON:-}" ] && "$PYTHON" -c "import onnxruntime" 2>/dev/null; then
  "$PYTHON" "$here/check_batch.py" "$scratch/single/onnx-qdq/demo.onnx" "$scratch/pair/onnx-qdq/demo.onnx" 2 || fail "batch"
fi
expect 69 "target tnn: a batch of 2" "$ETALON" calibrate -q "$scratch/pair.yaml" --set 'targets=[tnn]' --force
