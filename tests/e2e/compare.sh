#!/usr/bin/env bash
# Two runs side by side: nothing moved in equal ones; what moved is told with its size, largest first, for people and for
# programs; a limit that is passed is exit code 1.
. "$(dirname "$0")/lib.sh"
need_python json

draw 64 16
keys='targets: [onnx-qdq, tnn]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job before "$keys"
"$ETALON" calibrate -q "$scratch/before.yaml" >/dev/null || fail "before"
cd "$scratch"

# other NAME [OPTIONS]: the same job with something changed, in $scratch/NAME
other() { local name=$1; shift; "$ETALON" calibrate -q before.yaml --set "output=$name" "$@" >/dev/null || fail "$name"; }
other same
other kl --set calibration.activations=kl
other fewer --set dataset.limit=32
other one --set 'targets=[tnn]' --set 'calibration.overrides=[{node: head_conv, precision: float}]'

# says TEXT COMMAND...: on stdout, with exit code 0
says() { local text=$1; shift; expect 0 "" "$@"; grep -qE -- "$text" stdout || { cat stdout >&2; fail "expected \"$text\": $*"; }; }

# --- equal runs
limits=(--fail-above 0 --gate statistics=0 --gate sqnr=0 --gate top1=0 --gate top5=0 --gate agreement=0)
says "^gate threshold: passed: 0, limit 0" "$ETALON" compare before same "${limits[@]}"
[ "$(grep -c '^gate .*: passed: 0' stdout)" -eq 6 ] || { cat stdout >&2; fail "gates of equal runs"; }
grep -q "^statistics: 0 of [0-9]* values moved" stdout || fail "statistics of equal runs"
[ "$(grep -c '^target .*: 0 of [0-9]* values changed' stdout)" -eq 2 ] || fail "decisions of equal runs"
"$ETALON" compare before same --json >same.json
echo "ok: equal runs"

# --- other thresholds from the same statistics: archives, folders and reports tell the same of them
says "^statistics: 0 of" "$ETALON" compare before/archive.h5 kl/archive.h5
says "records: the same, 64 and 64 used" "$ETALON" compare before kl
says "mse -> kl" "$ETALON" compare before/report.json kl/report.json
! grep -q "^statistics" stdout || fail "a report knows nothing of statistics"
for kind in folder archive report; do
  case $kind in folder) names=(before kl) ;; archive) names=({before,kl}/archive.h5) ;; report) names=({before,kl}/report.json) ;; esac
  "$ETALON" compare "${names[@]}" --json >$kind.json || fail "$kind: --json"
done
"$PYTHON" - <<'CHECK' || fail "the figures"
import json
folder, archive, report = (json.load(open(f"{kind}.json")) for kind in ("folder", "archive", "report"))
runs = {side: json.load(open(f"{name}/report.json")) for side, name in (("before", "before"), ("after", "kl"))}
assert folder["metrics"] == report["metrics"] and archive["metrics"] == []
assert folder["statistics"] == archive["statistics"] and report["statistics"] == []
assert folder["targets"].keys() == {"onnx-qdq", "tnn"}
for name, target in folder["targets"].items():
    rows = target["values"]
    assert rows and [row["moved"] for row in rows] == sorted((row["moved"] for row in rows), reverse=True)
    assert rows[0]["moved"] > 0
    for side, run in runs.items():
        layers = {layer["name"]: layer for layer in run["targets"][name]["layers"] if layer["method"] != "float"}
        assert len(layers) == len(rows)
        for row in rows:
            for key in ("threshold", "scale", "zero_point", "method"):
                assert row[side][key] == layers[row["name"]][key], (row, layers[row["name"]])
            assert abs(row[side]["sqnr_db"] - layers[row["name"]]["sqnr_db"]) < 1e-6
    codes = {layer["name"]: (layer["lo"], layer["hi"]) for layer in runs["before"]["targets"][name]["layers"]}
    for row in rows:
        before, after = row["before"], row["after"]
        ends = [(before["threshold"], after["threshold"])]
        if before["zero_point"] != after["zero_point"]:
            ends += [[(c - side["zero_point"]) * side["scale"] for side in (before, after)] for c in codes[row["name"]]]
        assert abs(row["moved"] - max(abs(b - a) for a, b in ends) / before["threshold"]) < 1e-6
    for ours, theirs in zip(rows, archive["targets"][name]["values"]):
        assert ours == theirs
for metric in folder["metrics"]:
    for side, run in runs.items():
        network = run["fp32"] if metric["network"] == "fp32" else run["targets"][metric["network"]]
        assert metric[side] == network[metric["name"]], metric
assert {m["name"] for m in folder["metrics"]} == {"top1", "top5", "agreement", "sqnr_db"}
CHECK
echo "ok: archives, reports and folders"

# --- a zero point alone: one end has moved
"$PYTHON" - <<'REPORT' || fail "a moved zero point"
import json
report = json.load(open("before/report.json"))
layer = next(l for l in report["targets"]["onnx-qdq"]["layers"] if l["zero_point"] == 128)
layer["zero_point"] = 64
json.dump(report, open("zero.json", "w"))
REPORT
expect 1 "1 of 1 gates failed" "$ETALON" compare before/report.json zero.json --fail-above 0.5
grep -qE "^target onnx-qdq: 1 of [0-9]+ values changed" stdout || { cat stdout >&2; fail "the value with another zero point"; }
grep -qE " 50\.39%.*, zero 128 -> 64$" stdout || { cat stdout >&2; fail "another zero point"; }
grep -qE "^gate threshold: failed: 0\.503937, limit 0\.5" stdout || { cat stdout >&2; fail "its gate"; }
says "^gate threshold: passed" "$ETALON" compare before/report.json zero.json --fail-above 0.51
echo "ok: zero points"

# --- other records: distributions have moved by what their histograms say
"$ETALON" compare before fewer --json >fewer.json || fail "fewer"
"$PYTHON" -c 'import h5py' 2>/dev/null && { "$PYTHON" - <<'CHECK' || fail "distances"; }
import h5py, json
import numpy as np
rows = {row["name"]: row for row in json.load(open("fewer.json"))["statistics"]}
files = [h5py.File(f"{name}/archive.h5", "r") for name in ("before", "fewer")]
names = [n.decode().rstrip("\0") for n in files[0]["values/name"][:]]
assert len(rows) == len(names) and max(row["distance"] for row in rows.values()) > 0
for i, name in enumerate(names):
    exponent, functions = max(f["values/exponent"][i] for f in files), []
    for f in files:
        counts = np.concatenate([f["values/negative"][i][::-1], [f["values/zeros"][i]], f["values/positive"][i]])
        e, bins = f["values/exponent"][i], len(f["values/positive"][i])
        width = 1 << int(exponent - e)  # bins that fold into one
        edges = [-(k * width) for k in range(-(-bins // width) - 1, -1, -1)]
        signed = np.concatenate([np.arange(-bins, 0) // width, [0], np.arange(bins) // width + 1])
        place = np.zeros(2 * bins + 1)
        np.add.at(place, signed + bins, counts.astype(float))
        functions.append(np.cumsum(place) / place.sum())
    found = np.abs(functions[0] - functions[1]).max()
    assert abs(found - rows[name]["distance"]) < 1e-8, (name, found, rows[name])
    assert rows[name]["after"]["elements"] * 2 == rows[name]["before"]["elements"]
CHECK
echo "ok: distances of distributions"

# --- what is new and what is lost
says "^target onnx-qdq: lost" "$ETALON" compare before one
says "^target onnx-qdq: new" "$ETALON" compare one before
says " lost  threshold" "$ETALON" compare before one --rows 0
says " new  threshold" "$ETALON" compare one before --rows 0
says "and [0-9]+ more \(--rows 0 shows all\)" "$ETALON" compare before kl --rows 2

# --- limits
expect 1 "1 of 1 gates failed, threshold first" "$ETALON" compare before kl --fail-above 0.0001
grep -qE "^gate threshold: failed: 0\.[0-9]+, limit 0.0001 \([a-z0-9_]+ on (tnn|onnx-qdq)\)" stdout || fail "the gate's line"
says "^gate threshold: passed" "$ETALON" compare before kl --fail-above 1000
expect 1 "2 of 3 gates failed, statistics first" "$ETALON" compare before fewer --gate top1=100 --gate statistics=0 --gate sqnr=0
expect 1 "gates failed, agreement" "$ETALON" compare before one --gate agreement=5
for sides in "before one" "before/archive.h5 one/archive.h5" "before/report.json one/report.json"; do
  expect 1 "2 of 2 gates failed, sqnr first" "$ETALON" compare $sides --gate sqnr=1000 --fail-above 1000
  [ "$(grep -cx 'gate [a-z]*: failed: target onnx-qdq is gone or failed' stdout)" -eq 2 ] || { cat stdout >&2; fail "a lost target: $sides"; }
done
says "^gate threshold: passed" "$ETALON" compare one before --fail-above 1000
"$PYTHON" - <<'REPORT' || fail "a report of a failed target"
import json
report = json.load(open("same/report.json"))
report["targets"]["tnn"]["error"] = "has no form there"
json.dump(report, open("failed.json", "w"))
REPORT
expect 1 "3 of 3 gates failed" "$ETALON" compare before failed.json --gate sqnr=1000 --gate top1=100 --fail-above 1000
grep -q "^gate threshold: failed: target tnn is gone or failed" stdout || { cat stdout >&2; fail "a failed target"; }
grep -q "^target tnn: lost" stdout || fail "a failed target is lost"
says "^target tnn: failed in both" "$ETALON" compare failed.json failed.json --fail-above 0
expect 1 "" "$ETALON" compare before/archive.h5 kl/archive.h5 --gate top1=5
grep -q "^gate top1: failed: there is nothing to compare" stdout || fail "nothing to compare"
# What one target or value lacks, others do not make up for.
"$PYTHON" - <<'REPORT' || fail "reports with gaps"
import json
report = json.load(open("before/report.json"))
del report["targets"]["tnn"]["top1"]
next(l for l in report["targets"]["tnn"]["layers"] if l["sqnr_db"] is not None)["sqnr_db"] = None
report["targets"]["tnn"]["layers"][0]["method"] = "\x1b[2J"
json.dump(report, open("gaps.json", "w"))
report["targets"]["tnn"]["layers"] = [dict(l, name=f"{i}{l['name']}") for i, l in enumerate(report["targets"]["tnn"]["layers"])]
json.dump(report, open("renamed.json", "w"))
many = [dict(report["targets"]["tnn"]["layers"][0], name=f"value{i}") for i in range(100000)]
for name, layers in (("many", many), ("turned", many[::-1])):
    report["targets"]["tnn"]["layers"] = layers
    json.dump(report, open(name + ".json", "w"))
REPORT
expect 1 "1 of 1 gates failed" "$ETALON" compare gaps.json before/report.json --gate top1=100
grep -qx "gate top1: failed: there is nothing to compare (tnn)" stdout || { cat stdout >&2; fail "a target without top1 before"; }
! grep -q $'\x1b' stdout || fail "a terminal is told what a report wants it to be told"
expect 1 "1 of 1 gates failed" "$ETALON" compare gaps.json before/report.json --gate sqnr=1000
grep -qE "^gate sqnr: failed: there is nothing to compare \([a-z0-9_]+ on tnn\)" stdout || { cat stdout >&2; fail "a value without SQNR before"; }
expect 1 "1 of 1 gates failed" "$ETALON" compare renamed.json before/report.json --fail-above 1000
grep -qx "gate threshold: failed: there is nothing to compare (tnn)" stdout || { cat stdout >&2; fail "a target of other values"; }
expect 1 "1 of 1 gates failed" "$ETALON" compare renamed.json before/report.json --gate sqnr=1000
grep -qx "gate sqnr: failed: there is nothing to compare (tnn)" stdout || { cat stdout >&2; fail "a target of other values, sqnr"; }
# A hundred thousand values in another order: half a second of a processor, and not the square of it.
expect 0 "" bash -c 'ulimit -t "$1" && exec "$2" compare many.json turned.json' - "$([ "${SANITIZED:-0}" = 1 ] && echo 60 || echo 8)" "$ETALON"
expect 64 'gate "tresholds=1": expected NAME=LIMIT' "$ETALON" compare before kl --gate tresholds=1
expect 64 "expected a limit" "$ETALON" compare before kl --gate top1=much
expect 64 "expected a limit" "$ETALON" compare before kl --fail-above -1
expect 64 "compare needs two" "$ETALON" compare before
expect 66 "nowhere" "$ETALON" compare before nowhere
expect 65 "no report of etalon" "$ETALON" compare before before/manifest.json
mkdir empty
expect 66 "empty: holds neither archive.h5 nor report.json" "$ETALON" compare before empty
says "model: not known|model: another" "$ETALON" compare "$SOURCE/tests/golden/archive_v1.h5" before
echo "ok: limits and refusals"
