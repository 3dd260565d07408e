#!/usr/bin/env python3
"""Trains the demo's segmentation network and writes it as ONNX. Nothing else runs this: segmentation.onnx is committed.

    build/release/etalon-demo-images --out build/demo --scenes --train 500 --calibration 32 --evaluation 64
    python3 -m venv build/venv-train && build/venv-train/bin/pip install torch pillow numpy onnx onnxruntime
    build/venv-train/bin/python jobs/demo/train_segmentation.py build/demo/scenes jobs/demo/segmentation.onnx

A U-Net (Ronneberger, Fischer, Brox 2015) with a first step of stride 2. One thread, 13 minutes on a busy machine. Measured
on the 64 scenes of the evaluation split, read by PIL and run by onnxruntime: mean IoU 81.63 %, pixels 95.21 %. Training
again gives another network of about the same accuracy.
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

SIDE, CLASSES, STEP, IGNORE = 480, 5, 50, 255  # scene.h
WIDTHS = [8, 12, 16, 24, 32]  # at 240, 120, 60, 30 and 15 pixels
CROP, BATCH, EPOCHS, PEAK_RATE = 224, 4, 14, 0.008


# ---- the network in PyTorch ----

class Convolution(torch.nn.Module):
    """3 x 3, normalised, ReLU."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.convolution = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.normalise = torch.nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.normalise(self.convolution(x)))


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Convolution(3, WIDTHS[0], 2)
        below = [WIDTHS[0]] + WIDTHS[:-1]
        self.down = torch.nn.ModuleList([torch.nn.ModuleList([Convolution(i, o), Convolution(o, o)])
                                         for i, o in zip(below, WIDTHS)])
        pairs = list(zip(WIDTHS[:-1], WIDTHS[1:]))[::-1]
        self.widen = torch.nn.ModuleList([torch.nn.ConvTranspose2d(i, o, 2, 2) for o, i in pairs])
        self.up = torch.nn.ModuleList([Convolution(2 * o, o) for o, _ in pairs])
        self.scores = torch.nn.ConvTranspose2d(WIDTHS[0], CLASSES, 2, 2)

    def forward(self, x):
        x, seen = self.stem(x), []
        for level, (first, second) in enumerate(self.down):
            x = second(first(x if level == 0 else F.max_pool2d(x, 2)))
            seen.append(x)
        for widen, up, beside in zip(self.widen, self.up, seen[-2::-1]):
            x = up(torch.cat([beside, widen(x)], 1))
        return self.scores(x)


# ---- the network in ONNX ----

class Writer:
    """Opset 13, with batch normalisation as nodes of its own: folding it is the importer's work."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.asarray(values.detach(), np.float32), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, part, x, name):
        stride, norm = part.convolution.stride[0], part.normalise
        x = self.node("Conv", [x, self.constant(name + ".weight", part.convolution.weight)], name + "_conv",
                      kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2)
        parameters = {"scale": norm.weight, "shift": norm.bias, "mean": norm.running_mean, "variance": norm.running_var}
        x = self.node("BatchNormalization", [x] + [self.constant(f"{name}.{k}", v) for k, v in parameters.items()],
                      name + "_norm", epsilon=norm.eps)
        return self.node("Relu", [x], name)

    def widening(self, part, x, name):
        parameters = [self.constant(name + ".weight", part.weight), self.constant(name + ".bias", part.bias)]
        return self.node("ConvTranspose", [x] + parameters, name, kernel_shape=[2, 2], strides=[2, 2])


def to_onnx(network):
    w, seen = Writer(), []
    x = w.convolution(network.stem, "image", "stem")
    for level, (first, second) in enumerate(network.down):
        if level > 0:
            x = w.node("MaxPool", [x], f"pool{level}", kernel_shape=[2, 2], strides=[2, 2])
        x = w.convolution(second, w.convolution(first, x, f"down{level}a"), f"down{level}b")
        seen.append(x)
    for i, (widen, up, beside) in enumerate(zip(network.widen, network.up, seen[-2::-1])):
        level = len(WIDTHS) - 2 - i
        x = w.node("Concat", [beside, w.widening(widen, x, f"widen{level}")], f"beside{level}", axis=1)
        x = w.convolution(up, x, f"up{level}")
    w.widening(network.scores, x, "scores")
    graph = helper.make_graph(
        w.nodes, "etalon-demo-segmentation",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES, SIDE, SIDE])], w.constants)
    model = helper.make_model(graph, producer_name="etalon demo", opset_imports=[helper.make_opsetid("", 13)],
                              ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    return model


# ---- data, training, measurement ----

def read_split(folder, split):
    """Pictures as NCHW bytes, and a class or -1 for every pixel."""
    names = sorted((folder / split / "pictures").iterdir())
    pictures = np.stack([np.asarray(Image.open(p)) for p in names]).transpose(0, 3, 1, 2).copy()
    labels = np.stack([np.asarray(Image.open(folder / split / "labels" / (p.stem + ".png"))) for p in names])
    return pictures, np.where(labels == IGNORE, -1, labels // STEP).astype(np.int8)


def prepare(pictures):
    """As segmentation.yaml says."""
    return (pictures.astype(np.float32) - 127.5) / 64


def crops(pictures, labels, random):
    """A part of each picture, in any order, mirrored and turned by chance."""
    for chosen in np.array_split(random.permutation(len(pictures)), len(pictures) // BATCH):
        top, left = random.integers(0, SIDE - CROP + 1, 2)
        x = prepare(pictures[chosen, :, top:top + CROP, left:left + CROP])
        y = labels[chosen, top:top + CROP, left:left + CROP]
        turns, mirrored = int(random.integers(4)), slice(None, None, 1 if random.random() < 0.5 else -1)
        x, y = np.rot90(x, turns, (2, 3))[..., mirrored], np.rot90(y, turns, (1, 2))[..., mirrored]
        yield torch.from_numpy(x.copy()), torch.from_numpy(y.astype(np.int64))


def train(network, pictures, labels):
    random, steps = np.random.default_rng(1), EPOCHS * (len(pictures) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    for epoch in range(EPOCHS):
        start, total = time.time(), 0.0
        for x, y in crops(pictures, labels, random):
            loss = F.cross_entropy(network(x), y, ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2}/{EPOCHS}: loss {total / (len(pictures) // BATCH):.3f}, {time.time() - start:.0f} s",
              flush=True)


def measure(model, pictures, labels):
    """Mean IoU over the classes, and the part of pixels that are right, of all pixels that have a class."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for picture, truth in zip(pictures, labels):
        found = session.run(None, {"image": prepare(picture[None])})[0][0].argmax(0)
        known = truth >= 0
        counts += np.bincount(CLASSES * truth[known].astype(np.int64) + found[known],
                              minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    right = np.diag(counts)
    return 100 * np.mean(right / (counts.sum(0) + counts.sum(1) - right)), 100 * right.sum() / counts.sum()


def main():
    folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = Network()
    print(f"{sum(p.numel() for p in network.parameters())} parameters")
    train(network, *read_split(folder, "train"))
    model = to_onnx(network.eval())
    output.write_bytes(model.SerializeToString())
    iou, right = measure(model, *read_split(folder, "evaluation"))
    print(f"{output}: {output.stat().st_size} bytes, fp32 mIoU {iou:.2f} %, pixels {right:.2f} %")


if __name__ == "__main__":
    main()
