"""check_given.py FIRST.json SECOND.json: a model that the first job wrote for onnx-qdq, calibrated again by the second: every
value that both reports list kept its threshold, but for rounding, and the second one says that it was given.
"""
import json
import sys


def layers(path):
    with open(path) as file:
        return {layer["name"].removesuffix("/float"): layer for layer in json.load(file)["targets"]["onnx-qdq"]["layers"]}


first, second = (layers(path) for path in sys.argv[1:3])
quantized = [name for name in first if first[name].get("threshold")]
names = [name for name in quantized if name in second]
wrong = [name for name in names if second[name]["method"] != "given" or
         abs(second[name]["threshold"] / first[name]["threshold"] - 1) > 1e-6]
print(f"  {len(names)} of {len(quantized)} values in both reports, {len(wrong)} with another threshold")
sys.exit(f"for instance {wrong[0]}: {first[wrong[0]]}, {second[wrong[0]]}" if wrong else len(names) < 0.9 * len(quantized))
