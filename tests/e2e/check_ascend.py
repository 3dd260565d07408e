"""Reads what the target ascend emits with TensorFlow, which does not know the vendor's operators.

    check_ascend.py structure FOLDER NAME                    every GraphDef parses; operators, attributes and shapes are
                                                             those of the vendor's registrations; numbers are the record's
    check_ascend.py float PB INPUTS OUTPUTS                  runs PB on float32 files INPUTS.0 ... of the source's order
                                                             of axes; its outputs equal OUTPUTS.0 ... to 1e-5
    check_ascend.py choices FOLDER NAME CHOICES KIND DATA PERCENT TWIN_PERCENT
                                                             the quantized graph, each of the vendor's operators replaced
                                                             by what its CPU kernel is documented to do, chooses what
                                                             column "ascend" of CHOICES says on PERCENT of the records,
                                                             the twin on TWIN_PERCENT

Needs TensorFlow, numpy and, for choices, PIL. The record is read with the protobuf package and a schema of this file's own.
"""
import json
import sys

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

SETTINGS = {"AscendQuant": {"T", "quant_bits", "scale", "offset"}, "AscendWeightQuant": {"T"},
            "AscendDequant": {"T", "ksize", "data_format"}}
CHANNEL_AXES = {"Conv2D": (3,), "DepthwiseConv2dNative": (2, 3), "Conv2DBackpropInput": (2,), "MatMul": ()}


# ---- reading ----

def read_graph(path):
    graph = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    return graph


def read_record(path):
    """From the table of the vendor's manual."""
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="AMCTTensorflow", syntax="proto2")
    field = descriptor_pb2.FieldDescriptorProto
    layer = file.message_type.add(name="SingleLayerRecord")
    for name, number, label, kind in [("scale_d", 1, 1, field.TYPE_FLOAT), ("offset_d", 2, 1, field.TYPE_INT32),
                                      ("scale_w", 3, 3, field.TYPE_FLOAT), ("offset_w", 4, 3, field.TYPE_INT32),
                                      ("shift_bit", 5, 3, field.TYPE_UINT32), ("skip_fusion", 9, 1, field.TYPE_BOOL)]:
        layer.field.add(name=name, number=number, label=label, type=kind)
    entry = file.message_type.add(name="MapFiledEntry")
    entry.field.add(name="key", number=1, label=1, type=field.TYPE_STRING)
    entry.field.add(name="value", number=2, label=1, type=field.TYPE_MESSAGE, type_name=".AMCTTensorflow.SingleLayerRecord")
    record = file.message_type.add(name="ScaleOffsetRecord")
    record.field.add(name="record", number=1, label=3, type=field.TYPE_MESSAGE, type_name=".AMCTTensorflow.MapFiledEntry")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("AMCTTensorflow.ScaleOffsetRecord"))()
    with open(path) as text:
        text_format.Parse(text.read(), message)
    return {entry.key: entry.value for entry in message.record}


def by_name(graph):
    return {node.name: node for node in graph.node}


def source(text):
    return text.split(":")[0].lstrip("^")


def constant(nodes, name):
    while nodes[name].op == "Identity":
        name = source(nodes[name].input[0])
    return tf.make_ndarray(nodes[name].attr["value"].tensor)


def outputs_of(graph):
    read = {source(i) for node in graph.node for i in node.input}
    return [node.name for node in graph.node if node.name not in read]


# ---- structure ----

def check_layer(nodes, layer, scales, folded):
    """One layer of the record, from AscendQuant to AscendDequant; returns its AscendDequant."""
    data = 2 if layer.op == "Conv2DBackpropInput" else 0
    quant = nodes[source(layer.input[data])]
    assert quant.op == "AscendQuant", (layer.name, quant.op)
    assert quant.attr["quant_bits"].i == 8
    assert np.float32(quant.attr["scale"].f) == np.float32(1) / np.float32(scales.scale_d), layer.name
    assert quant.attr["offset"].f == scales.offset_d
    readers = [n for n in nodes.values() if layer.name in map(source, n.input)]
    assert len(readers) == 1 and readers[0].op == "AscendDequant", (layer.name, [r.op for r in readers])
    packed = constant(nodes, source(readers[0].input[1]))
    assert packed.dtype == np.uint64 and not (packed >> np.uint64(32)).any()
    expected = np.float32(scales.scale_d) * np.array(list(scales.scale_w) or [1], np.float32)
    assert packed.shape == expected.shape and (packed.astype(np.uint32).view(np.float32) == expected).all(), layer.name
    ksize = list(readers[0].attr["ksize"].list.i)
    if layer.op == "AvgPool":
        assert not scales.scale_w and ksize == list(layer.attr["ksize"].list.i)[1:3]
        return readers[0]
    assert ksize == [1, 1] and not any(scales.offset_w) and len(scales.offset_w) == len(scales.scale_w)
    weights = nodes[source(layer.input[1])]
    assert weights.op == "AscendWeightQuant", (layer.name, weights.op)
    codes, offsets = (constant(nodes, source(i)) for i in weights.input)
    assert codes.dtype == np.int8 and offsets.dtype == np.int8 and not offsets.any()
    axes = CHANNEL_AXES[layer.op]
    steps = np.array(scales.scale_w, np.float32)
    if steps.size > 1:
        assert steps.size == np.prod([codes.shape[a] for a in axes]), layer.name
        steps = steps.reshape([codes.shape[a] for a in axes] + [1] * (codes.ndim - 1 - max(axes)))
        if len(axes) == 1 or codes.shape[3] == 1:
            assert offsets.ndim == 4 and offsets.shape[axes[0]] == offsets.size == codes.shape[axes[0]], layer.name
    original = constant(folded, source(folded[layer.name].input[1])) if layer.name in folded else None
    if original is not None:
        off = np.abs(np.clip(original / steps, -127, 127) - codes)
        assert off.max() <= 0.5 + 1e-4, (layer.name, off.max())
    return readers[0]


def structure(folder, name):
    folded, quantized = (read_graph(f"{folder}/{name}_{kind}.pb") for kind in ("folded", "quantized"))
    read_graph(f"{folder}/{name}_fake_quant.pb")
    record = read_record(f"{folder}/record.txt")
    before, nodes = by_name(folded), by_name(quantized)
    found = set()
    for node in quantized.node:
        for i in node.input:
            assert source(i) in nodes, (node.name, i)
        if node.op in SETTINGS:
            assert set(node.attr) == SETTINGS[node.op], (node.name, set(node.attr))
            assert node.attr["T"].type == tf.float32.as_datatype_enum
        elif node.name not in before:
            assert node.op == "Const" or node.op in CHANNEL_AXES or node.op == "AvgPool", (node.name, node.op)
    for key, scales in record.items():
        assert before[key].op in CHANNEL_AXES or before[key].op == "AvgPool", key
        layer = nodes[key]
        if layer.op == "AscendDequant": # an output, whose name it took
            layer = nodes[source(layer.input[0])]
        assert layer.op == before[key].op, key
        found.add(check_layer(nodes, layer, scales, before).name)
    assert found == {n.name for n in quantized.node if n.op == "AscendDequant"}
    config, mapping = (json.load(open(f"{folder}/{file}")) for file in ("config.json", f"{name}_quant.json"))
    assert {k for k, v in config.items() if isinstance(v, dict) and v["quant_enable"]} == set(record)
    assert [op["name"] for op in mapping["graph"][0]["op"]] == [n.name for n in quantized.node]
    assert outputs_of(folded) == outputs_of(quantized)
    print(f"  {name}: {len(record)} layers, {len(folded.node)} nodes folded, {len(quantized.node)} quantized")


# ---- running ----

def emulate(graph, rounding):
    """The same graph, with each of the vendor's operators computed as documented."""
    plain = tf.Graph()
    with plain.as_default():
        values = {}

        def value(text):
            name, _, port = text.partition(":")
            return values[name][int(port or 0)]

        for node in graph.node:
            if node.op == "AscendQuant":
                x, scale, offset = value(node.input[0]), node.attr["scale"].f, node.attr["offset"].f
                steps = x * np.float32(scale)
                rounded = tf.round(steps) if rounding == "even" else tf.sign(steps) * tf.floor(tf.abs(steps) + 0.5)
                values[node.name] = [tf.clip_by_value(rounded + offset, -128, 127) - offset]
            elif node.op == "AscendWeightQuant":
                values[node.name] = [tf.cast(value(node.input[0]), tf.float32) -
                                     tf.cast(value(node.input[1]), tf.float32)]
            elif node.op == "AscendDequant":
                packed = constant(by_name(graph), source(node.input[1]))
                values[node.name] = [tf.multiply(value(node.input[0]), tf.constant(packed.astype(np.uint32).view(np.float32)))]
            else:
                single = tf.compat.v1.GraphDef()
                single.node.add().CopyFrom(node)
                single.versions.CopyFrom(graph.versions)
                mapping = {f"in{i}": value(text) for i, text in enumerate(node.input)}
                del single.node[0].input[:]
                for i, key in enumerate(mapping):
                    source_node = single.node.add(name=key, op="Placeholder")
                    source_node.attr["dtype"].type = mapping[key].dtype.as_datatype_enum
                    single.node[0].input.append(key)
                operation = tf.import_graph_def(single, input_map={f"{k}:0": v for k, v in mapping.items()}, name="",
                                                return_elements=[node.name])[0]
                values[node.name] = list(operation.outputs)
        return plain, {n.name: values[n.name][0] for n in graph.node if n.op == "Placeholder"}, \
            [values[o][0] for o in outputs_of(graph)]


def as_is(graph):
    plain = tf.Graph()
    with plain.as_default():
        tf.import_graph_def(graph, name="")
    return plain, {n.name: plain.get_tensor_by_name(n.name + ":0") for n in graph.node if n.op == "Placeholder"}, \
        [plain.get_tensor_by_name(o + ":0") for o in outputs_of(graph)]


def run(runnable, x):
    """x: the source's inputs, channels first, in the order of the file's."""
    graph, inputs, outputs = runnable
    feed = {t: a.transpose(0, 2, 3, 1) if a.ndim == 4 else a for t, a in zip(inputs.values(), x)}
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(outputs, feed)


def compare_float(path, inputs, outputs):
    runnable = as_is(read_graph(path))
    x = []
    for i, tensor in enumerate(runnable[1].values()):
        shape = [1 if d is None else d for d in tensor.shape.as_list()]
        shape = [shape[0], shape[3], shape[1], shape[2]] if len(shape) == 4 else shape
        x.append(np.fromfile(f"{inputs}.{i}", np.float32).reshape(shape))
    worst = 0
    for i, found in enumerate(run(runnable, x)):
        expected = np.fromfile(f"{outputs}.{i}", np.float32)
        worst = max(worst, np.abs(found.ravel() - expected).max() / np.abs(expected).max())
    print(f"  {path.rsplit('/', 1)[-1]}: at most {worst:.1e} of the largest element from our fp32")
    assert worst <= 1e-5, worst


def choose(runnable, x):
    return np.concatenate([run(runnable, [x[i:i + 50]])[0].reshape(len(x[i:i + 50]), -1).argmax(1)
                           for i in range(0, len(x), 50)])


def compare_choices(folder, name, choices, kind, data, percent, twin_percent):
    import pictures

    with open(choices) as file:
        column = file.readline().split().index("ascend")
        ours = np.array([int(line.split()[column]) for line in file])
    x, labels = pictures.load(kind, data, len(ours))
    quantized = read_graph(f"{folder}/{name}_quantized.pb")
    failed = False
    for what, runnable, wanted in [("half to even", emulate(quantized, "even"), percent),
                                   ("half away from zero", emulate(quantized, "away"), twin_percent),
                                   ("twin", as_is(read_graph(f"{folder}/{name}_fake_quant.pb")), twin_percent)]:
        theirs = choose(runnable, x)
        agreement = 100 * np.mean(theirs == ours)
        print(f"  {name}, {what}: TensorFlow agrees with the simulation on {agreement:.2f} % of {len(ours)}, "
              f"top-1 {100 * np.mean(theirs == labels):.2f}")
        failed = failed or agreement < float(wanted)
    return int(failed)


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")
    sys.exit({"structure": structure, "float": compare_float, "choices": compare_choices}[sys.argv[1]](*sys.argv[2:]))
