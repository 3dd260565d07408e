"""check_accuracy.py REPORT NAME TOP1 [TARGET=LOSS...]: fp32 top-1 within 0.2 points of TOP1 ("any": not compared); every
target at most 1.0 point below fp32, or LOSS where one is named; every target has files and layers with an error.
"""
import json
import sys

report = json.load(open(sys.argv[1]))
name, expected = sys.argv[2:4]
allowed = dict(a.split("=") for a in sys.argv[4:])
found = report["fp32"]["top1"]
line = f"{name}: fp32 {found:.2f} (expected {expected})"
ok = expected == "any" or abs(found - float(expected)) <= 0.2
for target, result in report["targets"].items():
    if "error" in result:
        line += f", {target}: {result['error']}"
        ok = False
        continue
    line += f", {target} {result['top1']:.2f} (agreement {result['agreement']:.2f})"
    ok = ok and result["top1"] >= found - float(allowed.get(target, 1.0))
    ok = ok and len(result["files"]) > 0 and any(layer.get("sqnr_db") is not None for layer in result["layers"])
print(line)
sys.exit(0 if ok else 1)
