"""Makes the seeds of the fuzz targets: the smallest files of every kind that reach much of each parser.

    build/venv/bin/python tests/fuzz/seeds.py build/release/etalon tests/fuzz/corpus

Caffe and TNN files are written by `etalon convert` from the ONNX ones; TensorFlow's come from tests/golden. Reproducers of
faults that the campaigns found are not made here: they are the files named crash-*.
"""
import io
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

etalon, corpus = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
here = pathlib.Path(__file__).resolve().parent
draw = np.random.default_rng(1)


def put(parser, name, data):
    folder = corpus / parser
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def constant(name, *shape, dtype=np.float32):
    return numpy_helper.from_array((draw.random(shape) + 0.1).astype(dtype), name)


def model(nodes, constants, shape=(1, 2, 6, 6), output="y"):
    graph = helper.make_graph(
        nodes, "seed", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    return made.SerializeToString()


node = helper.make_node
typed = helper.make_tensor("w", TensorProto.FLOAT, (2, 2, 1, 1), [1.0, 2.0, 3.0, 4.0])
networks = {
    "conv": model(
        [node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
         node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"]), node("Relu", ["n"], ["r"]),
         node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", ["p"], ["f"]),
         node("Gemm", ["f", "g", "h"], ["d"], transB=1), node("Softmax", ["d"], ["y"], axis=1)],
        [constant("w", 2, 2, 3, 3), constant("b", 2), constant("s", 2), constant("t", 2), constant("m", 2),
         constant("v", 2), constant("g", 3, 18), constant("h", 3)]),
    "branch": model(
        [node("Conv", ["x", "w"], ["c"]), node("ConvTranspose", ["x", "w"], ["d"]), node("Add", ["c", "d"], ["a"]),
         node("Concat", ["a", "x"], ["k"], axis=1), node("PRelu", ["k", "p"], ["q"]),
         node("GlobalAveragePool", ["q"], ["g"]), node("Clip", ["g", "lo", "hi"], ["y"])],
        [typed, constant("p", 4, 1, 1), constant("lo"), constant("hi")]),
    "shapes": model(
        [node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["n"]), node("Unsqueeze", ["n", "z"], ["u"]),
         node("Concat", ["u", "m"], ["t"], axis=0), node("Reshape", ["x", "t"], ["r"]),
         node("Transpose", ["r"], ["p"], perm=[0, 2, 1]), node("Slice", ["p", "z", "e", "z"], ["l"]),
         node("Pad", ["l", "pads"], ["q"]), node("MatMul", ["q", "w"], ["y"])],
        [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in
         {"i": 0, "z": [0], "m": [2, 36], "e": [1], "pads": [0, 0, 0, 0, 1, 0]}.items()] + [constant("w", 2, 3)]),
}
plain = ("conv", "branch")  # what the other formats have too


def read(path):
    return pathlib.Path(path).read_bytes()


def convert(scratch, name, to, text, binary):
    out = scratch / f"{to}-{name}"
    source = scratch / f"{name}.onnx"
    done = subprocess.run([etalon, "convert", source, "--to", to, "--output", out, "--name", "net", "--force"], capture_output=True)
    if done.returncode != 0:
        print(f"{name} to {to}: {done.stderr.decode().strip()}", file=sys.stderr)
        return
    put(to, name, (out / f"net.{text}").read_bytes() + b"\0" + (out / f"net.{binary}").read_bytes())
    if to == "caffe":
        put("caffe_weights", name, (out / f"net.{binary}").read_bytes())


with tempfile.TemporaryDirectory() as folder:
    scratch = pathlib.Path(folder)
    for name, data in networks.items():
        put("onnx", name, data)
        (scratch / f"{name}.onnx").write_bytes(data)
    for name in plain:
        convert(scratch, name, "caffe", "prototxt", "caffemodel")
        convert(scratch, name, "tnn", "tnnproto", "tnnmodel")

def quantize(scratch, source, *targets):
    """What `etalon calibrate` writes of a network with an input of 72 or 18 numbers, in folders of the targets."""
    (scratch / "records.bin").write_bytes((np.random.default_rng(2).random((4, 72)) - 0.5).astype(np.float32).tobytes())
    (scratch / "job.yaml").write_text(f"model: {{file: {source}}}\ndataset: {{kind: bin, path: records.bin}}\n"
                                      f"targets: [{', '.join(targets)}]\nevaluate: {{skip: true}}\noutput: {source}.out\n")
    subprocess.run([etalon, "calibrate", "-q", scratch / "job.yaml"], check=True, stdout=subprocess.DEVNULL)
    return scratch / f"{source}.out"


with tempfile.TemporaryDirectory() as folder:
    scratch = pathlib.Path(folder)
    for name in plain:
        (scratch / f"{name}.onnx").write_bytes(networks[name])
        out = quantize(scratch, f"{name}.onnx", "sophon-bm1684", "cambricon-mlu270")
        sophon, cambricon = out / "sophon-bm1684" / name, out / "cambricon-mlu270" / name
        put("sophon", name, read(f"{sophon}_deploy_int8_unique_top.prototxt") + b"\0" + read(f"{sophon}.int8umodel"))
        put("cambricon", name, read(f"{cambricon}_int8.prototxt") + b"\0" + read(f"{cambricon}_int8.caffemodel"))

old_caffe = b"""name: "old" input: "data" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 6
layers { name: "pool" type: POOLING bottom: "data" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "lrn" type: LRN bottom: "pool" top: "lrn" lrn_param { local_size: 3 alpha: 1e-4 } }
layers { name: "sum" type: ELTWISE bottom: "lrn" bottom: "pool" top: "sum" eltwise_param { operation: SUM coeff: 1 coeff: -1 } }
"""
put("caffe", "old", old_caffe)
put("caffe_weights", "shared", bytes.fromhex("a206220a0163 3a1d 3a04 0a020201 2a08 0000803f00000040 0801 1002 1801 2001 3d0000803f".replace(" ", "")))

golden = (here.parent / "golden/tensorflow.bin").read_bytes()
at, taken = 0, 0
while at < len(golden) and taken < 12:
    line = golden[at:golden.index(b"\n", at)]
    size = int(line.split()[-1])
    data = golden[at + len(line) + 1:at + len(line) + 1 + size]
    at += len(line) + 1 + size
    if size < 3000 and at % 5 == 0:  # a spread of them
        put("tensorflow", line.split()[0].decode(), data)
        taken += 1

for path in (here.parent / "formats/torch").glob("*.pth"):
    if path.stat().st_size < 3500:
        put("torch", path.stem, path.read_bytes())

pixels = draw.integers(0, 256, (9, 11, 3), np.uint8)
rgb, gray = Image.fromarray(pixels), Image.fromarray(pixels[:, :, 0])


def image(name, picture, **options):
    out = io.BytesIO()
    picture.save(out, **options)
    put("image", name, out.getvalue())
    return out.getvalue()


jpeg = image("rgb.jpg", rgb, format="JPEG")
image("progressive.jpg", rgb, format="JPEG", progressive=True, quality=40)
image("cmyk.jpg", rgb.convert("CMYK"), format="JPEG", quality=30)
image("gray.jpg", gray, format="JPEG")
image("rgb.png", rgb, format="PNG")
image("palette.png", rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=4), format="PNG")
image("gray1.png", gray.convert("1"), format="PNG")
image("alpha.png", rgb.convert("RGBA"), format="PNG")
image("rgb.bmp", rgb, format="BMP")
image("palette.bmp", rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=4), format="BMP")
image("rgb.ppm", rgb, format="PPM")
image("gray.pgm", gray, format="PPM")


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


planes = bytes(range(24))
put("datum", "planes", b"\x08\x03\x10\x02\x18\x04\x22" + varint(24) + planes + b"\x28\x05")
put("datum", "floats", b"\x08\x01\x10\x02\x18\x02\x28\x01\x32\x10" + struct.pack("<4f", 1, -2, 3, 0.5))
put("datum", "encoded", b"\x22" + varint(len(jpeg)) + jpeg + b"\x28\x07\x38\x01")
put("image_list", "plain", b"\xef\xbb\xbfa.jpg 0\nsome folder/b c.png 12\r\n\nplain.bmp\n  d.ppm\t-1\n")


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


ramp = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
put("npy", "float", npy(ramp))
put("npy", "fortran", npy(np.asfortranarray(ramp.astype(">f2")), version=(2, 0)))
put("npy", "batch", npy(ramp[:1].astype(np.uint8), version=(3, 0)))
put("idx", "bytes", bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + planes[:12])
put("idx", "floats", bytes([0, 0, 13, 2, 0, 0, 0, 2, 0, 0, 0, 1, 64, 0, 0, 0, 65, 0, 0, 0]))
put("txt", "four", b"1 -2.5e1\n+0.25\t7\r\n")
put("labels", "text", b"0\n-1\n12\n")
put("labels", "npy", npy(np.array([3, 1, 2])))
put("labels", "idx", bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]))
four = struct.pack("<4f", 1, -2, 3, 0.5)
put("mean_file", "npy", npy(ramp[:1]))
put("mean_file", "npy-a-channel", npy(np.array([104, 117, 123], np.uint8)))
put("mean_file", "blob", b"\x3a\x05\x0a\x03\x01\x02\x02" + b"\x2a\x10" + four)
put("mean_file", "blob-legacy", b"\x08\x01\x10\x01\x18\x02\x20\x02" + b"\x2a\x10" + four)


def tar(headers, folder):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=headers) as made:
        for name, data in ("0.pgm", b"P5 1 1 255 x"), ("0.cls", b"3\n"), ("1.npy", npy(ramp[0])):
            info = tarfile.TarInfo(folder + name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return file.getvalue()[:9 * 512]


put("tar", "ustar", tar(tarfile.USTAR_FORMAT, "a/"))
put("tar", "pax", tar(tarfile.PAX_FORMAT, "p" * 120 + "/"))
put("tar", "gnu", tar(tarfile.GNU_FORMAT, "g" * 120 + "/"))
put("datum", "variant", b"\x22\x08" + bytes(range(8)) + b"\x42\x05\x0a\x03\x01\x02\x02\x48\x01")
put("job", "full", b"""# every kind of value
model: {file: net.onnx, inputs: {x: [1, 3, 8, 8]}, outputs: [y]}
dataset: &data
  kind: images
  path: "pictures"
  list: 'list.txt'
  limit: 200
preprocess:
  - channels: rgb
  - resize: {short: 256}
  - mean: [104.0, 117, 123]
  - divide: 64
calibration: {activations: mse, weights: sweep, bins: 4096}
targets: [onnx-qdq, tnn]
evaluate: {top_k: [1, 3], dataset: *data}
output: out
limits: {max_bad_records: 3}
""")
graph_texts = {
    "bytes": rb"""node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: 1 } dim { size: 2 } } } } }
node { name: "b" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } }
  tensor_content: "\000\000\200?\000\000\000@" } } } }
node { name: "y" op: "BiasAdd" input: "x" input: "b:0" } # not [1] < 2 >
versions { producer: 27 }
""",
    "lists": rb"""node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: -1 } dim { size: 3 } dim { size: 3 } dim { size: 2 } } } } }
node { name: "w" op: "Const" attr { key: "dtype" value { type: 1 } } attr { key: "value" value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 1 } dim { size: 2 } dim { size: 2 } }
  float_val: [1, -2.5e-1, 3f, inf] } } } }
node { name: "conv" op: 'Conv2D' input: ["x", "w"]
  attr { key: "strides" value { list { i: 1 i: 1 i: 1 i: 1 } } } attr { key: "padding" value { s: "SA" "ME" } } };
node < name: "to" op: "Const" attr < key: "value" value < tensor < dtype: DT_INT32 tensor_shape < dim < size: 2 > >
  int_val: -1, int_val: 0x12 > > > >
node { name: "y" op: "Reshape" input: "conv" input: "to" input: "^w" attr { key: "T" value { b: true } } }
library { function { signature { name: "f" input_arg { name: "a" } } } }
""",
    "ascend": rb"""node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: -1 } dim { size: 2 } dim { size: 2 } dim { size: 1 } } } } }
node { name: "q" op: "AscendQuant" input: "x" attr { key: "quant_bits" value { i: 8 } }
  attr { key: "scale" value { f: 4 } } attr { key: "offset" value { f: -128 } } }
node { name: "w" op: "Const" attr { key: "dtype" value { type: DT_INT8 } } attr { key: "value" value { tensor {
  dtype: DT_INT8 tensor_shape { dim { size: 1 } dim { size: 1 } dim { size: 1 } dim { size: 2 } } int_val: [5, -127] } } } }
node { name: "o" op: "Const" attr { key: "dtype" value { type: DT_INT8 } } attr { key: "value" value { tensor {
  dtype: DT_INT8 tensor_shape { dim { size: 1 } } int_val: 0 } } } }
node { name: "wq" op: "AscendWeightQuant" input: ["w", "o"] }
node { name: "conv" op: "Conv2D" input: ["q", "wq"]
  attr { key: "strides" value { list { i: 1 i: 1 i: 1 i: 1 } } } attr { key: "padding" value { s: "SAME" } } }
node { name: "d" op: "Const" attr { key: "dtype" value { type: DT_UINT64 } } attr { key: "value" value { tensor {
  dtype: DT_UINT64 tensor_shape { dim { size: 2 } } uint64_val: [1056964608, 1048576000] } } } }
node { name: "y" op: "AscendDequant" input: ["conv", "d"] }
""",
}
put("tensorflow", "text", graph_texts["bytes"])
for name, text in graph_texts.items():
    put("tensorflow_text", name, text)

layers = b"""node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: 1 } dim { size: 3 } dim { size: 3 } dim { size: 2 } } } } }
node { name: "w" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 1 } dim { size: 2 } dim { size: 2 } }
  float_val: [1, -2.5e-1, 3, 0.5] } } } }
node { name: "conv" op: "Conv2D" input: ["x", "w"]
  attr { key: "strides" value { list { i: 1 i: 1 i: 1 i: 1 } } } attr { key: "padding" value { s: "SAME" } } }
node { name: "r" op: "Relu" input: "conv" }
node { name: "to" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { dim { size: 2 } }
  int_val: [-1, 18] } } } }
node { name: "f" op: "Reshape" input: "r" input: "to" }
node { name: "g" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 18 } dim { size: 2 } } float_val: 0.25 } } } }
node { name: "d" op: "MatMul" input: "f" input: "g" }
"""
with tempfile.TemporaryDirectory() as folder:
    scratch = pathlib.Path(folder)
    (scratch / "layers.pbtxt").write_bytes(layers)
    out = quantize(scratch, "layers.pbtxt", "cambricon-mlu270")
    put("cambricon_pth", "int8", layers + b"\0" + read(out / "cambricon-mlu270/layers_int8.pth"))
