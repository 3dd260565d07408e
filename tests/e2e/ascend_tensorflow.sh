#!/usr/bin/env bash
# What the target ascend writes, real TensorFlow parses; it runs the folded graph to our fp32, and the quantized one, with
# the vendor's operators as documented, to our simulation. Nightly: TensorFlow is half a gigabyte, in an environment of
# its own.
tensorflow_folder=$SOURCE/build/tf-venv
if ! "$tensorflow_folder/bin/python" -c 'import tensorflow, PIL' 2>/dev/null; then
  { python3 -m venv "$tensorflow_folder" && "$tensorflow_folder/bin/pip" install -q tensorflow-cpu pillow; } >&2 ||
    { echo "skipped: TensorFlow cannot be installed"; exit 77; }
fi
export TF_CPP_MIN_LOG_LEVEL=3
TENSORFLOW=$tensorflow_folder/bin/python
. "$(dirname "$0")/ascend.sh"
