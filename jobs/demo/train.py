#!/usr/bin/env python3
"""Trains the demo's network and writes it as ONNX. Nothing in the demo runs this: its result, demo.onnx, is committed.

    build/release/etalon-demo-images --out build/demo --train 16000
    python3 -m venv build/venv-train && build/venv-train/bin/pip install torch pillow numpy onnx onnxruntime
    build/venv-train/bin/python jobs/demo/train.py build/demo jobs/demo/demo.onnx

One thread, some four minutes. Measured on the 2,000 pictures of the evaluation split, read by PIL and run by
onnxruntime: fp32 top-1 95.25 %, top-3 99.45 %. tests/e2e/demo.sh holds Etalon to that figure. Training again gives
another network of about the same accuracy, since floating-point sums differ between machines and PyTorch versions.
"""
import pathlib
import sys
import time

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

CLASSES = 10
EPOCHS, BATCH, PEAK_RATE = 18, 64, 0.006

# name, kind, inputs, attributes. A conv is followed by batch normalisation and, where it names one, an activation.
NETWORK = [
    ("stem", "conv", ["image"], dict(outputs=16, kernel=3, activation="relu")),
    # depthwise-separable, with a residual
    ("separable_depthwise", "conv", ["stem"], dict(outputs=16, kernel=3, group=16, activation="relu6")),
    ("separable_pointwise", "conv", ["separable_depthwise"], dict(outputs=16, kernel=1)),
    ("separable", "add", ["stem", "separable_pointwise"], dict(activation="relu")),
    ("pool", "max_pool", ["separable"], {}),
    # two branches
    ("near", "conv", ["pool"], dict(outputs=16, kernel=1, activation="relu")),
    ("wide", "conv", ["pool"], dict(outputs=32, kernel=3, activation="relu")),
    ("branches", "concat", ["near", "wide"], {}),
    # inverted residual with stride 2
    ("down_expand", "conv", ["branches"], dict(outputs=72, kernel=1, activation="relu6")),
    ("down_depthwise", "conv", ["down_expand"], dict(outputs=72, kernel=3, stride=2, group=72, activation="relu6")),
    ("down_project", "conv", ["down_depthwise"], dict(outputs=48, kernel=1)),
    # inverted residual
    ("mix_expand", "conv", ["down_project"], dict(outputs=96, kernel=1, activation="relu6")),
    ("mix_depthwise", "conv", ["mix_expand"], dict(outputs=96, kernel=3, group=96, activation="relu6")),
    ("mix_project", "conv", ["mix_depthwise"], dict(outputs=48, kernel=1)),
    ("mix", "add", ["down_project", "mix_project"], {}),
    # and another
    ("blend_expand", "conv", ["mix"], dict(outputs=96, kernel=1, activation="relu6")),
    ("blend_depthwise", "conv", ["blend_expand"], dict(outputs=96, kernel=3, group=96, activation="relu6")),
    ("blend_project", "conv", ["blend_depthwise"], dict(outputs=48, kernel=1)),
    ("blend", "add", ["mix", "blend_project"], {}),
    ("head", "conv", ["blend"], dict(outputs=128, kernel=1, activation="relu")),
    ("average", "global_average_pool", ["head"], {}),
    ("flat", "flatten", ["average"], {}),
    ("logits", "dense", ["flat"], dict(outputs=CLASSES)),
]


# ---- the network in PyTorch ----

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = torch.nn.ModuleDict()
        width = {"image": 3}
        for name, kind, inputs, a in NETWORK:
            width[name] = sum(width[i] for i in inputs) if kind == "concat" else a.get("outputs", width[inputs[0]])
            if kind == "conv":
                group = a.get("group", 1)
                self.parts[name] = torch.nn.Conv2d(width[inputs[0]], width[name], a["kernel"], a.get("stride", 1),
                                                   a["kernel"] // 2, groups=group, bias=False)
                self.parts[name + "_normalise"] = torch.nn.BatchNorm2d(width[name])
            elif kind == "dense":
                self.parts[name] = torch.nn.Linear(width[inputs[0]], width[name])

    def forward(self, image):
        values = {"image": image}
        for name, kind, inputs, a in NETWORK:
            x = [values[i] for i in inputs]
            if kind == "conv":
                y = self.parts[name + "_normalise"](self.parts[name](x[0]))
            elif kind == "add":
                y = x[0] + x[1]
            elif kind == "max_pool":
                y = F.max_pool2d(x[0], 2)
            elif kind == "concat":
                y = torch.cat(x, 1)
            elif kind == "global_average_pool":
                y = x[0].mean((2, 3), keepdim=True)
            elif kind == "flatten":
                y = x[0].flatten(1)
            elif kind == "dense":
                y = self.parts[name](x[0])
            activation = a.get("activation")
            values[name] = F.relu(y) if activation == "relu" else F.relu6(y) if activation == "relu6" else y
        return values["logits"]


# ---- the network in ONNX ----

def to_onnx(network):
    """Opset 13, with batch normalisation as nodes of its own: folding it is the importer's work."""
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    for name, kind, inputs, a in NETWORK:
        activation = a.get("activation")
        y = name + "_sum" if activation else name  # what goes into the activation
        part = network.parts[name] if name in network.parts else None
        if kind == "conv":
            pad, stride = a["kernel"] // 2, a.get("stride", 1)
            x = node("Conv", [inputs[0], constant(name + ".weight", part.weight.detach())], name + "_conv",
                     kernel_shape=[a["kernel"]] * 2, pads=[pad] * 4, strides=[stride] * 2, group=a.get("group", 1))
            norm = network.parts[name + "_normalise"]
            parameters = {"scale": norm.weight.detach(), "shift": norm.bias.detach(), "mean": norm.running_mean,
                          "variance": norm.running_var}
            node("BatchNormalization", [x] + [constant(f"{name}.{k}", v) for k, v in parameters.items()], y,
                 epsilon=norm.eps)
        elif kind == "add":
            node("Add", inputs, y)
        elif kind == "max_pool":
            node("MaxPool", inputs, y, kernel_shape=[2, 2], strides=[2, 2])
        elif kind == "concat":
            node("Concat", inputs, y, axis=1)
        elif kind == "global_average_pool":
            node("GlobalAveragePool", inputs, y)
        elif kind == "flatten":
            node("Flatten", inputs, y, axis=1)
        elif kind == "dense":
            parameters = [constant(name + ".weight", part.weight.detach()), constant(name + ".bias", part.bias.detach())]
            node("Gemm", inputs + parameters, y, transB=1)
        if activation == "relu":
            node("Relu", [y], name)
        elif activation == "relu6":
            node("Clip", [y, constant(name + ".low", 0), constant(name + ".high", 6)], name)

    graph = helper.make_graph(
        nodes, "etalon-demo",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])], constants)
    model = helper.make_model(graph, producer_name="etalon demo", opset_imports=[helper.make_opsetid("", 13)],
                              ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    return model


# ---- data, training, measurement ----

def read_split(folder, split):
    """Pictures as NCHW floats, preprocessed as demo.yaml says, and labels."""
    rows = [line.rsplit(" ", 1) for line in (folder / f"{split}.txt").read_text().splitlines()]
    pictures = np.stack([np.asarray(Image.open(folder / path).convert("RGB"), np.float32) for path, _ in rows])
    return ((pictures - 127.5) / 64).transpose(0, 3, 1, 2).copy(), np.array([int(label) for _, label in rows])


def train(network, pictures, labels):
    x, y = torch.from_numpy(pictures), torch.from_numpy(labels)
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    for epoch in range(EPOCHS):
        start, total = time.time(), 0.0
        for chosen in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            batch = x[chosen]
            # No class has a handedness or an upright position, so a batch may be mirrored and turned as a whole.
            if torch.rand(()) < 0.5:
                batch = batch.flip(3)
            batch = torch.rot90(batch, int(torch.randint(4, ())), (2, 3))
            loss = F.cross_entropy(network(batch), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2}/{EPOCHS}: loss {total / (len(x) // BATCH):.3f}, {time.time() - start:.0f} s", flush=True)


def measure(model, pictures, labels):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": pictures})[0]
    order = np.argsort(-logits, axis=1, kind="stable")
    return [100 * np.mean((order[:, :k] == labels[:, None]).any(1)) for k in (1, 3)]


def main():
    folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = Network().to(memory_format=torch.channels_last)  # depthwise layers are faster so
    print(f"{sum(p.numel() for p in network.parameters())} parameters")
    train(network, *read_split(folder, "train"))
    model = to_onnx(network.eval())
    output.write_bytes(model.SerializeToString())
    top1, top3 = measure(model, *read_split(folder, "evaluation"))
    print(f"{output}: {output.stat().st_size} bytes, fp32 top-1 {top1:.2f} %, top-3 {top3:.2f} %")


if __name__ == "__main__":
    main()
