"""check_random_int8.py NAME MODEL.onnx OUT CHOICES PICTURES PERCENT: ONNX Runtime on the model and on the one that a job has
written to the folder OUT, against what the job's simulation of int8 said. On at least PERCENT of the pictures both choose
the same (CHOICES is of `etalon evaluate --choices`: arg-max of the first output), in fp32 as in int8; the error of the
first output is what the report says; and every output has a cosine of at least COSINE with fp32's.
"""
import glob
import json
import sys

import numpy as np
import onnxruntime

sys.path.insert(0, sys.path[0] + "/..")
import random_networks

COSINE = 0.99
SQNR_DB = 0.5  # ONNX Runtime rounds some layers otherwise (averages, interpolation), by a step here and there

name, model, out, choices, pictures, percent = sys.argv[1:7]


def run(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [[y.ravel().astype(np.float64) for y in session.run(None, {session.get_inputs()[0].name: x})]
            for x in random_networks.load_pictures(name, pictures)]


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


with open(choices) as file:
    columns = file.readline().split()
    chosen = dict(zip(columns, np.array([[int(field) for field in line.split()] for line in file]).T))
with open(f"{out}/report.json") as file:
    reported = json.load(file)["targets"]["onnx-qdq"]["sqnr_db"]
outputs = {"fp32": run(model), "onnx-qdq": run(glob.glob(f"{out}/onnx-qdq/*.onnx")[0])}
same = {which: 100 * np.mean([record[0].argmax() == choice for record, choice in zip(records, chosen[which], strict=True)])
        for which, records in outputs.items()}
pairs = list(zip(*outputs.values()))
least = min(cosine(a, b) for x, y in pairs for a, b in zip(x, y))
sqnr = 10 * np.log10(sum(x[0] @ x[0] for x, _ in pairs) / sum(((x[0] - y[0]) ** 2).sum() for x, y in pairs))
print(f"  {name}: same choice on {same['fp32']:.1f} % (fp32) and {same['onnx-qdq']:.1f} % (int8) of "
      f"{len(pairs)}, SQNR {sqnr:.2f} dB where the report says {reported:.2f}, least cosine to fp32 {least:.5f}")
sys.exit(0 if min(same.values()) >= float(percent) and least >= COSINE and abs(sqnr - reported) <= SQNR_DB else 1)
