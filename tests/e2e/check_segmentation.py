"""Mean IoU of an output folder's report.json, counted again from the pictures.

    check_segmentation.py OUT MODEL.onnx SCENES INDEXED

OUT is of MODEL on SCENES/pictures with SCENES/labels; the fp32 network and OUT's onnx-qdq model are run by ONNX Runtime. Writes
the same labels as palette pictures, 255 as it is and classes as indices, to the new folder INDEXED, and one of them to
its neighbour "one".
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image

CLASSES, STEP, IGNORE = 5, 50, 255  # jobs/demo/scene.h
# Decoding of JPEG differs by 1 of 255 here and there, and so may a pixel between two classes: of 230,400 a picture.
TOLERANCE_FP32 = 0.05
# ONNX Runtime rounds sums in float where we do, but not always to the same bits.
TOLERANCE_INT8 = 0.3


def mean_iou(session, pictures, labels):
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for picture, truth in zip(pictures, labels):
        found = session.run(None, {"image": picture})[0][0].argmax(0)
        known = truth != IGNORE
        np.add.at(counts, (truth[known] // STEP, found[known]), 1)
    right = np.diag(counts)
    either = counts.sum(0) + counts.sum(1) - right
    return 100 * np.mean(right[either > 0] / either[either > 0])


def main():
    out, model, scenes, indexed = map(pathlib.Path, sys.argv[1:])
    names = sorted((scenes / "pictures").iterdir())
    pictures = [(np.asarray(Image.open(p), np.float32).transpose(2, 0, 1)[None] - 127.5) / 64 for p in names]
    labels = [np.asarray(Image.open(scenes / "labels" / (p.stem + ".png"))) for p in names]
    report = json.loads((out / "report.json").read_text())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for path, found, tolerance in [
        (model, report["fp32"]["mean_iou"], TOLERANCE_FP32),
        (out / "onnx-qdq" / "segmentation.onnx", report["targets"]["onnx-qdq"]["mean_iou"], TOLERANCE_INT8),
    ]:
        expected = mean_iou(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]),
                            pictures, labels)
        print(f"mean IoU of {path.name}: {found:.3f}, ONNX Runtime {expected:.3f}")
        if not abs(found - expected) <= tolerance:
            sys.exit(f"expected {expected:.4f} within {tolerance}, found {found:.4f}")
    for folder, n in [(indexed, len(names)), (indexed.parent / "one", 1)]:
        folder.mkdir()
        for name, label in list(zip(names, labels))[:n]:
            picture = Image.fromarray(np.where(label == IGNORE, IGNORE, label // STEP).astype(np.uint8), "P")
            picture.putpalette([(37 * i) % 256 for i in range(768)])
            picture.save(folder / (name.stem + ".png"))


main()
