"""Compares what real TensorFlow computes from an exported GraphDef with ONNX Runtime's outputs of the source.

    check_tensorflow.py run GRAPH.pb OUT.npz SEED          (TensorFlow's environment)
    check_tensorflow.py compare SOURCE.onnx OUT.npz SEED   (the tests' environment)

Inputs of four axes are drawn as the ONNX file has them and transposed for TensorFlow. Outputs have the source's axes.
"""
import sys

import numpy as np

TOLERANCE = 1e-4  # of an output's largest element


def draw(shape, seed):
    shape = [d if isinstance(d, int) and d > 0 else 1 for d in shape]
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(graph_path, out_path, seed):
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    with open(graph_path, "rb") as file:
        graph.ParseFromString(file.read())
    with tf.Graph().as_default() as g:
        tf.import_graph_def(graph, name="")
    read = {i.split(":")[0] for n in graph.node for i in n.input}
    outputs = [n.name for n in graph.node if n.name not in read]
    feed = {}
    for node in graph.node:
        if node.op == "Placeholder":
            shape = [1 if d.size < 0 else d.size for d in node.attr["shape"].shape.dim]
            if len(shape) == 4:
                feed[node.name + ":0"] = draw([shape[0], shape[3], shape[1], shape[2]], seed).transpose(0, 2, 3, 1)
            else:
                feed[node.name + ":0"] = draw(shape, seed)
    with tf.compat.v1.Session(graph=g) as session:
        values = session.run([o + ":0" for o in outputs], feed)
    np.savez(out_path, **dict(zip(outputs, values)))


def compare(source, out_path, seed):
    import onnxruntime as ort

    session = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
    feed = {i.name: draw(i.shape, seed) for i in session.get_inputs()}
    found = np.load(out_path)
    worst = 0.0
    for output, expected in zip(session.get_outputs(), session.run(None, feed)):
        if output.name not in found:
            sys.exit(f"output {output.name} is missing; there are {sorted(found)}")
        if found[output.name].shape != expected.shape:
            sys.exit(f"output {output.name}: expected {expected.shape}, found {found[output.name].shape}")
        worst = max(worst, np.abs(found[output.name] - expected).max() / np.abs(expected).max())
    print(f"worst difference {worst:.1e} of the largest element")
    if not worst <= TOLERANCE:
        sys.exit(f"more than {TOLERANCE}")


if __name__ == "__main__":
    {"run": run, "compare": compare}[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
