"""Images a second of onnxruntime on one thread, against bench_engine on the same shapes.

    python tests/bench/onnxruntime_throughput.py build/release/tests/bench_engine [--batch 8] [--rounds 5]

The networks are those of networks.c: same shapes, batch norms folded, made-up weights. The two programs take turns, both
count the time of their one thread, and the fastest run of each counts, because others may use the machine too. Prints images/s of both, and engine / onnxruntime.
Needs numpy, onnx and onnxruntime.
"""
import argparse
import re
import subprocess
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper


class Builder:
    """Adds nodes to an ONNX graph and follows the channel counts."""

    def __init__(self, size):
        self.random = numpy.random.default_rng(1)
        self.size = size
        self.nodes, self.weights, self.channels = [], [], {"data": 3}

    def node(self, op, inputs, channels, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.channels[name] = channels
        return name

    def weight(self, *dims):
        fan_in = int(numpy.prod(dims[1:]))
        data = self.random.uniform(-1, 1, dims) * (6 / fan_in) ** 0.5
        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(data.astype(numpy.float32), name))
        return name

    def conv(self, x, channels, kernel, stride, pad, relu=True, group=1):
        inputs = [x, self.weight(channels, self.channels[x] // group, kernel, kernel), self.weight(channels)]
        y = self.node("Conv", inputs, channels, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4,
                      group=group)
        return self.node("Relu", [y], channels) if relu else y

    def max_pool(self, x, kernel, stride, pad, ceil_mode):
        return self.node("MaxPool", [x], self.channels[x], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[pad] * 4, ceil_mode=ceil_mode)

    def head(self, x):
        return self.node("Flatten", [self.node("GlobalAveragePool", [x], self.channels[x])], self.channels[x])

    def dense(self, x, channels):
        return self.node("Gemm", [x, self.weight(channels, self.channels[x]), self.weight(channels)], channels, transB=1)

    def model(self, batch, output):
        output = self.node("Softmax", [output], 1000, axis=1)
        shape = [batch, 3, self.size, self.size]
        graph = helper.make_graph(
            self.nodes, "network", [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, 1000])], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), shape


def squeezenet(batch):
    b = Builder(227)

    def fire(x, squeeze, expand):
        s = b.conv(x, squeeze, 1, 1, 0)
        return b.node("Concat", [b.conv(s, expand, 1, 1, 0), b.conv(s, expand, 3, 1, 1)], 2 * expand, axis=1)

    x = b.max_pool(b.conv("data", 64, 3, 2, 0), 3, 2, 0, 1)
    x = b.max_pool(fire(fire(x, 16, 64), 16, 64), 3, 2, 0, 1)
    x = b.max_pool(fire(fire(x, 32, 128), 32, 128), 3, 2, 0, 1)
    x = fire(fire(fire(fire(x, 48, 192), 48, 192), 64, 256), 64, 256)
    return b.model(batch, b.head(b.conv(x, 1000, 1, 1, 0)))


def resnet50(batch):
    b = Builder(224)
    x = b.max_pool(b.conv("data", 64, 7, 2, 3), 3, 2, 1, 0)
    for stage, depth in enumerate((3, 4, 6, 3)):
        for i in range(depth):
            width, stride = 64 << stage, 2 if i == 0 and stage > 0 else 1
            y = b.conv(b.conv(b.conv(x, width, 1, 1, 0), width, 3, stride, 1), 4 * width, 1, 1, 0, relu=False)
            shortcut = x if b.channels[x] == 4 * width else b.conv(x, 4 * width, 1, stride, 0, relu=False)
            x = b.node("Relu", [b.node("Add", [y, shortcut], 4 * width)], 4 * width)
    return b.model(batch, b.dense(b.head(x), 1000))


def mobilenet(batch):
    b = Builder(224)
    x = b.conv("data", 32, 3, 2, 1)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
                             (512, 1), (512, 1), (1024, 2), (1024, 1)):
        x = b.conv(x, b.channels[x], 3, stride, 1, group=b.channels[x])
        x = b.conv(x, channels, 1, 1, 0)
    return b.model(batch, b.dense(b.head(x), 1000))


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def fastest(session, data, runs):
    best = float("inf")
    for _ in range(runs):
        begin = time.thread_time()
        session.run(None, {"data": data})
        best = min(best, time.thread_time() - begin)
    return best


def engine_images_per_second(program, network, batch, runs):
    text = subprocess.run([program, "--network", network, "--batch", str(batch), "--runs", str(runs)], check=True,
                          capture_output=True, text=True).stdout
    return float(re.search(r"([\d.]+) images/s", text).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5, help="per round")
    arguments = parser.parse_args()
    for build in squeezenet, resnet50, mobilenet:
        model, shape = build(arguments.batch)
        session = open_session(model)
        data = numpy.random.default_rng(2).uniform(-2, 2, shape).astype(numpy.float32)
        engine = other = 0
        fastest(session, data, 1)
        for _ in range(arguments.rounds):
            other = max(other, arguments.batch / fastest(session, data, arguments.runs))
            engine = max(engine, engine_images_per_second(arguments.program, build.__name__, arguments.batch,
                                                          arguments.runs))
        print(f"{build.__name__:12} batch {arguments.batch}: engine {engine:7.2f} images/s, "
              f"onnxruntime {onnxruntime.__version__} {other:7.2f} images/s, ratio {engine / other:.2f}", flush=True)


if __name__ == "__main__":
    main()
