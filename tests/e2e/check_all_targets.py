"""check_all_targets.py FOLDER SCHEMA.bin: a folder with all seven targets of one network, calibrated without corrections.

Everything the manifest lists is there with its digest, no target has failed, and readers that are not ours take the files:
ONNX's checker and ONNX Runtime every .onnx, protobuf every prototxt and umodel, json and yaml the rest. All fp32 models
compute the same, the int8 ones something close. FOLDER/probe.npz keeps the input and the fp32 outputs for check_modules.py."""
import hashlib
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, unknown_fields

TARGETS = "onnx-qdq tnn ascend horizon-j6 sophon-bm1684 cambricon-mlu220 cambricon-mlu270".split()
FP32_ERROR = 2e-5    # of the largest output: sums in another order
INT8_COSINE = 0.9    # four records calibrate no network well: this tells a wrong model from a coarse one
folder = pathlib.Path(sys.argv[1])


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def net_parameter():
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[2], "rb").read()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ufw.NetParameter"))


def cosine(a, b):
    a, b = (np.concatenate([np.ravel(x) for x in values]).astype(np.float64) for values in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


manifest = json.load(open(folder / "manifest.json"))
for file in manifest["files"]:
    content = (folder / file["name"]).read_bytes()
    assert len(content) == file["size_bytes"] and hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]
report = json.load(open(folder / "report.json"))
assert sorted(report["targets"]) == sorted(TARGETS), list(report["targets"])
for name, target in report["targets"].items():
    assert "error" not in target, (name, target["error"])
    assert target["files"] and all(f.startswith(name + "/") for f in target["files"]), name

reference = session(next((folder / "ascend" / "onnx").glob("*.onnx")))
random = np.random.default_rng(1)
feeds = {i.name: random.uniform(-1, 1, [d if isinstance(d, int) else 1 for d in i.shape]).astype(np.float32)
         for i in reference.get_inputs()}
names = [o.name for o in reference.get_outputs()]
fp32 = reference.run(None, feeds)
np.savez(folder / "probe.npz", **{f"in{i}": x for i, x in enumerate(feeds.values())}, **{f"out{i}": y for i, y in enumerate(fp32)})

n = 0
for path in sorted(folder.rglob("*.onnx")):
    s = session(path)
    n += 1
    if [i.name for i in s.get_inputs()] != list(feeds):
        continue  # behind the board's pixels
    out = s.run(names, feeds)
    if "float" in path.name or path.parent.name == "onnx":
        error = max(np.abs(a - b).max() / max(1e-30, np.abs(b).max()) for a, b in zip(out, fp32))
        assert error < FP32_ERROR, f"{path}: differs from fp32 by {error:.1e}"
    else:
        assert cosine(out, fp32) > INT8_COSINE, f"{path}: cosine {cosine(out, fp32):.4f}"

NetParameter = net_parameter()
for path in sorted((folder / "sophon-bm1684").iterdir()):
    if path.suffix == ".prototxt":
        text_format.Parse(path.read_text(), NetParameter())
        n += 1
    elif path.name.endswith("umodel"):
        net = NetParameter.FromString(path.read_bytes())
        assert len(net.layer) > 0 and all(len(unknown_fields.UnknownFieldSet(layer)) == 0 for layer in net.layer), path
        n += 1
for path in folder.rglob("*.json"):
    json.loads(path.read_text())
yaml.safe_load((folder / "horizon-j6" / "config.yaml").read_text())
print(f"{folder.name}: {len(manifest['files'])} files of {len(TARGETS)} targets, {n} models read elsewhere")
