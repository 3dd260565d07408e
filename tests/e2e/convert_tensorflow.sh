#!/usr/bin/env bash
# What `etalon convert --to tensorflow` writes, real TensorFlow runs, and gives what ONNX Runtime gives for the source.
# Nightly: TensorFlow is half a gigabyte, in an environment of its own.
. "$(dirname "$0")/lib.sh"
need_data
need_python onnxruntime
need_python PIL

tensorflow=$SOURCE/build/tf-venv
if ! "$tensorflow/bin/python" -c 'import tensorflow' 2>/dev/null; then
  { python3 -m venv "$tensorflow" && "$tensorflow/bin/pip" install -q tensorflow-cpu; } >&2 || skip "TensorFlow cannot be installed"
fi
export TF_CPP_MIN_LOG_LEVEL=3

for name in features sequence two_inputs resnext transformer vit_tiny unet shufflenetv2 mobilenetv2 ssd_mobilenet densenet121 \
  inceptionv3 resnet50 vgg16; do
  "$PYTHON" "$SOURCE/tests/random_networks.py" "$name" "$scratch/$name.onnx" || fail "$name: not made"
done
for source in "$scratch"/*.onnx "$data"/resnet20/*.onnx "$data"/mobilenet025/*.onnx "$data"/ultraface/*.onnx; do
  for normalised in "" --normalised; do
    "$ETALON" convert "$source" --to tensorflow -o "$scratch/out" --name net --force $normalised >/dev/null || fail "$source"
    "$tensorflow/bin/python" "$SOURCE/tests/e2e/check_tensorflow.py" run "$scratch/out/net.pb" "$scratch/out.npz" 7 \
      2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$source: TensorFlow does not run it"; }
    "$PYTHON" "$SOURCE/tests/e2e/check_tensorflow.py" compare "$source" "$scratch/out.npz" 7 2>"$scratch/stderr" \
      >"$scratch/said" || { cat "$scratch/stderr" >&2; fail "$source $normalised"; }
    echo "ok: $(basename "$source") $normalised: $(cat "$scratch/said")"
  done
done
