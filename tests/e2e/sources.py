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

# --- JPEG files of all eight orientations, and what PIL makes of them
from PIL import ImageOps

for kind in "turned", "upright":
    os.makedirs(kind, exist_ok=True)
for turn in range(1, 9):
    size = (H, W, 3) if turn < 5 else (W, H, 3)
    exif = Image.Exif()
    exif[0x112] = turn
    Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8)).save(f"turned/{turn}.jpg", exif=exif)
    ImageOps.exif_transpose(Image.open(f"turned/{turn}.jpg")).save(f"upright/{turn}.png")

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

# --- tar shards: two files, three formats of headers, names that fit no ordinary header
import io
import tarfile


def shard(path, first, last, headers, deep=""):
    with tarfile.open(path, "w", format=headers) as tar:
        for i in range(first, last):
            image = io.BytesIO()
            Image.fromarray(hwc[i]).save(image, "PNG")
            for ending, data in ("png", image.getvalue()), ("json", b"{}"), ("cls", f"{labels[i]}\n".encode()):
                info = tarfile.TarInfo(f"{deep}{names[i]}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


os.makedirs("shards", exist_ok=True)
shard("shards/train-00.tar", 0, n // 2, tarfile.USTAR_FORMAT)
shard("shards/train-01.tar", n // 2, n, tarfile.PAX_FORMAT, "d" * 150 + "/" + "e" * 140 + "/")
source("tar", "kind: tar, path: shards")
source("tar range", "kind: tar, path: 'shards/train-{00..01}.tar'")
shard("gnu.tar", 0, n, tarfile.GNU_FORMAT, "f" * 200 + "/")
source("tar gnu", "kind: tar, path: gnu.tar")
with tarfile.open("arrays.tar", "w") as tar:
    for i in range(n):
        for ending, data in ("left.npy", chw[i]), ("right.npy", chw[n - 1 - i]):
            file = io.BytesIO()
            np.save(file, data)
            info = tarfile.TarInfo(f"{names[i]}.{ending}")
            info.size = file.tell()
            file.seek(0)
            tar.addfile(info, file)
        info = tarfile.TarInfo(f"{names[i]}.cls")
        info.size = 1
        tar.addfile(info, io.BytesIO(f"{labels[i]}".encode()))
source("tar member", "kind: tar, path: arrays.tar, member: left.npy, channels: rgb")

# --- databases of Datum; planes are blue first
import lmdb


def field(number, kind, data):
    return bytes([number << 3 | kind]) + data


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def block(number, data):
    return field(number, 2, varint(len(data)) + data)


def plain(i):
    return (field(1, 0, varint(3)) + field(2, 0, varint(H)) + field(3, 0, varint(W)) + block(4, chw[i, ::-1].tobytes())
            + field(5, 0, varint(int(labels[i]))))


def floats(i):  # unpacked, and dims as a shape
    values = chw[i, ::-1].astype("<f4").tobytes()
    data = b"".join(field(6, 5, values[k:k + 4]) for k in range(0, len(values), 4))
    return data + field(5, 0, varint(int(labels[i]))) + block(8, b"".join(field(1, 0, varint(d)) for d in (3, H, W)))


def halves(i):  # float16 by dtype, dims packed
    return (block(4, chw[i, ::-1].astype("<f2").tobytes()) + field(5, 0, varint(int(labels[i])))
            + block(8, block(1, bytes([3, H, W]))) + field(9, 0, varint(1)))


def encoded(i):
    return block(4, open(f"images/{names[i]}.png", "rb").read()) + field(5, 0, varint(int(labels[i]))) + field(7, 0, b"\1")


def annotated(i):
    return block(1, plain(i)) + field(2, 0, b"\0")


for name, datum in ("plain", plain), ("floats", floats), ("halves", halves), ("encoded", encoded), ("annotated", annotated):
    with lmdb.open(f"{name}_lmdb", map_size=1 << 24) as env, env.begin(write=True) as write:
        for i in range(n):
            write.put(f"{i:08}_{names[i]}.png".encode(), datum(i))
    source(f"lmdb {name}", f"kind: lmdb, path: {name}_lmdb")

try:
    import plyvel
except ImportError:
    sys.exit()
for name, size in ("journal", 4 << 20), ("tables", 1 << 10):  # all in the log; nearly all in tables
    db = plyvel.DB(f"{name}_leveldb", create_if_missing=True, write_buffer_size=size)
    for i in range(n):
        db.put(f"{i:08}_{names[i]}.png".encode(), plain(i))
    db.close()
    source(f"leveldb {name}", f"kind: leveldb, path: {name}_leveldb")
