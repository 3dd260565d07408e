"""check_integers.py MODEL.onnx FOLDER NAMES PERCENT [--node-by-node]: ONNX Runtime's integers against those of our simulation.

FOLDER holds what tests/run_simulation.c wrote, NAMES its standard output. Every tensor that a DequantizeLinear reads
becomes an output of MODEL, which runs as the runtime optimises it. At least PERCENT of all codes must be equal; values
with differences are listed, with the operator that made them.

--node-by-node: every DequantizeLinear is given the simulation's codes, so that each value shows its own node's rounding
alone, and no code may differ by more than 1. For arithmetic that the runtime does in float, whose rounding later nodes
would enlarge.
"""
import argparse

import numpy as np
import onnx
import onnxruntime as ort

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("folder")
parser.add_argument("names")
parser.add_argument("percent", type=float)
parser.add_argument("--node-by-node", action="store_true")
arguments = parser.parse_args()
folder = arguments.folder
with open(arguments.names) as file:
    values = dict(reversed(line.rstrip("\n").split(" ", 1)) for line in file)

model = onnx.load(arguments.model)
constants = {i.name for i in model.graph.initializer}
makers = {o: n for n in model.graph.node for o in n.output}
read = sorted({n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"} - constants)
known = {o.name for o in model.graph.output}
types = {t.name: t.data_type for t in model.graph.initializer}
kinds = {name: types[makers[name].input[2]] if makers[name].op_type == "QuantizeLinear" else onnx.TensorProto.UINT8
         for name in read}
for name in read:
    if name not in known:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kinds[name], None))


def open_session():
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def given(name):
    return name + "/given"


def cut():
    """The model with the codes that its DequantizeLinear nodes read as inputs."""
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in ours:
            node.input[0] = given(node.input[0])
    for name in ours:
        model.graph.input.append(onnx.helper.make_tensor_value_info(given(name), kinds[name], None))
    return open_session()


session = open_session()
inputs = [(i.name, [d if isinstance(d, int) else 1 for d in i.shape], np.fromfile(f"{folder}/input.{k}", np.float32))
          for k, i in enumerate(session.get_inputs())]
records = inputs[0][2].size // int(np.prod(inputs[0][1]))
feeds = [{name: x.reshape(records, *shape)[r].reshape(shape) for name, shape, x in inputs} for r in range(records)]

suffix = "/quantized"
ours = {name: np.fromfile(f"{folder}/value.{values[name[:-len(suffix)]]}", np.int16).reshape(records, -1)
        for name in read if name[:-len(suffix)] in values}
missing = [name for name in read if name not in ours]
if arguments.node_by_node:
    examples = dict(zip(ours, session.run(list(ours), feeds[0])))
    session = cut()
    for r, feed in enumerate(feeds):
        feed.update({given(n): ours[n][r].astype(x.dtype).reshape(x.shape) for n, x in examples.items()})

different, total = dict.fromkeys(ours, 0), 0
largest = dict.fromkeys(ours, 0)
for r, feed in enumerate(feeds):
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
    print("  not simulated as integers: " + ", ".join(missing))
too_large = arguments.node_by_node and max(largest.values()) > 1
raise SystemExit(0 if equal >= arguments.percent and not too_large and not missing and ours else 1)
