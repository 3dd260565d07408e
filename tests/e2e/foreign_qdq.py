"""foreign_qdq.py make FLOAT.onnx INPUTS OUT.onnx NAME | check MODEL.onnx INPUTS CHOICES PERCENT: models of another quantizer.

`make` has ONNX Runtime's static quantizer make a Q/DQ model, in one of its ways, of the records in INPUTS (float32, as
tests/run_simulation.c writes them); with "conv-biases" and "gemm-biases" those have scales that are not those of the accumulators, with "blocks" weights of 4 input channels share a scale. `check` runs MODEL on INPUTS in ONNX Runtime: at least PERCENT of its arg-max must be
those that `etalon evaluate --choices` has for the target.
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

WAYS = {
    "default": {},
    "channels": {"per_channel": True},
    "signed": {"per_channel": True, "activation_type": QuantType.QInt8},
    "symmetric": {"per_channel": True, "activation_type": QuantType.QInt8,
                  "extra_options": {"ActivationSymmetric": True}},
    "conv-biases": {"per_channel": True},
    "gemm-biases": {"per_channel": True},
    "blocks": {"per_channel": True},
}


def records(path, model):
    shape = [1 if not d.dim_value else d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    return np.fromfile(path, np.float32).reshape(-1, *[1, *shape[1:]])


class Reader(CalibrationDataReader):
    def __init__(self, name, data):
        self.feed = iter({name: x} for x in data)

    def get_next(self):
        return next(self.feed, None)


def coarsen_biases(path, op, factor):
    """Codes of a `factor`-th, by scales that are `factor` times as large: almost the same biases of these operators."""
    model = onnx.load(path)
    constants = {constant.name: constant for constant in model.graph.initializer}
    biases = {node.input[2] for node in model.graph.node if node.op_type == op and len(node.input) > 2}

    def replace(name, change):
        constants[name].CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(constants[name])), name))

    for node in model.graph.node:
        if node.output[0] in biases:
            replace(node.input[0], lambda x: np.rint(x / factor).astype(np.int32))
            replace(node.input[1], lambda x: (x * factor).astype(np.float32))
    assert biases
    onnx.save(model, path)


def cut_into_blocks(path, size):
    """Convolutions whose weights have a scale for each `size` input channels of an output channel, tap by tap."""
    model = onnx.load(path)
    model.opset_import[0].version, model.ir_version = 21, 10
    constants = {constant.name: constant for constant in model.graph.initializer}
    made_by = {node.output[0]: node for node in model.graph.node}
    cut = 0

    for node in [node for node in model.graph.node if node.op_type == "Conv"]:
        dequantize = made_by[node.input[1]]
        codes, scales = (onnx.numpy_helper.to_array(constants[name]) for name in dequantize.input[:2])
        if codes.shape[1] <= size:
            continue
        weights = codes * scales.reshape(-1, 1, 1, 1)
        edges = range(0, codes.shape[1], size)
        steps = np.stack([np.abs(weights[:, a:a + size]).max(1) for a in edges], 1).astype(np.float32) / 127 + 1e-12
        codes = np.rint(weights / steps.repeat(size, 1)[:, :codes.shape[1]]).astype(np.int8)
        for i, data in enumerate((codes, steps, np.zeros(steps.shape, np.int8))):
            name = f"{node.name} blocks {i}"
            model.graph.initializer.append(onnx.numpy_helper.from_array(data, name))
            dequantize.input[i] = name
        del dequantize.attribute[:]
        dequantize.attribute.extend([onnx.helper.make_attribute("axis", 1), onnx.helper.make_attribute("block_size", size)])
        cut += 1
    assert cut > 0
    onnx.save(model, path)


def make(path, inputs, out, way):
    quant_pre_process(path, out, skip_symbolic_shape=True)  # folds normalisations, as its manual advises
    model = onnx.load(out)
    quantize_static(model, out, Reader(model.graph.input[0].name, records(inputs, model)),
                    quant_format=QuantFormat.QDQ, **WAYS[way])
    if way == "blocks":
        cut_into_blocks(out, 4)
    if way.endswith("-biases"):
        coarsen_biases(out, way.removesuffix("-biases").capitalize(), 16)


def check(path, inputs, choices, percent):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    theirs = [int(np.argmax(session.run(None, {name: x})[0])) for x in records(inputs, onnx.load(path))]
    ours = np.loadtxt(choices, dtype=int, skiprows=1)[:, -1][:len(theirs)]
    equal = 100 * float(np.mean(np.array(theirs) == ours))
    print(f"  {equal:.2f} % of {len(theirs)} arg-max are ONNX Runtime's")
    sys.exit(0 if equal >= float(percent) and len(theirs) > 0 else 1)


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    check(*sys.argv[2:])
