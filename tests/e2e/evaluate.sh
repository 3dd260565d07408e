#!/usr/bin/env bash
# etalon evaluate without errors of layers: the same table, and of the layers only outputs have been compared.
. "$(dirname "$0")/lib.sh"

draw 32 64
demo_job demo 'targets: [onnx-qdq, sophon-bm1684]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
evaluate() { "$ETALON" evaluate -q "$scratch/demo.yaml" "$@" || fail "evaluate $*"; }
evaluate >"$scratch/full"
evaluate --set evaluate.layers=false >"$scratch/bare"

! grep -q 'where it is lost' "$scratch/bare" || fail "layers that nobody asked for"
[ "$(grep -c 'where it is lost' "$scratch/full")" = 2 ] || fail "a table of layers is missing"
head -c "$(stat -c %s "$scratch/bare")" "$scratch/full" | cmp - "$scratch/bare" || fail "another table without layers"
evaluate --set evaluate.layers=false --json >"$scratch/bare.json"
[ "$(grep -o '"cosine"' "$scratch/bare.json" | wc -l)" = 2 ] || fail "errors of layers that were not compared"

echo mine >"$scratch/choices"
expect 73 "choices: exists; use --force to replace it" "$ETALON" evaluate -q "$scratch/demo.yaml" --choices "$scratch/choices"
grep -qx mine "$scratch/choices" || fail "a file was replaced"
evaluate --choices "$scratch/choices" --force >/dev/null
[ "$(wc -l <"$scratch/choices")" = 65 ] || fail "evaluate --choices --force"
