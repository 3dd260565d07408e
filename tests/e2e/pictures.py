"""Test images as the networks want them, written with numpy and PIL, independently of Etalon's own preprocessing."""
import gzip

import numpy as np
from PIL import Image


def _resnet(image):
    x = np.asarray(image, np.float32) / 255
    return (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])


def _mobilenet(image):
    return np.asarray(image.resize((128, 128), Image.BILINEAR), np.float32) / np.float32(127.5) - 1


def _ultraface(image):
    return (np.asarray(image.resize((320, 240), Image.BILINEAR), np.float32) - 127) / 128


KINDS = {"resnet": _resnet, "mobilenet": _mobilenet, "ultraface": _ultraface}


def load(kind, data, n):
    """The first n evaluation records: float32 [n, C, H, W] and their labels [n]."""
    if kind == "lenet":
        images = gzip.open(f"{data}/mnist/t10k-images-idx3-ubyte.gz").read()
        labels = gzip.open(f"{data}/mnist/t10k-labels-idx1-ubyte.gz").read()
        x = np.frombuffer(images, np.uint8, n * 784, 16).reshape(n, 1, 28, 28)
        return x.astype(np.float32) * np.float32(0.00390625), np.frombuffer(labels, np.uint8, n, 8)
    lines = [line.rsplit(" ", 1) for line in open(f"{data}/cifar10/evaluation.txt").read().splitlines()[:n]]
    rows = [KINDS[kind](Image.open(f"{data}/cifar10/{path}").convert("RGB")).transpose(2, 0, 1) for path, _ in lines]
    return np.stack(rows), np.array([int(label) for _, label in lines])
