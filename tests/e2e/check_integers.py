"""check_integers.py MODEL.onnx FOLDER NAMES PERCENT: ONNX Runtime's integers against those of our simulation.

FOLDER holds what tests/run_simulation.c wrote, NAMES its standard output. Every tensor that a DequantizeLinear reads
becomes an output of MODEL, which runs as the runtime optimises it. At least PERCENT of all codes must be equal; values
with differences are listed, with the operator that made them.
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort

path, folder, names, percent = sys.argv[1:5]
with open(names) as file:
    values = dict(reversed(line.rstrip("\n").split(" ", 1)) for line in file)

model = onnx.load(path)
constants = {i.name for i in model.graph.initializer}
makers = {o: n for n in model.graph.node for o in n.output}
read = sorted({n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"} - constants)
known = {o.name for o in model.graph.output}
types = {t.name: t.data_type for t in model.graph.initializer}
for name in read:
    if name not in known:
        kind = types[makers[name].input[2]] if makers[name].op_type == "QuantizeLinear" else onnx.TensorProto.UINT8
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))

options = ort.SessionOptions()
options.log_severity_level = 3
session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
inputs = [np.fromfile(f"{folder}/input.{i}", np.float32) for i in range(len(session.get_inputs()))]
shapes = [[d if isinstance(d, int) else 1 for d in i.shape] for i in session.get_inputs()]
records = inputs[0].size // int(np.prod(shapes[0]))

suffix = "/quantized"
ours = {name: np.fromfile(f"{folder}/value.{values[name[:-len(suffix)]]}", np.int16).reshape(records, -1)
        for name in read if name[:-len(suffix)] in values}
missing = [name for name in read if name not in ours]
different, total = dict.fromkeys(ours, 0), 0
largest = dict.fromkeys(ours, 0)
for r in range(records):
    feed = {i.name: x.reshape(records, *s)[r].reshape(s) for i, x, s in zip(session.get_inputs(), inputs, shapes)}
    for name, theirs in zip(ours, session.run(list(ours), feed)):
        miss = np.abs(theirs.ravel().astype(int) - ours[name][r])
        different[name] += int(np.count_nonzero(miss))
        largest[name] = max(largest[name], int(miss.max()))
        total += miss.size
for name in (n for n in ours if different[n] > 0):
    source = makers[makers[name].input[0]].op_type if makers[name].input[0] in makers else "input"
    print(f"  {name} ({source}): {different[name]} of {ours[name].size} differ, by up to {largest[name]}")
equal = 100 * (1 - sum(different.values()) / total)
print(f"  {len(ours)} values, {records} records: {equal:.5f} % of {total} codes are ONNX Runtime's")
if missing:
    print("  not simulated as integers: " + ", ".join(missing), file=sys.stderr)
sys.exit(0 if equal >= float(percent) and not missing and ours else 1)
