"""check_modules.py FOLDER: in a folder that check_all_targets.py has seen, PyTorch loads every checkpoint of the cambricon
targets into its module, which computes the network's fp32 outputs. Run by the Python that has torch."""
import pathlib
import runpy
import sys

import numpy as np
import torch

probe = np.load(pathlib.Path(sys.argv[1]) / "probe.npz")
inputs = [torch.from_numpy(probe[f"in{i}"]) for i in range(sum(k.startswith("in") for k in probe.files))]
expected = [probe[f"out{i}"] for i in range(sum(k.startswith("out") for k in probe.files))]
checkpoints = sorted(pathlib.Path(sys.argv[1]).glob("cambricon-*/*.pth"))
assert len(checkpoints) == 2, checkpoints
for path in checkpoints:
    net = runpy.run_path(str(path.parent / "model.py"))["Net"]().eval()
    missing = net.load_state_dict(torch.load(path), strict=False).missing_keys
    assert not missing, missing
    with torch.no_grad():
        out = net(*inputs)
    for a, b in zip([out] if isinstance(out, torch.Tensor) else out, expected):
        error = np.abs(a.numpy() - b).max() / max(1e-30, np.abs(b).max())
        assert error < 2e-5, f"{path}: differs from fp32 by {error:.1e}"
