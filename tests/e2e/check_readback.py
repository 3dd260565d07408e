"""check_readback.py OWN.json BACK.json TARGET OWN_NAMES BACK_NAMES OWN_VALUES BACK_VALUES: a model, and the same read back.

Both reports (etalon calibrate's, and etalon evaluate --quantized --json) must say the same of the target, and
tests/run_simulation.c must have found the same codes of the same values in both.
"""
import filecmp
import json
import sys

own_path, back_path, target, own_names, back_names, own_values, back_values = sys.argv[1:8]
with open(own_path) as a, open(back_path) as b:
    own, back = json.load(a), json.load(b)

faults = []


def compare(what, a, b, keys):
    faults.extend(f"{what}: {key}: {a.get(key)} became {b.get(key)}" for key in keys if a.get(key) != b.get(key))


compare("fp32", own["fp32"], back["fp32"], own["fp32"])
a, b = own["targets"][target], back["targets"][target]
compare(target, a, b, [key for key in a if key not in ("layers", "files", "warnings")])
if [layer["name"] for layer in a["layers"]] != [layer["name"] for layer in b["layers"]]:
    faults.append("other layers")
for x, y in zip(a["layers"], b["layers"]):
    compare(x["name"], x, y, ("op", "scale", "channels", "sqnr_db", "cosine", "max_error", "clipped", "used_codes"))

with open(own_names) as a, open(back_names) as b:
    names, found = a.read().splitlines(), b.read().splitlines()
if names != found or not names:
    faults.append(f"codes of other values: {sorted(set(names) ^ set(found))}")
for name in names:
    i = name.split(" ", 1)[0]
    if name in found and not filecmp.cmp(f"{own_values}/value.{i}", f"{back_values}/value.{i}", shallow=False):
        faults.append(f"{name}: other codes")
print("\n".join(faults[:20]))
sys.exit(1 if faults else 0)
