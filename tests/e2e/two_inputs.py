"""Writes a network of two inputs of different sizes, and a set of images for each: two_inputs.py FOLDER N.

FOLDER/two.onnx        left [1,3,8,8] and right [1,1,4,4] -> scores [1,5]
FOLDER/left/NN.png     FOLDER/right/NN.pgm, drawn from a fixed seed
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

folder, n = sys.argv[1], int(sys.argv[2])
draw = np.random.default_rng(7)


def constant(name, shape):
    return numpy_helper.from_array(draw.normal(0, 0.5, shape).astype(np.float32), name)


def tensor(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


nodes = [
    helper.make_node("Conv", ["left", "wl"], ["l"], strides=[2, 2], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["l"], ["lr"]),
    helper.make_node("Conv", ["right", "wr"], ["r"], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["r"], ["rr"]),
    helper.make_node("Concat", ["lr", "rr"], ["both"], axis=1),
    helper.make_node("Conv", ["both", "wb"], ["mixed"]),
    helper.make_node("GlobalAveragePool", ["mixed"], ["mean"]),
    helper.make_node("Flatten", ["mean"], ["scores"]),
]
graph = helper.make_graph(
    nodes, "two", [tensor("left", [1, 3, 8, 8]), tensor("right", [1, 1, 4, 4])], [tensor("scores", [1, 5])],
    [constant("wl", (6, 3, 3, 3)), constant("wr", (4, 1, 3, 3)), constant("wb", (5, 10, 1, 1))])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{folder}/two.onnx")

for side in "left", "right":
    os.makedirs(f"{folder}/{side}", exist_ok=True)
for i in range(n):
    Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(f"{folder}/left/{i:02}.png")
    Image.fromarray(draw.integers(0, 256, (4, 4), dtype=np.uint8)).save(f"{folder}/right/{i:02}.pgm")
