#!/usr/bin/env bash
# `etalon inspect` of archives, datasets and checkpoints, in tables and as JSON, against report.json, the archive's own
# arrays, and other readers of the pictures.
. "$(dirname "$0")/lib.sh"
need_python onnx # h5py, PIL and numpy are beside it
cd "$scratch"
draw 40 24
demo_job run 'targets: [onnx-qdq, tnn]\nevaluate: {dataset: {kind: images, path: pictures, list: pictures/evaluation.txt}}'
demo_job channels 'targets: [onnx-qdq]\ncalibration: {granularity: per-channel}\nevaluate: {skip: true}'
for job in run channels; do "$ETALON" calibrate -q $job.yaml >/dev/null || fail "calibrate $job"; done

# ---- archives ----

"$ETALON" inspect run/archive.h5 --json --thresholds >run.json || fail "inspect --json"
"$ETALON" inspect channels/archive.h5 --json >channels.json || fail "inspect --json, per channel"
"$PYTHON" - <<'PYTHON' || fail "the JSON of an archive"
import json
import h5py, numpy as np

shown, report = json.load(open("run.json")), json.load(open("run/report.json"))
assert shown["kind"] == "archive" and shown["model"] == report["model"]
assert shown["records"] == {"used": 40, "all": 40, "bad": []}
assert shown["fingerprints"]["decisions"] == report["fingerprint"]
assert shown["convergence"] == report["convergence"]
near = lambda a, b: a == b or abs(a - b) <= 1e-6 * abs(b) + 1e-6
for name, target in report["targets"].items():
    decided = {d["value"]: d for d in shown["targets"][name]["decisions"]}
    quantized = [l for l in target["layers"] if l["threshold"] is not None]
    assert len(decided) == len(quantized) > 20
    for layer in quantized:
        d = decided[layer["name"]]
        assert d["method"] == layer["method"] and near(d["threshold"], layer["threshold"]) and near(d["scale"], layer["scale"])
        assert near(d["sqnr_db"], layer["sqnr_db"]) and near(d["cosine"], layer["cosine"])
    layers = shown["targets"][name]["layers"]
    assert len(layers) == 16 and all(0 < l["weight_mse"] <= l["weight_mse_max_abs"] for l in layers), layers
with h5py.File("run/archive.h5") as file:
    names = [name.rstrip(b"\0").decode() for name in file["values/name"][:]]
    for key, mine in (("n", "observed"), ("min", "min"), ("max", "max"), ("zeros", "zeros"), ("nans", "nan")):
        column = file["values/" + key][:]
        assert np.array_equal(column, np.array([v[mine] for v in shown["values"]], column.dtype)), key
assert names == [v["name"] for v in shown["values"]]
for value in shown["values"]:
    low, high = value["min"], value["max"]
    assert value["observed"] % 40 == 0 and low <= high and value["channels"] == 0
    assert near(value["thresholds"]["minmax"], max(-low, high)) and len(value["thresholds"]) > 15
    assert all(0 < t <= 1.000001 * max(-low, high) for t in value["thresholds"].values()), value
# Per channel only, the ranges are those of the whole value.
apart = {v["name"]: v for v in json.load(open("channels.json"))["values"]}
assert "thresholds" not in next(iter(apart.values()))
for value in shown["values"]:
    for key in ("observed", "min", "max", "zeros", "nan", "inf"):
        assert apart[value["name"]][key] == value[key], (value, apart[value["name"]])
PYTHON
"$ETALON" inspect run/archive.h5 >run.txt
"$ETALON" inspect run/archive.h5 --thresholds >more.txt
for words in '40 of 40 records used' '^thresholds moved by' '^job:' '^image .* 122880 ' '^target tnn' '^stem_conv  *sweep'; do
  grep -q -- "$words" run.txt || { cat run.txt >&2; fail "expected \"$words\""; }
done
grep -q '^value  *minmax  *mse' more.txt && ! grep -q '^value  *minmax' run.txt || fail "--thresholds"
sed '/^thresholds for signed/,/^$/d' more.txt | diff run.txt - || fail "--thresholds changes more than its table"
expect 64 "--thresholds is of an archive" "$ETALON" inspect "$demo/demo.onnx" --thresholds
echo "ok: archives"

# ---- datasets ----

"$ETALON" inspect pictures/evaluation --json >images.json || fail "a folder"
"$ETALON" dataset build -q pictures pictures/calibration.txt lmdb || fail "dataset build"
"$ETALON" inspect lmdb --json >lmdb.json || fail "an LMDB"
cp -r pictures/evaluation some
echo broken >some/disc/0000.jpg
mkdir none && echo broken >none/a.jpg
"$ETALON" inspect some --json >some.json || fail "one bad picture"
expect 65 "a.jpg" "$ETALON" inspect none
"$PYTHON" - <<'PYTHON' || fail "the JSON of a dataset"
import glob, json
import numpy as np
from PIL import Image

def check(name, files, order):
    shown = json.load(open(name))
    sample, pixels = shown["sample"], np.stack([np.asarray(Image.open(f), np.float64) for f in files])
    if order == "bgr":
        pixels = pixels[..., ::-1]
    assert shown["kind"] == "dataset" and shown["records"] == len(files) and sample["order"] == order, shown
    assert sample["channels"] == [3, 3] and sample["height"] == sample["width"] == [32, 32]
    assert [sample["min"], sample["max"]] == [pixels.min(), pixels.max()]
    assert np.allclose(sample["mean"], pixels.mean((0, 1, 2)), 0, 0.05), (sample["mean"], pixels.mean((0, 1, 2)))
    assert np.allclose(sample["deviation"], pixels.std((0, 1, 2)), 0, 0.05)
    return shown

images = check("images.json", sorted(glob.glob("pictures/evaluation/*/*.jpg")), "rgb")
assert images["sample"]["labels"] is None and images["sample"]["without_label"] == 24
assert images["first"][0] == {"key": "checker/0000.jpg", "label": -1, "shape": [3, 32, 32], "type": "uint8"}
packed = check("lmdb.json", ["pictures/" + line.split()[0] for line in open("pictures/calibration.txt")], "bgr")
assert packed["format"] == "lmdb" and packed["sample"]["labels"] == [0, 9]
some = json.load(open("some.json"))["sample"]
assert some["records"] == 24 and some["bad"] == 1 and "disc/0000.jpg" in some["first_bad"], some
PYTHON
"$ETALON" inspect some | grep -q '^  bad: 1, such as disc/0000.jpg' || fail "the bad picture is not told"
echo "ok: datasets"

# ---- checkpoints ----

"$ETALON" inspect "$SOURCE/tests/formats/torch/checkpoint.legacy.pth" >checkpoint.txt || fail "a checkpoint"
"$ETALON" inspect "$SOURCE/tests/formats/torch/checkpoint.legacy.pth" --json >checkpoint.json || fail "a checkpoint as JSON"
"$PYTHON" - <<'PYTHON' || fail "the JSON of a checkpoint"
import json
shown = json.load(open("checkpoint.json"))
rows = [line.split() for line in open("checkpoint.txt").read().splitlines()[2:]]
assert shown["kind"] == "checkpoint" and len(shown["tensors"]) == len(rows) > 3
for row, tensor in zip(rows, shown["tensors"]):
    assert row == [tensor["name"], tensor["type"], "x".join(map(str, tensor["shape"])) or row[-1]], (row, tensor)
PYTHON
echo "ok: checkpoints"
