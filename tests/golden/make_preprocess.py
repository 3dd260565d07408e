"""make_preprocess.py: what TensorFlow makes of pictures that preprocess_records.h can draw for itself, as a C header.

    python3 -m venv build/tf-venv && build/tf-venv/bin/pip install tensorflow-cpu==2.21.0
    build/tf-venv/bin/python tests/golden/make_preprocess.py > tests/golden/preprocess.h
"""
import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

# Sides of which size x fraction is whole, half-way, or whole only in decimals, as 10 x 0.8.
CROPS = [(10, 14, 0.875), (9, 13, 0.5), (32, 33, 0.875), (7, 7, 0.3), (11, 10, 0.1), (24, 20, 0.875), (25, 26, 0.9),
         (10, 10, 0.7), (10, 20, 0.8), (10, 15, 0.6), (40, 30, 0.95), (5, 6, 1.0), (6, 5, 0.001)]


def picture(height, width, channels):
    """Bytes of a linear congruential generator, in HWC order: the same as `draw` in tests/worker/preprocess_records.h."""
    state, values = height * 65536 + width * 16 + channels, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state >> 24)
    return np.array(values, np.uint8).reshape(height, width, channels)


print("/* preprocess.h — made by make_preprocess.py with TensorFlow %s; do not edit. */\n/* clang-format off */"
      % tf.__version__)
print("static const struct {\n    size_t height, width;\n    float fraction;\n    size_t top, left, to_height, to_width;\n"
      "} golden_central_crops[] = {")
for height, width, fraction in CROPS:
    places = np.arange(height * width, dtype=np.int32).reshape(height, width, 1)
    part = tf.image.central_crop(places, fraction).numpy()
    top, left = divmod(int(part[0, 0, 0]), width)
    print("    {%d, %d, %rf, %d, %d, %d, %d}," % (height, width, fraction, top, left, *part.shape[:2]))
print("};")
print("/* per_image_standardization, in HWC order: of the 4 x 5 picture, of one byte 101 among 100s, whose deviation is just\n"
      " * below 1 / sqrt(n), of bytes 9. */")
drawn = picture(4, 5, 3)
flat = np.full((4, 5, 3), 100, np.uint8)
flat[0, 2, 1] = 101
print("static const float golden_standardized[3][60] = {")
for pixels in drawn, flat, np.full((4, 5, 3), 9, np.uint8):
    values = tf.image.per_image_standardization(pixels).numpy().ravel()
    print("    {%s}," % ", ".join("%.9e" % v + "f" for v in values))
print("};")
