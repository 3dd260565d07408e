"""Scales of blocks of weights ("per group") against one an output channel, in ONNX Runtime.

    python tests/bench/weight_blocks.py FLOAT.onnx QDQ.onnx INPUTS

FLOAT.onnx is a network, QDQ.onnx what Etalon's onnx-qdq made of it, INPUTS records as tests/run_simulation.c writes
them. Blocks are neighbours in the row of weights of an output channel ([input channel][kernel]); a row that they do not
divide keeps one scale. Scales are the best of 31 clipped ranges by squared error, and biases are corrected by the means
of 256 records. Prints a row of Markdown a block size: SQNR of all weights; agreement of arg-max with fp32, of the float
network with these weights, and of QDQ.onnx with them (DequantizeLinear with block_size, opset 21); and images a second of
the latter on one thread. Needs numpy, onnx and onnxruntime.
"""
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process

STEPS, BATCH, RECORDS_FOR_MEANS = 127, 50, 256


def run(model, records, outputs=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batches = [session.run(outputs, {name: records[i:i + BATCH]}) for i in range(0, len(records), BATCH)]
    return [np.concatenate(parts) for parts in zip(*batches)]


def layers(model):
    return {node.name: node for node in model.graph.node if node.op_type in ("Conv", "Gemm")}


def constants(model):
    return {constant.name: constant for constant in model.graph.initializer}


def rows_of(node, weights):
    """A row an output channel."""
    is_transposed = node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute)
    return np.ascontiguousarray(weights.T if is_transposed else weights.reshape(len(weights), -1)), is_transposed


def quantize(rows, block):
    """Codes, and a scale for each block of each row: [rows, blocks]."""
    n, length = rows.shape
    cut = rows.reshape(n, -1, block if block and length % block == 0 else length)
    largest = np.abs(cut).max(2, keepdims=True) + 1e-30
    best = None
    for part in np.linspace(0.7, 1, 31):
        scale = (largest * part / STEPS).astype(np.float32)
        codes = np.clip(np.rint(cut / scale), -STEPS, STEPS)
        error = ((cut - codes * scale) ** 2).sum(2, keepdims=True)
        if best is None:
            best = error, codes, scale
        else:
            best = tuple(np.where(error < best[0], new, old) for new, old in zip((error, codes, scale), best))
    return best[1].reshape(n, length).astype(np.int8), best[2][:, :, 0].astype(np.float32)


def dequantize(codes, scales):
    n, length = codes.shape
    return (codes.reshape(n, scales.shape[1], -1) * scales[:, :, None]).reshape(n, length)


def input_means(model, records):
    """Of each layer: the mean of what each of its input channels reads."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    names = list(layers(model))
    for name, node in layers(model).items():
        axes = [0] if node.op_type == "Gemm" else [0, 2, 3]
        mean = helper.make_node("ReduceMean", [node.input[0]], [f"mean {name}"], axes=axes, keepdims=0)
        probed.graph.node.append(mean)
        probed.graph.output.append(helper.make_empty_tensor_value_info(f"mean {name}"))
    found = run(probed, records, [f"mean {name}" for name in names])
    return {name: x.reshape(len(records) // BATCH, -1).mean(0) for name, x in zip(names, found)}


def shifts(node, miss, mean):
    """By how much the mean of each output channel moves where weights miss by so much: [rows, length]."""
    per_input = miss.reshape(len(miss), -1, taps(node)).sum(2)  # [rows, inputs of the group]
    groups = len(mean) // per_input.shape[1]
    of_row = mean.reshape(groups, -1).repeat(len(miss) // groups, 0)
    return (per_input * of_row).sum(1)


def taps(node):
    shape = next((a.ints for a in node.attribute if a.name == "kernel_shape"), [1])
    return int(np.prod(shape))


def put_bias(model, node, bias):
    name = f"{node.name} corrected"
    model.graph.initializer.append(numpy_helper.from_array(bias, name))
    del node.input[2:]
    node.input.append(name)


def with_blocks(flat, qdq, means, block):
    """The float network and QDQ.onnx with weights of such blocks, and the SQNR of these."""
    plain, coded = onnx.ModelProto(), onnx.ModelProto()
    plain.CopyFrom(flat)
    coded.CopyFrom(qdq)
    coded.opset_import[0].version = max(21, coded.opset_import[0].version)
    coded.ir_version = max(10, coded.ir_version)
    ours, theirs = constants(plain), layers(coded)
    signal = noise = 0
    put_first = []
    for name, node in layers(plain).items():
        weights = numpy_helper.to_array(ours[node.input[1]])
        bias = numpy_helper.to_array(ours[node.input[2]]) if len(node.input) > 2 else 0
        rows, is_transposed = rows_of(node, weights)
        codes, scales = quantize(rows, block)
        stood_for = dequantize(codes, scales)
        signal, noise = signal + (rows**2).sum(), noise + ((rows - stood_for)**2).sum()
        bias = (bias - shifts(node, stood_for - rows, means[name])).astype(np.float32)
        back = (stood_for.T if is_transposed else stood_for.reshape(weights.shape)).astype(np.float32)
        ours[node.input[1]].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(back), node.input[1]))
        put_bias(plain, node, bias)
        if name not in theirs:
            raise SystemExit(f"{name} is no layer of the quantized network")
        new = {part: f"{name} {part}" for part in ("codes", "scales", "zeros", "rows", "shape", "weights")}
        shape = np.array(weights.T.shape if is_transposed else weights.shape, np.int64)
        scales = scales if scales.shape[1] > 1 else scales[:, 0]
        zeros = np.zeros(scales.shape, np.int8)
        for part, data in (("codes", codes), ("scales", scales), ("zeros", zeros), ("shape", shape)):
            coded.graph.initializer.append(numpy_helper.from_array(data, new[part]))
        blocks = {"axis": 1, "block_size": rows.shape[1] // scales.shape[1]} if scales.ndim > 1 else {"axis": 0}
        stored = [new["codes"], new["scales"], new["zeros"]]
        put_first.append(helper.make_node("DequantizeLinear", stored, [new["rows"]], **blocks))
        put_first.append(helper.make_node("Reshape", [new["rows"], new["shape"]], [new["weights"]]))
        target = theirs[name]
        target.input[1] = new["weights"]
        put_bias(coded, target, bias)
        for attribute in target.attribute:
            if attribute.name == "transB":
                attribute.i = 1
    nodes = put_first + list(coded.graph.node)
    del coded.graph.node[:]
    coded.graph.node.extend(nodes)
    return plain, coded, 10 * np.log10(signal / noise)


def main(float_path, qdq_path, inputs):
    with tempfile.NamedTemporaryFile(suffix=".onnx") as folded:
        quant_pre_process(float_path, folded.name, skip_symbolic_shape=True)
        flat, qdq = onnx.load(folded.name), onnx.load(qdq_path)
    dims = flat.graph.input[0].type.tensor_type.shape.dim
    records = np.fromfile(inputs, np.float32).reshape(-1, *[d.dim_value for d in dims][1:])
    records = records[:len(records) // BATCH * BATCH]
    expected = run(flat, records)[0].argmax(1)
    means = input_means(flat, records[:RECORDS_FOR_MEANS // BATCH * BATCH])

    def agreement(model):
        return 100 * float(np.mean(run(model, records)[0].argmax(1) == expected))

    print("| block | SQNR of weights | weights alone | with int8 activations | images/s |\n|---|---|---|---|---|")
    for block in (0, 128, 64, 32):
        plain, coded, sqnr = with_blocks(flat, qdq, means, block)
        begin = time.process_time()
        whole = agreement(coded)
        seconds = time.process_time() - begin
        alone, speed = agreement(plain), len(records) / seconds
        print(f"| {block or 'the row'} | {sqnr:.1f} dB | {alone:.2f} % | {whole:.2f} % | {speed:.0f} |", flush=True)
    begin = time.process_time()
    whole = agreement(qdq)
    print(f"| as emitted | | | {whole:.2f} % | {len(records) / (time.process_time() - begin):.0f} |")


main(*sys.argv[1:])
