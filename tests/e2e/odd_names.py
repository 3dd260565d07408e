"""odd_names.py NETWORK.onnx FOLDER: the network with odd names of everything, one file for each kind of oddness; prints the kinds.

FOLDER/<kind>.onnx holds the same nodes and weights. Values, nodes and initializers take the kind's names in turn, made
different by a number only where the names themselves would be the same."""
import pathlib
import sys

import onnx

NOT_UTF8 = "NOT-UTF8"  # protobuf's own writer refuses such strings: put into the bytes of the file
KINDS = {
    # what becomes one name where '/' and the like become '_', where case does not count, or where digits are appended
    "alike": ["a/b", "a_b", "a.b", "A_B", "a:b", "a b", "a-b", "a/b_1", "a_b_1", "a//b", "a__b", "/a_b", "a\\b", "a|b"],
    "quoted": ["it's", 'say "x"', "\\", "back\\slash\\n", "two\nlines", "tab\there", "#no comment", "{brace: [1]}", "a, b;",
               "%s%d", "$HOME `id`", "<b>&amp;", "- item", "key: value", "'''", '"""'],
    "words": ["1", "0x10", "007", "class", "self", "forward", "torch", "None", "import", "x", "__init__", "Net", "nan",
              "null", "true", "~", "on", "data", "-1", "1e5", "."],
    "foreign": ["é", "e\u0301", "重み", "重み ", " 重み", "\u202etxt", NOT_UTF8 + "1", NOT_UTF8 + "2", "\x7f", "\x01"],
    # what exporters call the helpers that they add
    "taken": ["a", "a/quantized", "a/scale", "a/zero_point", "a/float", "a/dequantized", "a/quantize", "a_scale_data_", "a_quantized",
              "a/relu", "a_relu", "a/bias", "a/weights", "a/quantized/scale", "a/axes", "a_bn", "a_1", "a_1_1"],
    "long": ["n" * 300, "n" * 300 + "/", "N" * 300, "m" * 129],
}


def rename(model, names):
    used, chosen = set(), {}

    def take(old):
        if old == "":
            return old
        if old not in chosen:
            name, n = names[len(chosen) % len(names)], 0
            while name + (str(n) if n else "") in used:
                n += len(names)
            chosen[old] = name + (str(n) if n else "")
            used.add(chosen[old])
        return chosen[old]

    graph = model.graph
    for node in graph.node:
        node.name = take("node " + node.name) if len(names) % 2 else ""  # ONNX lets nodes have none
        node.input[:] = [take(x) for x in node.input]
        node.output[:] = [take(x) for x in node.output]
    for item in [*graph.initializer, *graph.input, *graph.output]:
        item.name = take(item.name)
    del graph.value_info[:]


source, folder = sys.argv[1:]
for kind, names in KINDS.items():
    model = onnx.load(source)
    rename(model, names)
    data = model.SerializeToString().replace(NOT_UTF8.encode(), b"\xff\xfe\xc3(\xed\xa0\x80\xff")
    (pathlib.Path(folder) / f"{kind}.onnx").write_bytes(data)
    print(kind)
