"""check_cambricon.py FOLDER NAME BITS ONNX_OUTPUTS.npy RECORDS.npy: the files of a target cambricon-*, read by PyTorch and, as
text, by us.

Run by the Python that has torch. With biases as in the ONNX model (no bias correction), the module computes what onnxruntime
computes of that model. Where the checkpoint has a first convolution that normalises, RECORDS are bytes, and that layer does
to them what the vendor's does: (x - input_mean) / input_std."""
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
assert extra <= {"scale", "quantized_mode", "quantized_by_channel", "scale_weight_per_channel", "input_mean", "input_std"}, extra

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
first = [key[:-len(".input_mean")] for key in state if key.endswith(".input_mean")]
assert io["firstconv"] == (len(first) == 1), first
if first:
    # The tool takes the first Conv2d that is defined.
    assert first[0] == next(name for name, layer in net.named_modules() if isinstance(layer, torch.nn.Conv2d)), first
    mean, std = state[first[0] + ".input_mean"], state[first[0] + ".input_std"]
    assert mean.dtype == std.dtype == torch.float32 and mean.shape == std.shape == (1, io["inputs"][0]["dims"][3], 1, 1)
    assert np.allclose(io["inputs"][0]["mean"], mean.flatten()) and np.allclose(io["inputs"][0]["std"], std.flatten())
    assert io["inputs"][0]["type"] == ["UINT8"]
    dict(net.named_modules())[first[0]].register_forward_pre_hook(lambda layer, x: ((x[0] - mean) / std,))
with torch.no_grad():
    out = net(torch.from_numpy(np.load(sys.argv[5])))
out = out.numpy() if isinstance(out, torch.Tensor) else out[0].numpy()
want = np.load(expected)
error = np.abs(out - want).max() / np.abs(want).max()
print(f"{name} int{bits}: {n} quantized layers{' behind bytes' if first else ''}; outputs differ from onnxruntime's by {error:.1e}")
assert error < 1e-5
