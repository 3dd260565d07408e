"""check_agreement.py MODEL.onnx CHOICES LIST FOLDER PREPROCESSING [PERCENT]: onnxruntime runs the emitted model on the
images of LIST; its arg-max must equal the "onnx-qdq" column of CHOICES on at least PERCENT (99) of them.

PREPROCESSING: "resnet" or "mobilenet", written here with numpy and PIL, independently of our own code.
"""
import sys

import numpy as np
import onnxruntime
from PIL import Image

model, choices, listing, folder, kind = sys.argv[1:6]
need = float(sys.argv[6]) if len(sys.argv) > 6 else 99.0


def pixels(path):
    image = Image.open(path).convert("RGB")
    if kind == "mobilenet":
        image = image.resize((128, 128), Image.BILINEAR)
        x = np.asarray(image, np.float32) / np.float32(127.5) - 1
    else:
        x = np.asarray(image, np.float32) / 255
        x = (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return x.transpose(2, 0, 1)


with open(choices) as file:
    column = file.readline().split().index("onnx-qdq")
    ours = np.array([int(line.split()[column]) for line in file])
paths = [line.rsplit(" ", 1) for line in open(listing).read().splitlines()]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
theirs = []
for i in range(0, len(paths), 50):
    batch = np.stack([pixels(f"{folder}/{p}") for p, _ in paths[i : i + 50]])
    theirs.append(session.run(None, {name: batch})[0].reshape(len(batch), -1).argmax(1))
theirs = np.concatenate(theirs)
labels = np.array([int(label) for _, label in paths])
agreement = 100 * np.mean(ours == theirs)
print(f"{model}: onnxruntime top-1 {100 * np.mean(theirs == labels):.2f}, agrees with our simulation on {agreement:.2f} %")
sys.exit(0 if agreement >= need else 1)
