"""check_tables.py OUT: do the tables of the targets ncnn, mnn and tensorrt under OUT belong to the float models beside
them? Names are those of nodes and tensors, each once; scales are positive, one or one an output channel; weights need no
more codes than the target has. The models pass the checker and run.
"""
import json
import pathlib
import struct
import sys

import numpy as np
import onnx
import onnxruntime

WITH_WEIGHTS = ("Conv", "Gemm")


def load(folder):
    path = next(folder.glob("*.onnx"))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {i.name: np.ones([d if isinstance(d, int) else 1 for d in i.shape], np.float32) for i in session.get_inputs()}
    assert all(np.isfinite(y).all() for y in session.run(None, inputs))
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors = {o for n in model.graph.node for o in n.output} | set(inputs)
    return {n.name: n for n in model.graph.node}, weights, tensors


def codes(weights, scales):
    """Steps of each weight: one scale, or one an output channel, on axis 0."""
    scales = np.asarray(scales, np.float64)
    assert (scales > 0).all() and len(scales) in (1, len(weights)), len(scales)
    return weights / scales.reshape([-1] + [1] * (weights.ndim - 1))


def check_ncnn(folder):
    nodes, weights, _ = load(folder)
    lines = [line.split() for line in next(folder.glob("*.table")).read_text().splitlines()]
    table = {line[0]: [float(x) for x in line[1:]] for line in lines}
    assert len(table) == len(lines)
    layers = [name for name in table if name in nodes]
    assert layers and len(table) == 2 * len(layers), "a line without a layer"
    for name in layers:
        node, w = nodes[name], weights[nodes[name].input[1]]
        assert node.op_type in WITH_WEIGHTS and len(table[name]) == 1 and table[name][0] > 0
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        # ncnn's own table has one scale an output channel, always
        steps = codes(w, 1 / np.asarray(table[name + "_param_0"]))
        assert len(table[name + "_param_0"]) == len(w)
        is_winograd = (node.op_type == "Conv" and w.shape[2:] == (3, 3) and attributes["group"] == 1
                       and list(attributes["strides"]) == [1, 1] and list(attributes["dilations"]) == [1, 1])
        limit = 31 if is_winograd else 127
        error = np.abs(w - np.clip(np.round(steps), -limit, limit) / np.asarray(table[name + "_param_0"]).reshape([-1] + [1] * (w.ndim - 1)))
        peak = np.abs(w).reshape(len(w), -1).max(axis=1).reshape([-1] + [1] * (w.ndim - 1))
        assert (error <= 0.5 * peak).all(), f"{name}: a weight is clipped to less than half"
    return len(layers)


def check_tensorrt(folder):
    nodes, weights, tensors = load(folder)
    first, *lines = next(folder.glob("*.cache")).read_text().splitlines()
    assert first == "TRT-8601-EntropyCalibration2", first
    names = [line.rsplit(": ", 1)[0] for line in lines]
    scales = [struct.unpack(">f", bytes.fromhex(line.rsplit(": ", 1)[1]))[0] for line in lines]
    assert len(set(names)) == len(names) and set(names) <= tensors and min(scales) > 0
    n = sum(node.op_type in WITH_WEIGHTS and node.input[0] in names for node in nodes.values())
    return n


def check_mnn(folder):
    nodes, weights, tensors = load(folder)
    pipeline = json.loads(next(folder.glob("*.compress.json")).read_text())
    (algorithm,) = pipeline["algo"]
    assert algorithm["type"] == "QUANTIZE"
    producers = {o: n for n in nodes.values() for o in n.output}
    for layer in algorithm["quant_params"]["layer"]:
        (x,), (w,), (y,) = layer["input"], layer["weight"], layer["output"]
        assert {x["name"], y["name"]} <= tensors
        for part in (x, w, y):
            assert part["bits"] == 8 and (part["clamp_min"], part["clamp_max"]) == (-127, 127)
        assert len(x["scales"]) == len(y["scales"]) == 1 and x["zero_point"] == y["zero_point"] == 0
        node = producers[y["name"]]
        while node.op_type not in WITH_WEIGHTS:
            node = producers[node.input[0]]
        assert node.input[0] == x["name"]
        codes(weights[node.input[1]], w["scales"])
    return len(algorithm["quant_params"]["layer"])


out = pathlib.Path(sys.argv[1])
for target, check in (("ncnn", check_ncnn), ("tensorrt", check_tensorrt), ("mnn", check_mnn)):
    n = check(out / target)
    assert n > 0 and (out / target / "README.md").stat().st_size > 0
    print(f"  {target}: {n} layers")
