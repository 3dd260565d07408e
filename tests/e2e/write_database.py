"""Writes what Caffe's convert_imageset writes, without Etalon: write_database.py FOLDER LIST OUT [KEY=VALUE...]

Keys: backend (lmdb), height and width (0), gray, encoded; labels and order are the list's. Pixels in colour come from
Pillow, gray and the resizing from OpenCV, messages are put together by hand.
"""
import sys

import cv2
import lmdb
import numpy as np
import plyvel
from PIL import Image


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def datum(data, label, dims=()):
    head = b"".join(varint(i << 3) + varint(d) for i, d in enumerate(dims, 1))
    tail = varint(5 << 3) + varint(label) + varint(7 << 3) + varint(0 if dims else 1)
    return head + varint(4 << 3 | 2) + varint(len(data)) + data + tail


folder, list_file, out = sys.argv[1:4]
options = {"backend": "lmdb", "height": 0, "width": 0, "gray": 0, "encoded": 0}
options.update((k, v if k == "backend" else int(v)) for k, v in (a.split("=") for a in sys.argv[4:]))
rows = []
for number, line in enumerate(open(list_file)):
    name, label = line.rstrip("\n").rsplit(" ", 1)
    if options["encoded"]:
        value = datum(open(folder + name, "rb").read(), int(label))
    else:
        if options["gray"]:
            pixels = cv2.imread(folder + name, cv2.IMREAD_GRAYSCALE)[:, :, None]
        else:
            pixels = np.asarray(Image.open(folder + name).convert("RGB"))[:, :, ::-1]  # B, G, R
        if options["height"]:
            pixels = np.atleast_3d(cv2.resize(np.ascontiguousarray(pixels), (options["width"], options["height"])))
        value = datum(pixels.transpose(2, 0, 1).tobytes(), int(label), (pixels.shape[2], *pixels.shape[:2]))
    rows.append((f"{number:08d}_{name}".encode(), value))
if options["backend"] == "lmdb":
    with lmdb.open(out, map_size=1 << 30) as env, env.begin(write=True) as txn:
        for key, value in rows:
            txn.put(key, value)
else:
    db = plyvel.DB(out, create_if_missing=True)
    for key, value in rows:
        db.put(key, value)
    db.close()
