"""The same labelled pictures in every container that is read, and a small network for them: sources.py FOLDER N.

Prints one line a source: its name, then `dataset:` of a job in YAML. Pictures are RGB, 6 rows by 5 columns.
"""
import os
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

folder, n = sys.argv[1], int(sys.argv[2])
draw = np.random.default_rng(11)
H, W = 6, 5
hwc = draw.integers(0, 256, (n, H, W, 3), dtype=np.uint8)
chw = np.ascontiguousarray(hwc.transpose(0, 3, 1, 2))
labels = draw.integers(0, 4, n)
os.chdir(folder)


def source(name, text):
    print(f"{name}\t{{{text}}}")


# --- a network: [1,3,6,5] -> [1,4]
def constant(name, shape):
    return numpy_helper.from_array(draw.normal(0, 0.5, shape).astype(np.float32), name)


def tensor(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


graph = helper.make_graph(
    [helper.make_node("Conv", ["data", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
     helper.make_node("GlobalAveragePool", ["r"], ["p"]), helper.make_node("Flatten", ["p"], ["scores"])],
    "small", [tensor("data", [1, 3, H, W])], [tensor("scores", [1, 4])], [constant("w", (4, 3, 3, 3))])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "small.onnx")

# --- image files
names = [f"{i:04}" for i in range(n)]
for kind, ending in ("images", "png"), ("pictures", "ppm"), ("bitmaps", "bmp"):
    os.makedirs(kind, exist_ok=True)
    for name, pixels in zip(names, hwc):
        Image.fromarray(pixels).save(f"{kind}/{name}.{ending}")
    with open(f"{kind}.txt", "w") as file:
        file.writelines(f"{name}.{ending} {label}\n" for name, label in zip(names, labels))
    source(ending, f"kind: images, path: {kind}, list: {kind}.txt")

# --- arrays
np.save("labels.npy", labels)
with open("labels.txt", "w") as file:
    file.writelines(f"{label}\n" for label in labels)
for dtype in "u1", "<f4", ">f4", "<f8", "<f2", ">f2", "<u2", ">i2", "<i4", "<u4", "<i8", ">u8":
    np.save(f"chw_{dtype[-2:]}{dtype[0] == '>':d}.npy", chw.astype(dtype))
    source(f"npy {dtype}",
           f"kind: npy, path: chw_{dtype[-2:]}{dtype[0] == '>':d}.npy, labels: labels.npy, channels: rgb")
np.save("fortran.npy", np.asfortranarray(chw.astype(np.float32)))
source("npy fortran", "kind: npy, path: fortran.npy, labels: labels.npy, channels: rgb")
np.save("hwc.npy", hwc)
source("npy hwc", "kind: npy, path: hwc.npy, labels: labels.txt, channels: rgb, layout: hwc")
np.save("hwc_fortran.npy", np.asfortranarray(hwc))
source("npy hwc fortran", "kind: npy, path: hwc_fortran.npy, labels: labels.txt, channels: rgb, layout: hwc")
for version in (2, 0), (3, 0):
    with open(f"version{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, chw, version=version)
    source(f"npy version {version[0]}",
           f"kind: npy, path: version{version[0]}.npy, labels: labels.npy, channels: rgb")
for kind in "npys", "bins", "txts", "singles":
    os.makedirs(kind, exist_ok=True)
for name, pixels in zip(names, chw.astype(np.float32)):
    np.save(f"npys/{name}.npy", pixels[None])
    np.save(f"singles/{name}.npy", np.asfortranarray(pixels))
    pixels.tofile(f"bins/{name}.bin")
    np.savetxt(f"txts/{name}.txt", pixels.reshape(3 * H, W), fmt="%g")
for kind, ending in ("npys", "npy"), ("singles", "npy"), ("bins", "bin"), ("txts", "txt"):
    with open(f"{kind}.txt", "w") as file:
        file.writelines(f"{name}.{ending} {label}\n" for name, label in zip(names, labels))
    source(f"folder {kind}", f"kind: {ending}, path: {kind}, list: {kind}.txt, channels: rgb")
chw.tofile("all.bin")
source("bin", "kind: bin, path: all.bin, dtype: uint8, labels: labels.txt, channels: rgb")
hwc.astype(np.float16).tofile("half.bin")
source("bin float16", f"kind: bin, path: half.bin, dtype: float16, shape: [{H}, {W}, 3], layout: hwc, "
                      "labels: labels.txt, channels: rgb")


def idx(path, array, kind):
    with open(path, "wb") as file:
        file.write(bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape))
        file.write(array.tobytes())


idx("images.idx", chw, 8)
idx("floats.idx", chw.astype(">f4"), 13)
idx("labels.idx", labels.astype(np.uint8), 8)
source("idx", "kind: idx, path: images.idx, labels: labels.idx, channels: rgb")
source("idx floats", "kind: idx, path: floats.idx, labels: labels.idx, channels: rgb")
