#!/usr/bin/env bash
# report.html in a real browser: complete, silent, asking nobody; and written again by `etalon report`.
. "$(dirname "$0")/lib.sh"
export SCRATCH=$scratch
need_tool chromium
need_tool python3
n_methods=$("$ETALON" methods | grep -c '^activations .* archive ')

# looks_right NAME METHODS: the page of $scratch/NAME. REPORT_SCREENSHOTS: a folder for pictures of the demo's.
looks_right() { python3 "$here/check_page.py" "$scratch/$1" "$2" ${3:+"$3"} || fail "the page of $1"; }

draw 96 64
demo_job demo 'targets: [onnx-qdq, tnn, sophon-bm1684, cambricon-mlu270]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
"$ETALON" calibrate -q "$scratch/demo.yaml" >/dev/null || fail "calibrate"
looks_right demo "$n_methods" "${REPORT_SCREENSHOTS:-}"

# The verb writes the same page, for any number of ranks; it needs no run.json.
for n in 0 2; do
  ranks $n "$ETALON" report "$scratch/demo" --output "$scratch/again.$n.html" || fail "report"
  cmp "$scratch/demo/report.html" "$scratch/again.$n.html" || fail "another page by $n ranks"
done
echo mine >"$scratch/mine.html"
expect 73 "mine.html: exists; use --force to replace it" "$ETALON" report "$scratch/demo" -o "$scratch/mine.html"
grep -qx mine "$scratch/mine.html" || fail "a file was replaced"
expect 0 "" "$ETALON" report "$scratch/demo" -o "$scratch/mine.html" --force
cmp "$scratch/demo/report.html" "$scratch/mine.html" || fail "report --force"
rm "$scratch/demo/run.json"
"$ETALON" report "$scratch/demo" || fail "report without run.json"
looks_right demo "$n_methods"

# Nothing evaluated, and one target that cannot express the model.
demo_job unscored 'targets: [onnx-qdq]\nevaluate: {skip: true}'
"$ETALON" calibrate -q "$scratch/unscored.yaml" >/dev/null || fail "calibrate without evaluation"
looks_right unscored "$n_methods"

# emit leaves out the comparison of methods; the verb adds it.
"$ETALON" emit -q "$scratch/demo/archive.h5" --model "$demo/demo.onnx" --output "$scratch/emitted" >/dev/null || fail "emit"
looks_right emitted 0
"$ETALON" report "$scratch/emitted" && looks_right emitted "$n_methods"

# Names of a stranger's model are text, whatever they hold.
if "${PYTHON:-false}" -c 'import onnx' 2>/dev/null; then
  "$PYTHON" - "$demo/demo.onnx" "$scratch/hostile.onnx" <<'HOSTILE'
import sys, onnx
model = onnx.load(sys.argv[1])
name = '</script><script>console.log("run")</script><!-- <b>&amp;'
old = model.graph.node[0].output[0]
for node in model.graph.node:
    for names in (node.input, node.output):
        names[:] = [name if n == old else n for n in names]
onnx.save(model, sys.argv[2])
HOSTILE
  demo_job hostile "targets: [onnx-qdq]"
  "$ETALON" calibrate -q "$scratch/hostile.yaml" --set "model.file=$scratch/hostile.onnx" >/dev/null || fail "a hostile name"
  looks_right hostile "$n_methods"
fi

expect 66 "report.json: cannot be opened" "$ETALON" report "$scratch/nowhere"
expect 64 "report needs one folder of results" "$ETALON" report
