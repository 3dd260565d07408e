"""check_random_network.py RUN_NETWORK NAME MODEL.onnx SCRATCH: our engine against ONNX Runtime on one random record, for
the graph as imported and as normalised. Every output must agree to 1e-4 of its largest magnitude: what is left is the
order of float32 sums, in hundreds of layers.
"""
import subprocess
import sys

import numpy as np
import onnxruntime

sys.path.insert(0, sys.path[0] + "/..")
import random_networks

TOLERANCE = 1e-4

run_network, name, model, scratch = sys.argv[1:5]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = [y.name for y in session.get_outputs()]
record = random_networks.inputs(name, 1)[0]
expected = session.run(names, record)
files = []
for i, x in enumerate(record.values()):
    files.append(f"{scratch}/{name}.input{i}")
    x.tofile(files[-1])
worst = []
for stage in "imported", "normalised":
    subprocess.run([run_network, model, stage, f"{scratch}/{name}", *files], check=True, stdout=subprocess.PIPE)
    for i, y in enumerate(expected):
        found = np.fromfile(f"{scratch}/{name}.{i}", np.float32)
        if found.size != y.size:
            sys.exit(f"{name}: {names[i]} has {found.size} elements, in ONNX Runtime {y.size}")
        worst.append((abs(found - y.ravel()).max() / abs(y).max(), stage, names[i]))
print(f"  {name}: largest difference {max(worst)[0]:.1e} of the largest output ({max(worst)[2]}, {max(worst)[1]})")
sys.exit(0 if max(worst)[0] < TOLERANCE else f"{name}: {worst}")
