"""check_horizon.py FOLDER [SOURCE.onnx RUN_NETWORK]: is a horizon-j6 package what it says?

Every model passes the checker, has an opset and IR version that hb_compile takes, static shapes and a description of
every value, and runs in ONNX Runtime; both float models give the same, and, with SOURCE, what our engine gives. The model
behind the board's pixels computes what NumPy does to them. config.yaml and quant_config.json follow the vendor's schema;
tensors, thresholds and the estimate agree with the models.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnx.utils
import onnxruntime
import yaml

folder = pathlib.Path(sys.argv[1])


def run(path, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: feeds[i.name] for i in session.get_inputs()})


def load(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    is_older = "dialect nash" not in (folder / "config.yaml").read_text() and "_float" in path.name
    assert model.ir_version <= (7 if is_older else 9) and len(model.opset_import) == 1
    assert 10 <= model.opset_import[0].version <= (11 if is_older else 19), model.opset_import
    described = {v.name: v for v in list(model.graph.value_info) + list(model.graph.output)}
    for node in model.graph.node:
        for name in node.output:
            assert name in described, f"{path.name}: {name} is not described"
    for value in list(described.values()) + list(model.graph.input):
        assert all(d.dim_value > 0 for d in value.type.tensor_type.shape.dim), f"{path.name}: {value.name} is not static"
    # what is described is what inference finds
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in onnx.shape_inference.infer_shapes(bare, data_prop=True).graph.value_info:
        assert value.type == described[value.name].type, f"{path.name}: {value.name} has another shape or type"
    return model


def error(a, b):
    return max(float(np.abs(x - y).max() / max(1e-30, np.abs(x).max())) for x, y in zip(a, b))


# --- schema ---

COLOURS = ["nv12", "yuv444", "rgb", "bgr", "gray", "featuremap"]
LEGAL = {"yuv444": "nv12 yuv444", "rgb": "nv12 yuv444 rgb bgr", "bgr": "nv12 yuv444 rgb bgr", "gray": "gray", "featuremap": "featuremap"}
MARCHES = "nash-b-lite nash-b nash-b-plus nash-e nash-m nash-p nash-h bayes-e bayes".split()
KEYS = {
    "model_parameters": "onnx_model march working_dir output_model_file_prefix remove_node_type remove_node_name",
    "input_parameters": "input_name input_type_rt input_type_train input_layout_train input_shape norm_type mean_value scale_value"
                        " input_batch separate_batch separate_name input_space_and_range",
    "calibration_parameters": "cal_data_dir cal_data_type calibration_type max_percentile quant_config",
    "compiler_parameters": "compile_mode balance_factor core_num optimize_level input_source jobs max_l2m_size",
}


def check_config(models):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert list(config) == list(KEYS), list(config)
    for group, keys in config.items():
        assert set(keys) <= set(KEYS[group].split()), f"{group}: {set(keys) - set(KEYS[group].split())}"
    m, i, c, k = config.values()
    assert (folder / m["onnx_model"]).exists() and m["march"] in MARCHES
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", m["output_model_file_prefix"])
    inputs = models["optimized_float"].graph.input
    names = i["input_name"].split(";")
    assert names == [v.name for v in inputs]
    assert i["input_shape"].split(";") == ["x".join(str(d.dim_value) for d in v.type.tensor_type.shape.dim) for v in inputs]
    boards, trains = i["input_type_rt"].split(";"), i["input_type_train"].split(";")
    for rt, train in zip(boards, trains):
        assert rt in LEGAL[train].split(), (rt, train)
    for key in ("input_type_rt", "input_type_train", "input_layout_train", "mean_value", "scale_value", "norm_type"):
        assert key not in i or len(i[key].split(";")) == len(names), key
    assert ("mean_value" in i) == ("scale_value" in i)
    is_nash = m["march"].startswith("nash")
    assert is_nash == ("quant_config" in c) and is_nash != ("norm_type" in i) and is_nash != ("calibration_type" in c)
    if "cal_data_dir" in c:
        assert all((folder / d).is_dir() for d in c["cal_data_dir"].split(";"))
    assert k["compile_mode"] in ("latency", "bandwidth", "balance") and (k["compile_mode"] == "balance") == ("balance_factor" in k)
    assert k["optimize_level"] in ("O0", "O1", "O2", "O3") and 1 <= k["core_num"] <= 4
    assert set(k["input_source"]) == set(names) and set(k["input_source"].values()) <= {"ddr", "pyramid", "resizer"}
    return config


def check_quant_config(nodes):
    config = json.loads((folder / "quant_config.json").read_text())
    assert set(config) <= {"model_config", "op_config", "subgraph_config", "node_config"}
    model = config["model_config"]
    assert set(model) <= {"all_node_type", "model_output_type", "activation", "weight", "modelwise_search", "layerwise_search"}
    assert model["all_node_type"] in ("int8", "int16", "float16", "float32")
    activation = model["activation"]
    assert set(activation) <= {"calibration_type", "num_bin", "max_num_bin", "max_percentile", "per_channel", "asymmetric"}
    assert activation["calibration_type"] in ("max", "kl")
    assert all(0.5 <= p <= 1 for p in activation.get("max_percentile", []))
    assert all(n >= 129 for n in activation.get("num_bin", [])) and activation.get("max_num_bin", 258) >= 258
    for name, entry in config.get("node_config", {}).items():
        assert name in nodes and entry["qtype"] in ("int8", "int16", "float16", "float32")


# --- the models ---

def check_thresholds(ptq):
    table = json.loads((folder / "thresholds.json").read_text())["tensors"]
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in ptq.graph.initializer}
    quantized = {n.input[0]: n for n in ptq.graph.node if n.op_type == "QuantizeLinear"}
    features = [t for t in table if t["kind"] == "feature"]
    assert len(features) == len(quantized)
    for t in features:
        scale = constants[t["tensor"] + "/scale"]
        assert np.float32(t["scale"]) == scale and constants[t["tensor"] + "/zero_point"] == t["zero_point"] == 0
        assert np.isclose(t["threshold"] / 127, scale, rtol=1e-6)
    for t in table:
        if t["kind"] == "weight" and t["tensor"] + "/scale" in constants:
            scale = constants[t["tensor"] + "/scale"]
            assert np.array_equal(np.float32(t["scales"]), scale.reshape(-1)), t["tensor"]
    return len(features)


FULL = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
VIDEO = np.array([[1.164383, 0, 1.596027], [1.164383, -0.391762, -0.812968], [1.164383, 2.017232, 0]])


def board_pixels(rng, rt, name, shape):
    """What the board feeds, and the three (or one) planes of 0..255 that it means."""
    n, c, h, w = shape
    if rt == "nv12":
        y = rng.integers(0, 256, (1, h, w, 1), np.uint8)
        uv = rng.integers(0, 256, (1, h // 2, w // 2, 2), np.uint8)
        large = uv.repeat(2, axis=1).repeat(2, axis=2)
        return {name + "_y": y, name + "_uv": uv}, np.concatenate([y, large], axis=3).astype(np.float64)
    pixels = rng.integers(0, 256, (1, h, w, c), np.uint8)
    if rt == "gray":
        return {name + "_pixels": pixels}, pixels.astype(np.float64)
    return {name + "_pixels": (pixels.astype(np.int16) - 128).astype(np.int8)}, pixels.astype(np.float64)


def normalise(planes, rt, train, space, mean, scale):
    if rt in ("nv12", "yuv444") and train != "yuv444":
        matrix, offset = (FULL, 0) if space == "regular" else (VIDEO, 16)
        planes = np.clip((planes - [offset, 128, 128]) @ matrix.T, 0, 255)
        rt = "rgb"
    if {rt, train} == {"rgb", "bgr"}:
        planes = planes[..., ::-1]
    return ((planes - mean) * scale).transpose(0, 3, 1, 2).astype(np.float32)


def check_front(path, config):
    i = config["input_parameters"]
    rng = np.random.default_rng(5)
    numbers = lambda key, n, plain: [
        np.full(n, plain) if text == "None" else np.array([float(x) for x in text.split()])
        for text in i.get(key, ";".join(["None"] * n)).split(";")]
    names, n = i["input_name"].split(";"), len(i["input_name"].split(";"))
    for k, (name, rt, train) in enumerate(zip(names, i["input_type_rt"].split(";"), i["input_type_train"].split(";"))):
        if rt == "featuremap":
            continue
        shape = [int(d) for d in i["input_shape"].split(";")[k].split("x")]
        feeds, planes = board_pixels(rng, rt, name, shape)
        expected = normalise(planes, rt, train, i.get("input_space_and_range", "regular"), numbers("mean_value", n, 0.0)[k],
                             numbers("scale_value", n, 1.0)[k])
        with tempfile.TemporaryDirectory() as scratch:
            onnx.utils.extract_model(str(path), scratch + "/front.onnx", list(feeds), [name], check_model=False)
            (found,) = run(scratch + "/front.onnx", feeds)
        assert error([expected], [found]) < 1e-5, f"{path.name}: {name} differs by {error([expected], [found])}"
    print(f"  {path.name}: what NumPy makes of the pixels")


def check_tensors(models, config):
    first = next(iter(models["optimized_float"].graph.input))
    data = folder / "calibration_data"
    if not data.exists():
        return {v.name: np.zeros([d.dim_value for d in v.type.tensor_type.shape.dim], np.float32)
                for v in models["optimized_float"].graph.input}
    feeds, counts = {}, set()
    for value, path in zip(models["optimized_float"].graph.input, config["calibration_parameters"]["cal_data_dir"].split(";")):
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        npy = sorted((folder / path).glob("*.npy"))
        raw = sorted((folder / path).glob("*.bin"))
        assert npy or raw
        counts.add(len(npy or raw))
        for a, b in zip(npy, raw):
            assert np.load(a).tobytes() == b.read_bytes()
        tensors = [np.load(p) for p in npy] or [np.fromfile(p, np.float32).reshape(shape) for p in raw]
        assert all(t.dtype == np.float32 and list(t.shape) == shape and np.isfinite(t).all() for t in tensors)
        feeds[value.name] = tensors[0]
    assert len(counts) == 1, "inputs have different numbers of tensors"
    return feeds


def check_estimate(nodes):
    page = json.loads((folder / "performance_estimate.json").read_text())
    assert "estimate" in page["what"] and page["roofline"]["peak_int8_tops"] > 0
    assert {n["node"] for n in page["nodes"]} <= nodes | {n["node"] for n in page["nodes"] if n["macs"] == 0}
    assert sum(n["macs"] for n in page["nodes"]) == page["totals"]["macs"]
    assert sum(n["bytes"] for n in page["nodes"]) == page["totals"]["bytes"]
    assert abs(sum(n["share"] for n in page["nodes"]) - 1) < 1e-6
    assert "neither measured" in (folder / "performance_estimate.md").read_text()


models = {}
for stage in ("original_float", "optimized_float", "ptq_model"):
    (path,) = folder.glob(f"*_{stage}.onnx")
    models[stage] = load(path)
nodes = {n.name for n in models["optimized_float"].graph.node}
config = check_config(models)
check_quant_config(nodes)
check_estimate(nodes)
features = check_thresholds(models["ptq_model"])
feeds = check_tensors(models, config)
outputs = {stage: run(next(folder.glob(f"*_{stage}.onnx")), feeds) for stage in models}
apart = error(outputs["original_float"], outputs["optimized_float"])
assert apart < 1e-5, f"the float models differ by {apart}"
print(f"  {len(nodes)} nodes, {features} features; float models differ by {apart:.1e}, "
      f"Q/DQ by {error(outputs['optimized_float'], outputs['ptq_model']):.3f}")
if len(sys.argv) > 2:
    with tempfile.TemporaryDirectory() as scratch:
        for k, v in enumerate(models["original_float"].graph.input):
            feeds[v.name].tofile(f"{scratch}/in.{k}")
        subprocess.run([sys.argv[3], sys.argv[2], "normalised", scratch + "/out"]
                       + [f"{scratch}/in.{k}" for k in range(len(feeds))], check=True, stdout=subprocess.DEVNULL)
        ours = [np.fromfile(f"{scratch}/out.{k}", np.float32).reshape(y.shape) for k, y in enumerate(outputs["optimized_float"])]
    apart = error(ours, outputs["optimized_float"])
    assert apart < 1e-5, f"ONNX Runtime's fp32 differs from ours by {apart}"
    print(f"  fp32 is our engine's to {apart:.1e}")
for path in folder.glob("*_ptq_model_*.onnx"):
    load(path)
    check_front(path, config)
