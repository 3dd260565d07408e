"""check_cambricon.py FOLDER NAME BITS ONNX RECORDS.npy: the files of a target cambricon-*, read by PyTorch and, as text, by us.

Run by the Python that has torch. With biases as in the ONNX model (no bias correction), the module computes what onnxruntime
computes of that model; its outputs on RECORDS come as RECORDS.out.npy."""
import json
import sys

import numpy as np
import torch

folder, name, bits, expected = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sys.path.insert(0, folder)
from model import Net  # noqa: E402

state = torch.load(f"{folder}/{name}_int{bits}.pth")
net = Net().eval()
result = net.load_state_dict(state, strict=False)
assert not result.missing_keys, result.missing_keys
extra = {key.rsplit(".", 1)[1] for key in result.unexpected_keys}
assert extra <= {"scale", "quantized_mode", "quantized_by_channel", "scale_weight_per_channel"}, extra

largest, n = 2 ** (bits - 1) - 1, 0
for key in state:
    if not key.endswith(".scale"):
        continue
    layer = key[:-len(".scale")]
    weight = state[layer + ".weight"].numpy().astype(np.float64)
    assert state[key].dtype == torch.float32 and state[key].shape == (2,)
    assert state[layer + ".quantized_mode"].dtype == torch.int32 and state[layer + ".quantized_mode"].item() == {8: 1, 16: 2}[bits]
    if state[key][1] == 0:
        assert state[layer + ".quantized_by_channel"].dtype == torch.int64 and state[layer + ".quantized_by_channel"].item() == 1
        s = state[layer + ".scale_weight_per_channel"].numpy().astype(np.float64).reshape([-1] + [1] * (weight.ndim - 1))
        assert len(s) == len(weight)
    else:
        s = float(state[key][1])
    codes = np.clip(np.round(weight * s), -largest - 1, largest)
    signal, noise = (weight ** 2).sum(), ((codes / s - weight) ** 2).sum()
    assert noise <= signal * (1e-2 if bits == 8 else 1e-7), (layer, noise / signal)
    n += 1
assert n > 0

with open(f"{folder}/io.json") as file:
    io = json.load(file)
assert io["bits"] == bits and io["pytorch"] and io["inputs"] and io["outputs"]
with torch.no_grad():
    out = net(torch.from_numpy(np.load(sys.argv[5])))
out = out.numpy() if isinstance(out, torch.Tensor) else out[0].numpy()
want = np.load(expected)
error = np.abs(out - want).max() / np.abs(want).max()
print(f"{name} int{bits}: {n} quantized layers; outputs differ from onnxruntime's by {error:.1e}")
assert error < 1e-5
