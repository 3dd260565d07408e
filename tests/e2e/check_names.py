"""Names that no exporter may trip over: `check_names.py make FOLDER` draws a small network under each kind of them, as
FOLDER/<kind>.onnx, and records; `check_names.py check KIND OUTPUT TARGET...` reads with other people's parsers what
the targets have written of it."""
import ast
import json
import pathlib
import sys

import numpy as np
import onnx
import yaml
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper

KINDS = {
    "quotes": b"a'\"b\\'#%d|$(x)",
    "lines": b"a\n- b: c\r\n\td",
    "bytes": b"\xff\xfe\x01\x7f\xc3(\xed\xa0\x80[",
    "blanks": b" a,  b : c ",
    "breaks": "a\u0085b\u2028c\ufeff".encode(),
}
BYTES = 16
PLACE = "Z" * BYTES  # protobuf takes no bytes for a string: the name is put in its place afterwards


def name_of(kind):
    return KINDS[kind] + b"_" * (BYTES - len(KINDS[kind]))


def network():
    rng, constants = np.random.default_rng(1), []

    def constant(name, *shape):
        constants.append(numpy_helper.from_array(rng.normal(size=shape, scale=0.3).astype(np.float32), PLACE + name))
        return PLACE + name

    def node(op, name, inputs, output, **attributes):
        return helper.make_node(op, [PLACE + i if isinstance(i, str) and not i.startswith(PLACE) else i for i in inputs],
                                [PLACE + output], name=PLACE + name, **attributes)

    nodes = [
        node("Conv", "conv", ["in", constant("w", 8, 3, 3, 3), constant("b", 8)], "c", pads=[1, 1, 1, 1]),
        node("Relu", "relu", ["c"], "r"),
        node("Conv", "dw", ["r", constant("dww", 8, 1, 3, 3), constant("dwb", 8)], "d", pads=[1, 1, 1, 1], group=8),
        node("Add", "add", ["d", "r"], "a"),
        node("Concat", "join", ["a", "d"], "j", axis=1),
        node("GlobalAveragePool", "pool", ["j"], "g"),
        node("Flatten", "flat", ["g"], "f", axis=1),
        node("Gemm", "fc", ["f", constant("v", 5, 16), constant("u", 5)], "out", transB=1),
    ]
    graph = helper.make_graph(nodes, "names",
                              [helper.make_tensor_value_info(PLACE + "in", TensorProto.FLOAT, [1, 3, 8, 8])],
                              [helper.make_tensor_value_info(PLACE + "out", TensorProto.FLOAT, [1, 5])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def make(folder):
    model = network()
    for kind in KINDS:
        (folder / f"{kind}.onnx").write_bytes(model.replace(PLACE.encode(), name_of(kind)))
    np.save(folder / "x.npy", np.random.default_rng(2).integers(0, 255, (8, 3, 8, 8)).astype(np.float32))


def read(path):
    """By its ending, with a parser that is not ours."""
    text = path.read_bytes().decode()  # all of it is UTF-8
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".yaml":
        return yaml.safe_load(text)
    if path.suffix == ".py":
        return ast.parse(text)
    if path.suffix in (".prototxt", ".txt"):
        tokens = text_format.Tokenizer(text.split("\n"))
        while not tokens.AtEnd():
            tokens.NextToken()
    return text


def check_horizon(folder, name):
    config = read(folder / "config.yaml")["input_parameters"]
    model = onnx.load(next(folder.glob("*_optimized_float.onnx")))
    assert config["input_name"] == name + "in" == model.graph.input[0].name, config["input_name"]


def check_tensorrt(folder, name):
    values = {"in", "conv/linear", "r", "d", "a", "j", "g", "f", "out"}
    lines = next(folder.glob("*.cache")).read_text().removesuffix("\n").split("\n")[1:]
    assert {line.rpartition(": ")[0] for line in lines} <= {name + v for v in values}, lines


def check_sophon(folder, _):
    table = [line for line in next(folder.glob("*_cali_table")).read_bytes().split(b"\n") if line[:1] not in (b"", b"#")]
    assert table and all(len(line.split(b" ")) == 4 for line in table), table


def check(kind, output, targets):
    name = name_of(kind).decode(errors="backslashreplace")  # what is no UTF-8 is read as \xNN
    checks = {"horizon-j6": check_horizon, "tensorrt": check_tensorrt, "sophon-bm1684": check_sophon}
    for target in targets:
        files = [p for p in (output / target).rglob("*") if p.is_file()]
        assert files, target
        for path in files:
            if path.suffix in (".json", ".yaml", ".py", ".md", ".prototxt", ".txt"):
                try:
                    read(path)
                except Exception as why:
                    sys.exit(f"{path}: {why}")
        checks.get(target, lambda *_: None)(output / target, name)
    read(output / "report.json")
    read(output / "report.html")


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]))
else:
    check(sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:])
