"""check_sophon.py FOLDER NAME CHOICES.txt RECORDS.npy SCHEMA.bin: the files of the target sophon-bm1684, read and run by numpy.

The int8 network is executed as the vendor's public compiler describes the chip: int8 codes, one right shift a layer, half
up, int16 biases, a multiplier and a shift an operand of a sum. Its arg-max must be what our own simulation said."""
import subprocess
import sys

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, unknown_fields

folder, name, choices_path, records_path, schema = sys.argv[1:6]


def schema_class():
    """The class of ufw.NetParameter, from the schema typed beside this script."""
    files = descriptor_pb2.FileDescriptorSet.FromString(open(schema, "rb").read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ufw.NetParameter"))


NetParameter = schema_class()


def read_text(ending):
    return text_format.Parse(open(f"{folder}/{name}_{ending}.prototxt").read(), NetParameter())


def read_binary(ending):
    net = NetParameter.FromString(open(f"{folder}/{name}.{ending}", "rb").read())
    assert all(len(unknown_fields.UnknownFieldSet(layer)) == 0 for layer in net.layer)
    return net


nets = {ending: read_text(ending) for ending in (
    "deploy_fp32_unique_top", "deploy_int8_unique_top", "test_fp32_unique_top", "test_int8_unique_top", "test_fp32_tuned",
    "deploy_fp32_tuned")}
floats, integers = read_binary("fp32umodel"), read_binary("int8umodel")
tuned = NetParameter.FromString(open(f"{folder}/{name}_tuned.fp32umodel", "rb").read())

for ending, net in nets.items():
    tops = [top for layer in net.layer for top in layer.top]
    assert len(tops) == len(set(tops)), f"{ending}: a blob is written twice"
    known = set()
    for layer in net.layer:
        assert known.issuperset(layer.bottom), f"{ending}: {layer.name} reads what is not there"
        known.update(layer.top)
        assert layer.phase == 1 or layer.type in ("Input", "Data")
    assert net.layer[0].type == ("Input" if ending.startswith("deploy") else "Data")
    assert net.HasField("int8_scale") == (ending == "deploy_int8_unique_top"), ending
scale = nets["deploy_int8_unique_top"].int8_scale
assert nets["test_int8_unique_top"].layer[0].transform_param.int8_scale == scale
quantized = {layer.name: layer for layer in integers.layer}
first = next(layer for layer in integers.layer if layer.bottom and layer.bottom[0] == integers.layer[0].top[0])
assert abs(scale * first.th_input[0] - 127) < 1e-3, "int8_scale x threshold is 127"

# Thresholds for the vendor's calibrator and for tpu-mlir are those of the integers.
table = {}
for line in open(f"{folder}/{name}_cali_table"):
    if not line.startswith("#"):
        top, threshold, low, high = line.rstrip("\n").split(" ")
        table[top] = float(threshold)
for layer in nets["test_fp32_tuned"].layer:
    if layer.HasField("threshold"):
        assert abs(table[layer.top[0]] - layer.threshold) < 1e-6 * max(1, layer.threshold), layer.name
        assert abs(quantized[layer.name].th_output[0] - layer.threshold) < 1e-6 * layer.threshold, layer.name

# Integers are the tuned floats: a quarter of a step away at most, where they do not saturate. Both are made of the plain
# ones, whose codes may have been moved.
assert [layer.name for layer in floats.layer] == [layer.name for layer in tuned.layer]
worst = 0
for layer in tuned.layer:
    if not layer.blobs or quantized[layer.name].forward_with_float:
        continue
    blob = quantized[layer.name].blobs[0]
    assert blob.bit_width == 0 and blob.dtype == 2 and not blob.data
    codes, weights = np.array(blob.int32_data), np.array(layer.blobs[0].data, np.float32)
    assert np.abs(codes).max() <= 127 and codes.size == weights.size
    error = np.abs(codes * np.float64(blob.scaleToFloat) - weights)[np.abs(codes) < 127] / blob.scaleToFloat
    worst = max(worst, error.max(initial=0))
    assert list(blob.shape.dim) == list(layer.blobs[0].shape.dim)
    s_in, s_out = (quantized[layer.name].th_input[0] / 127, quantized[layer.name].th_output[0] / 127)
    assert np.isclose(s_in * blob.scaleToFloat, s_out / 2.0 ** blob.right_shift_num, rtol=1e-5), layer.name
assert worst < 0.2501, worst

# Whoever quantizes the tuned floats by the table, as tpu-mlir does, has our integers: shifts, weights and biases.
n_tuned = 0
for layer in tuned.layer:
    if not layer.blobs or quantized[layer.name].forward_with_float:
        continue
    blobs = quantized[layer.name].blobs
    s_in, s_out = (t / 127 for t in (quantized[layer.name].th_input[0], table[layer.top[0]]))
    weights = np.array(layer.blobs[0].data)
    biases = np.array(layer.blobs[1].data) if len(layer.blobs) > 1 else np.zeros(1)
    r = 0
    while r < 31 and np.abs(weights).max() * s_in / s_out * 2 ** (r + 1) < 127:
        r += 1
    while r > 0 and (np.abs(biases) * 2 ** r / s_out > 32767.5).mean() > 0.03:
        r -= 1
    assert r == blobs[0].right_shift_num, f"{layer.name}: {r} and {blobs[0].right_shift_num}"
    assert np.abs(np.clip(weights * 2.0 ** r * s_in / s_out, -127, 127) - blobs[0].int32_data).max() < 0.251, layer.name
    if len(blobs) > 1:
        assert np.abs(np.clip(biases * 2.0 ** r / s_out, -32768, 32767) - blobs[1].int32_data).max() < 0.01, layer.name
    n_tuned += 1
assert n_tuned > 0


def pair(single, h, w, default):
    values = list(single)
    return (h or w) and (h, w) or (values[0], values[-1]) if values or h or w else (default, default)


def windows(x, kernel, stride, pad, fill):
    x = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return view[:, :, ::stride[0], ::stride[1]]


def shift(acc, n):
    return np.clip((acc + ((1 << n) >> 1)) >> n, -128, 127)


def round_half_away(x):
    return np.trunc(x + np.copysign(0.5, x))


def run(layer, q, inputs):
    x = inputs[0]
    if layer.type == "Convolution":
        p = layer.convolution_param
        kernel = pair(p.kernel_size, p.kernel_h, p.kernel_w, 1)
        view = windows(x, kernel, pair(p.stride, p.stride_h, p.stride_w, 1), pair(p.pad, p.pad_h, p.pad_w, 0), 0)
        weights = np.array(q.blobs[0].int32_data, np.int64).reshape(list(q.blobs[0].shape.dim))
        group, out = p.group or 1, []
        for g in range(group):
            part = view[:, g * weights.shape[1]:(g + 1) * weights.shape[1]]
            w = weights[g * len(weights) // group:(g + 1) * len(weights) // group]
            out.append(np.einsum("nchwij,ocij->nohw", part.astype(np.float64), w.astype(np.float64), optimize=True))
        acc = np.concatenate(out, 1).astype(np.int64)
        if len(q.blobs) > 1:
            acc += np.array(q.blobs[1].int32_data).reshape(1, -1, 1, 1)
        return shift(acc, q.blobs[0].right_shift_num)
    if layer.type == "InnerProduct":
        acc = x.reshape(len(x), -1) @ np.array(q.blobs[0].int32_data, np.int64).reshape(list(q.blobs[0].shape.dim)).T
        if len(q.blobs) > 1:
            acc = acc + np.array(q.blobs[1].int32_data)
        return shift(acc, q.blobs[0].right_shift_num)
    if layer.type == "ReLU":
        limit = layer.relu_param.upper_limit
        assert layer.relu_param.negative_slope == 0
        return np.maximum(x, 0) if limit < 0 else np.clip(x, 0, round_half_away(limit * 127 / np.float64(q.th_output[0]))).astype(np.int64)
    if layer.type in ("Flatten", "Reshape"):
        return x.reshape(len(x), -1) if layer.type == "Flatten" else x.reshape([len(x)] + list(layer.reshape_param.shape.dim)[1:])
    if layer.type in ("Eltwise", "Concat"):
        parts = [np.int64(m) * i + ((1 << r) >> 1) >> r for i, m, r in zip(inputs, q.mul_branch, q.rshift_branch)]
        return np.clip(sum(parts) if layer.type == "Eltwise" else np.concatenate(parts, layer.concat_param.axis), -128, 127)
    if layer.type == "Pooling":
        p = layer.pooling_param
        kernel = x.shape[2:] if p.global_pooling else (p.kernel_h or p.kernel_size, p.kernel_w or p.kernel_size)
        stride = (p.stride_h or p.stride, p.stride_w or p.stride)
        assert p.pad == 0 and p.pad_h == 0 and p.pad_w == 0
        rest = [(s - k) % t for s, k, t in zip(x.shape[2:], kernel, stride)]
        more = [(t - r) % t if r else 0 for r, t in zip(rest, stride)]  # Caffe rounds sizes up
        x = np.pad(x, ((0, 0), (0, 0), (0, more[0]), (0, more[1])), constant_values=-128 if p.pool == 0 else 0)
        view = windows(x, kernel, stride, (0, 0), 0)
        if p.pool == 0:
            return view.max((4, 5))
        assert more == [0, 0]
        ratio = np.float64(q.th_input[0]) / np.float64(q.th_output[0])
        return np.clip(round_half_away(view.mean((4, 5)) * ratio), -128, 127).astype(np.int64)
    raise SystemExit(f"layer {layer.name}: type {layer.type} is not run here")


records = np.load(records_path)
text = nets["deploy_int8_unique_top"]
blobs = {text.layer[0].top[0]: np.clip(round_half_away(records.astype(np.float64) * np.float64(scale)), -128, 127).astype(np.int64)}
for layer in text.layer[1:]:
    if layer.type in ("Softmax",):
        continue
    blobs[layer.top[0]] = run(layer, quantized[layer.name], [blobs[b] for b in layer.bottom])
    last = blobs[layer.top[0]]
ours = []
lines = [line.split() for line in open(choices_path) if line.strip()]
column = lines[0].index("sophon-bm1684") if "sophon-bm1684" in lines[0] else -1
for line in lines:
    if line[0].isdigit():
        ours.append(int(line[column]))
theirs = last.reshape(len(last), -1).argmax(1)[:len(ours)]
print(f"{name}: {len(quantized)} layers; weights within {worst:.4f} steps; arg-max equal on {(theirs == ours).mean():.4f} of {len(ours)}")
assert (theirs == np.array(ours)).mean() >= 0.99, (theirs[:20], ours[:20])
