"""Runs in TensorFlow what the targets cambricon-* emit for its users.

    check_cambricon_tensorflow.py float PB INPUTS OUTPUTS     PB on float32 INPUTS of a record, in channels first, gives
                                                              OUTPUTS to 1e-5
    check_cambricon_tensorflow.py int PB FLOAT_PB BITS VALUES NAME FILE N DECIBEL
                                                              the graph with the vendor's operators, each replaced by what
                                                              its documents say it computes, on the N records VALUES/input.0:
                                                              node NAME gives the reals VALUES/value.FILE of the simulation,
                                                              within noise of DECIBEL below them; the outputs are near
                                                              those of FLOAT_PB
"""
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def read_graph(path):
    graph = tf1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    return graph


def run(graph, records, *names):
    """records[N][C][H][W] through the only input to nodes; those named, and the last one."""
    given = [node for node in graph.node if node.op == "Placeholder"]
    assert len(given) == 1, [node.name for node in given]
    shape = [dim.size for dim in given[0].attr["shape"].shape.dim]
    x = records.transpose(0, 2, 3, 1)
    assert list(x.shape[1:]) == shape[1:], (x.shape, shape)
    with tf.Graph().as_default(), tf1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run([name + ":0" for name in (*names, graph.node[-1].name)], {given[0].name + ":0": x})


def decibel(out, want):
    out, want = (np.ravel(x).astype(np.float64) for x in (out, want))
    return 10 * np.log10((want ** 2).sum() / max(1e-30, ((out - want) ** 2).sum()))


SETTINGS = {"Conv2D": {"FilterT", "InT", "OutT", "strides", "padding", "data_format", "input_scale", "paddings"},
            "MLP": {"T", "T1", "input_scale", "filter_scale", "transpose_a", "transpose_b"}}
SETTINGS["Conv2DBias"], SETTINGS["MatMul"] = SETTINGS["Conv2D"], SETTINGS["MLP"]


def replace(graph, bits):
    """In operators of TensorFlow: clamp(round(S x)) / S, times weights / their S. Half to even, as the tool rounds."""
    out, integers, n = tf1.GraphDef(), {}, 0
    names = {node.name: node for node in graph.node}
    largest, whole = 2 ** (bits - 1) - 1, {8: tf.int8, 16: tf.int16}[bits]

    def const(name, array):
        node = out.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.asarray(array, np.float32)))
        return name

    def step(op, name, *inputs):
        node = out.node.add(name=name, op=op, input=inputs)
        node.attr["T"].type = tf.float32.as_datatype_enum
        return name

    for node in graph.node:
        if not node.op.startswith(f"Int{bits}"):
            assert not node.op.startswith("Int"), node.op
            if node.op != "Const" or node.attr["dtype"].type != whole.as_datatype_enum:
                out.node.add().CopyFrom(node)
            continue
        n += 1
        kind, name, x, filter_name = node.op[len(f"Int{bits}"):], node.name, node.input[0], node.input[1]
        scales = "filter_scales" if "filter_scales" in node.attr else "filter_scale"
        assert set(node.attr) == SETTINGS[kind] | {scales}, (name, set(node.attr))
        codes = tf.make_ndarray(names[filter_name].attr["value"].tensor)
        factors = np.array(node.attr[scales].list.f if scales == "filter_scales" else [node.attr[scales].f], np.float32)
        assert codes.dtype == whole.as_numpy_dtype and len(factors) in (1, codes.shape[-1]), (name, codes.dtype)
        assert np.abs(codes.astype(int)).max() > largest // 2, name  # the range is used
        weights = const(filter_name, codes.astype(np.float32) / factors)
        factor = const(name + "/S", node.attr["input_scale"].f)
        x = step("Rint", name + "/round", step("Mul", name + "/steps", x, factor))
        x = step("Minimum", name + "/high", x, const(name + "/most", largest))
        x = step("Maximum", name + "/low", x, const(name + "/least", -largest - 1))
        x = step("RealDiv", name + "/reals", x, factor)
        with_bias = len(node.input) == 3
        assert with_bias == (kind in ("Conv2DBias", "MLP"))
        inner = name + "/product" if with_bias else name
        y = out.node.add(name=inner, op="Conv2D" if kind.startswith("Conv2D") else "MatMul", input=[x, weights])
        y.attr["T"].type = tf.float32.as_datatype_enum
        for key in ("strides", "padding", "data_format", "transpose_a", "transpose_b"):
            if key in node.attr:
                y.attr[key].CopyFrom(node.attr[key])
        if with_bias:
            step("BiasAdd", name, inner, node.input[2])
    assert n > 0
    return out, n


def shape_of(graph):
    rows = next(node for node in graph.node if node.op == "Placeholder").attr["shape"].shape.dim
    return rows[3].size, rows[1].size, rows[2].size


if sys.argv[1] == "float":
    graph = read_graph(sys.argv[2])
    x = np.fromfile(sys.argv[3], np.float32).reshape(1, *shape_of(graph))
    out, want = run(graph, x)[0].ravel(), np.fromfile(sys.argv[4], np.float32)
    error = np.abs(out - want).max() / np.abs(want).max()
    print(f"float: differs by {error:.1e}")
    assert error < 1e-5
else:
    pb, float_pb, bits, values, name, file, n, least = sys.argv[2:]
    graph, layers = replace(read_graph(pb), int(bits))
    x = np.fromfile(values + "/input.0", np.float32).reshape(int(n), *shape_of(graph))
    inner, out = run(graph, x, name)
    simulated = decibel(inner, np.fromfile(f"{values}/value.{file}", np.float32))
    real = decibel(out, run(read_graph(float_pb), x)[0])
    print(f"int{bits}: {layers} layers of integers; {simulated:.0f} dB above the noise of the simulation, {real:.0f} dB of fp32")
    assert simulated > float(least) and real > {"8": 5, "16": 30}[bits]
