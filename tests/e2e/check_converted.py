"""check_converted.py REFERENCE.onnx MODEL.onnx...: each MODEL passes ONNX's own checker; ONNX Runtime runs it on eight random
inputs, and every output of the reference exists in it under its name and differs by at most 1e-4 of the largest element.
"""
import sys

import numpy as np
import onnx
import onnxruntime

RECORDS, TOLERANCE = 8, 1e-4
reference, *models = sys.argv[1:]


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


expected = session(reference)
names = [output.name for output in expected.get_outputs()]
inputs = {i.name: [1 if not isinstance(d, int) else d for d in i.shape] for i in expected.get_inputs()}
ok = True
for path in models:
    onnx.checker.check_model(path, full_check=True)
    found = session(path)
    numbers = np.random.default_rng(1)
    worst = 0
    for _ in range(RECORDS):
        x = {name: numbers.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()}
        for a, b in zip(expected.run(names, x), found.run(names, x)):
            worst = max(worst, float(np.abs(a - b.reshape(a.shape)).max() / np.abs(a).max()))
    print(f"  {path}: differs by {worst:.1e} of the largest output")
    ok = ok and worst <= TOLERANCE
sys.exit(0 if ok else 1)
