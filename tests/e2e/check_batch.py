"""check_batch.py MODEL.onnx BATCHED.onnx N: a model written for N records at once computes what the model computes for them
one by one, whatever of its inputs is one of N records, or N of one (<name>_0, <name>_1, ...).
"""
import sys

import numpy as np
import onnxruntime


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


single, batched, n = open_session(sys.argv[1]), open_session(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(3)
records = {x.name: rng.standard_normal((n, *x.shape[1:]), np.float32) for x in single.get_inputs()}
feed = {}
for x in batched.get_inputs():
    name, _, index = x.name.rpartition("_")
    whole = x.name in records
    feed[x.name] = records[x.name] if whole else records[name][int(index) : int(index) + 1]
    if x.shape[0] != (n if whole else 1):
        sys.exit(f"{x.name}: a batch of {x.shape[0]}")
found = batched.run(None, feed)
one_by_one = [single.run(None, {name: x[i : i + 1] for name, x in records.items()}) for i in range(n)]
for y, expected in zip(found, map(np.concatenate, zip(*one_by_one)), strict=True):
    if y.shape != expected.shape or not np.allclose(y, expected, rtol=1e-4, atol=1e-4 * abs(expected).max()):
        sys.exit(f"{sys.argv[2]}: another output")
print(f"  {sys.argv[2].rsplit('/', 1)[-1]}: {len(feed)} inputs, a batch of {n}")
