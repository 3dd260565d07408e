"""check_accuracy.py REPORT NAME TOP1: fp32 top-1 within 0.2 points of TOP1, every target within 1.0 point below fp32."""
import json
import sys

report = json.load(open(sys.argv[1]))
name, expected = sys.argv[2], float(sys.argv[3])
found = report["fp32"]["top1"]
line = f"{name}: fp32 {found:.2f} (expected {expected:.2f})"
ok = abs(found - expected) <= 0.2
for target, result in report["targets"].items():
    if "error" in result:
        line += f", {target}: {result['error']}"
        ok = False
        continue
    line += f", {target} {result['top1']:.2f} (agreement {result['agreement']:.2f})"
    ok = ok and result["top1"] >= found - 1.0
    ok = ok and len(result["files"]) > 0 and any(layer.get("sqnr_db") is not None for layer in result["layers"])
print(line)
sys.exit(0 if ok else 1)
