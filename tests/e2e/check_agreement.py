"""check_agreement.py MODEL.onnx CHOICES COLUMN KIND DATA PERCENT [OUTPUT [plain]]: ONNX Runtime runs the model on as many
evaluation records as CHOICES (of `etalon evaluate --choices`) has lines; the arg-max of its output (the first one) must
equal column COLUMN on at least PERCENT of them. KIND: see pictures.py.
"""
import sys

import numpy as np
import onnxruntime

import pictures

model, choices, column, kind, data, percent = sys.argv[1:7]
with open(choices) as file:
    column = file.readline().split().index(column)
    ours = np.array([int(line.split()[column]) for line in file])
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
if sys.argv[8:9] == ["plain"]:  # as the operators are defined, nothing fused
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
inputs = session.get_inputs()[0]
batch = inputs.shape[0] if isinstance(inputs.shape[0], int) else 50
x, labels = pictures.load(kind, data, len(ours))
theirs = np.concatenate([
    session.run(sys.argv[7:8] or None, {inputs.name: x[i : i + batch]})[0].reshape(len(x[i : i + batch]), -1).argmax(1)
    for i in range(0, len(x), batch)
])
agreement = 100 * np.mean(ours == theirs)
print(f"  {model.rsplit('/', 1)[-1]}: ONNX Runtime agrees with column {sys.argv[3]} on {agreement:.2f} % of {len(ours)}"
      + (f", top-1 {100 * np.mean(theirs == labels):.2f}" if kind != "ultraface" else ""))
sys.exit(0 if agreement >= float(percent) else 1)
