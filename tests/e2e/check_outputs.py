"""check_outputs.py REFERENCE.onnx MODEL.onnx KIND DATA RECORDS COSINE: ONNX Runtime runs both models; every output of the
reference must exist in the other under its name, with a cosine similarity of at least COSINE on each record.
"""
import sys

import numpy as np
import onnxruntime

import pictures

reference, model, kind, data, records, cosine = sys.argv[1:7]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
pair = [onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for p in (reference, model)]
names = [o.name for o in pair[0].get_outputs()]
least = dict.fromkeys(names, 1.0)
for x in pictures.load(kind, data, int(records))[0]:
    expected, found = (s.run(names, {s.get_inputs()[0].name: x[None]}) for s in pair)
    for name, a, b in zip(names, expected, found):
        a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
        least[name] = min(least[name], a @ b / np.sqrt((a @ a) * (b @ b)))
print(f"  {model.rsplit('/', 1)[-1]}: least cosine on {records} records: "
      + ", ".join(f"{name} {value:.7f}" for name, value in least.items()))
sys.exit(0 if min(least.values()) >= float(cosine) else 1)
