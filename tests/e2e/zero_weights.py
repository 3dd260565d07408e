"""zero_weights.py IN.onnx OUT.onnx: the same network, all its real-valued parameters zero."""
import sys

import numpy as np
import onnx
from onnx import numpy_helper

model = onnx.load(sys.argv[1])
for tensor in model.graph.initializer:
    if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims:
        tensor.CopyFrom(numpy_helper.from_array(np.zeros(tensor.dims, np.float32), tensor.name))
onnx.save(model, sys.argv[2])
