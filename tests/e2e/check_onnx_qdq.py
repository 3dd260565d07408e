#!/usr/bin/env python3
"""Does the rest of the world understand an emitted onnx-qdq file?

    check_onnx_qdq.py MODEL.onnx [--float FLOAT.onnx] [--batch N]

Runs onnx.checker, opens an ONNX Runtime session with default optimisation, runs random input in batches of 1 and N, and
prints shapes and the operators that the runtime really executes. With --float the fp32 model's outputs are compared.
Exits 1 when the file is refused, when a record's result depends on its batch, when outputs are not finite, or when a
convolution that is quantized on both sides was not fused into an integer kernel. Needs the Python packages onnx, onnxruntime, numpy.
"""
import argparse
import collections
import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort


def open_session(path, optimised_path=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if optimised_path:
        options.optimized_model_filepath = optimised_path
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def random_feed(session, batch, rng):
    return {i.name: rng.standard_normal([batch] + list(i.shape[1:])).astype(np.float32) for i in session.get_inputs()}


def fusable(graph):
    """Nodes whose activations, weights and output all pass through DequantizeLinear / QuantizeLinear."""
    producer = {o: n for n in graph.node for o in n.output}
    readers = collections.defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        inputs = [producer.get(name) for name in node.input]
        after = readers[node.output[0]]
        if all(p is not None and p.op_type == "DequantizeLinear" for p in inputs) and \
                len(after) == 1 and after[0].op_type == "QuantizeLinear":
            yield node


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--float", dest="reference", help="the fp32 model to compare with")
    parser.add_argument("--batch", type=int, default=3)
    arguments = parser.parse_args()

    model = onnx.load(arguments.model)
    onnx.checker.check_model(model, full_check=True)
    print("metadata", {p.key: p.value for p in model.metadata_props})
    print("operators", dict(collections.Counter(n.op_type for n in model.graph.node)))

    with tempfile.TemporaryDirectory() as folder:
        optimised = os.path.join(folder, "optimised.onnx")
        session = open_session(arguments.model, optimised)
        executed = collections.Counter(n.op_type for n in onnx.load(optimised).graph.node)
    print("executed", dict(executed))

    feed = random_feed(session, arguments.batch, np.random.default_rng(7))
    outputs = session.run(None, feed)
    single = session.run(None, {k: v[:1] for k, v in feed.items()})
    faults = []
    for description, many, one in zip(session.get_outputs(), outputs, single):
        print("output", description.name, many.shape)
        if not np.isfinite(many).all():
            faults.append(f"output {description.name} is not finite")
        if many.shape[0] != arguments.batch or not np.allclose(many[:1], one, rtol=1e-4, atol=1e-4):
            faults.append(f"output {description.name}: a record's result depends on its batch")

    wanted = collections.Counter(n.op_type for n in fusable(model.graph))
    if executed["QLinearConv"] < wanted["Conv"]:
        faults.append(f"{wanted['Conv']} convolutions are quantized on both sides, {executed['QLinearConv']} were fused")
    if executed["QGemm"] < wanted["Gemm"]:
        faults.append(f"{wanted['Gemm']} Gemm are quantized on both sides, {executed['QGemm']} were fused")

    if arguments.reference:
        reference = open_session(arguments.reference)
        names = [o.name for o in session.get_outputs()]
        expected = reference.run(names, {k: v[:1] for k, v in feed.items()})
        for name, a, b in zip(names, expected, single):
            noise = float(np.sum((a - b) ** 2))
            print("sqnr_db", name, round(10 * np.log10(float(np.sum(a**2)) / noise), 2) if noise else "inf")

    for fault in faults:
        print("FAULT", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
