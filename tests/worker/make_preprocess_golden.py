#!/usr/bin/env python3
"""Writes preprocess_golden.h: what PIL and OpenCV make of pictures that preprocess_records.h can draw for itself.

    pip install pillow==10.4.0 numpy opencv-python-headless==4.10.0.84
    python3 tests/worker/make_preprocess_golden.py > tests/worker/preprocess_golden.h

Pillow before 13: columns first, then rows, always (13 turns the order for pictures that shrink more in height, which
changes last bits). OpenCV without IPP, whose float results differ in the last bits.
"""
import cv2
import numpy as np
import PIL
from PIL import Image

cv2.ipp.setUseIPP(False)
assert int(PIL.__version__.split(".")[0]) < 13

# height, width, channels -> height, width
SMALL = [(5, 7, 3, 4, 3), (4, 3, 1, 6, 8)]
LARGE = [(13, 17, 3, 8, 8), (1, 1, 3, 5, 4), (50, 40, 1, 16, 13), (32, 32, 3, 128, 128), (200, 150, 3, 11, 7), (24, 36, 3, 12, 18), (24, 36, 3, 8, 6), (31, 17, 1, 20, 40),
         (60, 80, 3, 60, 33), (60, 80, 1, 23, 80), (375, 500, 3, 256, 341), (2, 300, 3, 9, 1)]


def picture(height, width, channels):
    """Bytes of a linear congruential generator, in HWC order."""
    state, values = height * 65536 + width * 16 + channels, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state >> 24)
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.array(values, np.uint8).reshape(shape)


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def resize(name, pixels, height, width):
    if name.startswith("OPENCV_"):
        return cv2.resize(pixels, (width, height), interpolation=getattr(cv2, "INTER_" + name[7:]))
    return np.array(Image.fromarray(pixels).resize((width, height), getattr(Image.Resampling, name.replace("PIL_", ""))))


print("/* preprocess_golden.h — made by make_preprocess_golden.py with Pillow %s and OpenCV %s; do not edit. */\n/* clang-format off */"
      % (PIL.__version__, cv2.__version__))
print("static const struct golden goldens[] = {")
for name in ("BILINEAR", "NEAREST", "OPENCV_LINEAR", "PIL_BOX", "PIL_HAMMING", "PIL_BICUBIC", "PIL_LANCZOS",
             "OPENCV_NEAREST", "OPENCV_AREA", "OPENCV_CUBIC", "OPENCV_LANCZOS4"):
    for case in SMALL + LARGE:
        pixels = picture(*case[:3])
        for is_float in (False, True):
            if is_float and (case[2] != 1 or name.endswith("NEAREST") or name in ("OPENCV_AREA", "OPENCV_CUBIC", "OPENCV_LANCZOS4")):
                continue
            data = resize(name, (pixels / np.float32(7)).astype(np.float32) if is_float else pixels, *case[3:])
            shown = data.tobytes() if case in SMALL and not is_float else b""
            print("    {FILTER_%s, %d, %d, %d, %d, %d, %s, 0x%016xu, %d, %s}," % (
                (name,) + case + ("true" if is_float else "false", fnv1a(data.tobytes()), len(shown),
                                  "{%s}" % ", ".join(str(b) for b in shown) if shown else "{0}")))
print("};")
rgb = picture(9, 11, 3)
print("static const uint64_t golden_luma = 0x%016xu; /* of the 9 x 11 picture */" % fnv1a(
    np.array(Image.fromarray(rgb).convert("L")).tobytes()))
print("static const uint64_t golden_opencv_gray = 0x%016xu;" % fnv1a(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).tobytes()))


def nv12(i420, height, width):
    """I420 with its planes of U and V side by side."""
    flat = i420.reshape(-1)
    n, q = height * width, height * width // 4
    return np.concatenate([flat[:n], np.stack([flat[n:n + q], flat[n + q:]], 1).reshape(-1)])


even = picture(10, 14, 3)
packed = nv12(cv2.cvtColor(even, cv2.COLOR_RGB2YUV_I420), 10, 14)
print("/* Of the 10 x 14 picture: to NV12; that to RGB; to YUV 4:4:4; the picture taken for YUV 4:4:4, to RGB. */")
print("static const uint64_t golden_yuv[] = {%s};" % ", ".join("0x%016xu" % fnv1a(data.tobytes()) for data in (
    packed, cv2.cvtColor(packed.reshape(15, 14), cv2.COLOR_YUV2RGB_NV12), cv2.cvtColor(even, cv2.COLOR_RGB2YUV),
    cv2.cvtColor(even, cv2.COLOR_YUV2RGB))))
