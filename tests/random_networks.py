"""random_networks.py NAME FILE.onnx [FOLDER N]: writes a well-known architecture with random weights, the same ones every
time, and N pictures to calibrate it with into FOLDER.

The shapes, joins and operators are those of the published networks, as exporters write them; only the weights are drawn:
convolutions by He's rule, statistics of batch normalisation near those of unit activations, so that values keep their
magnitude from the first layer to the last. The batch is left open, as most exported files leave it.

`inputs(NAME, n)` are n records to feed, `NETWORKS` the names, `load_pictures(NAME, FOLDER)` the pictures as the network
wants them: what the steps of `preprocess(NAME)` make of them.
"""
import os
import sys
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image


class Net:
    """A graph under construction. Every method adds an operator and returns the name of its output."""

    def __init__(self, name):
        self.name, self.rng = name, np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.weights, self.channels = [], [], {}

    def constant(self, array, dtype=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def normal(self, shape, deviation):
        return self.constant(self.rng.standard_normal(shape, np.float32) * np.float32(deviation))

    def uniform(self, shape, low, high):
        return self.constant(self.rng.uniform(low, high, shape))

    def add(self, op, inputs, channels=None, outputs=1, **attributes):
        """Channels are tracked so that a layer knows its input's; by default they are those of the first input."""
        names = [f"{op.lower()}{len(self.nodes)}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, names[0], **attributes))
        for name in names:
            self.channels[name] = self.channels[inputs[0]] if channels is None else channels
        return names[0] if outputs == 1 else names

    # ---- layers ----

    def conv(self, x, out, kernel, stride=1, pad=None, group=1, bias=False, dilation=1):
        """`kernel` and `pad` may be (rows, columns); the default padding keeps the size."""
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        pad = tuple(k // 2 * dilation for k in kernel) if pad is None else pad if isinstance(pad, tuple) else (pad, pad)
        fan_in = self.channels[x] // group * kernel[0] * kernel[1]
        inputs = [x, self.normal((out, self.channels[x] // group, *kernel), np.sqrt(2 / fan_in))]
        if bias:
            inputs.append(self.normal(out, 0.1))
        return self.add("Conv", inputs, out, kernel_shape=kernel, strides=[stride, stride], pads=[*pad, *pad], group=group,
                        dilations=[dilation, dilation])

    def norm(self, x, gain=1):
        n = self.channels[x]
        return self.add("BatchNormalization", [x, self.uniform(n, 0.7 * gain, 1.3 * gain), self.normal(n, 0.1), self.normal(n, 0.1),
                                               self.uniform(n, 0.7, 1.3)], epsilon=1e-3)

    def relu(self, x):
        return self.add("Relu", [x])

    def relu6(self, x):
        return self.add("Clip", [x, self.constant(0), self.constant(6)])

    def layer(self, x, *arguments, **options):
        return self.relu(self.norm(self.conv(x, *arguments, **options)))

    def layer6(self, x, *arguments, **options):
        return self.relu6(self.norm(self.conv(x, *arguments, **options)))

    def pool(self, op, x, kernel, stride, pad=0, **options):
        return self.add(op + "Pool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, **options)

    def join(self, *values, axis=1):
        return self.add("Concat", values, sum(self.channels[v] for v in values), axis=axis)

    def reshape(self, x, shape, channels=None):
        return self.add("Reshape", [x, self.constant(shape, np.int64)], channels)

    def dense(self, x, out):
        n = self.channels[x]
        return self.add("Gemm", [x, self.normal((out, n), np.sqrt(1 / n)), self.normal(out, 0.1)], out, transB=1)

    def classify(self, x, classes=1000):
        return self.dense(self.add("Flatten", [self.add("GlobalAveragePool", [x])]), classes)


# ---- classifiers ----


def resnet50(net, x):
    def bottleneck(x, width, stride):
        y = net.layer(net.layer(x, width, 1), width, 3, stride)
        y = net.norm(net.conv(y, 4 * width, 1), gain=0.3)  # or each of 16 additions would double the variance
        if stride > 1 or net.channels[x] != 4 * width:
            x = net.norm(net.conv(x, 4 * width, 1, stride))
        return net.relu(net.add("Add", [y, x]))

    x = net.pool("Max", net.layer(x, 64, 7, 2), 3, 2, 1)
    for width, blocks, stride in (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2):
        for i in range(blocks):
            x = bottleneck(x, width, stride if i == 0 else 1)
    return [net.classify(x)]


def mobilenetv2(net, x):
    def inverted(x, out, stride, expansion):
        y, inner = x, expansion * net.channels[x]
        if expansion > 1:
            y = net.layer6(y, inner, 1)
        y = net.norm(net.conv(net.layer6(y, inner, 3, stride, group=inner), out, 1))
        return net.add("Add", [x, y]) if stride == 1 and net.channels[x] == out else y

    x = net.layer6(x, 32, 3, 2)
    for expansion, out, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                           (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            x = inverted(x, out, stride if i == 0 else 1, expansion)
    return [net.classify(net.layer6(x, 1280, 1))]


def inceptionv3(net, x):
    def average(x, out):
        return net.layer(net.pool("Average", x, 3, 1, 1, count_include_pad=1), out, 1)

    def chain(x, *layers):
        for out, kernel, *options in layers:
            x = net.layer(x, out, kernel, *options)
        return x

    def a(x, pooled):
        return net.join(net.layer(x, 64, 1), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)), average(x, pooled))

    def b(x, inner):
        tall, wide = (7, 1), (1, 7)
        return net.join(net.layer(x, 192, 1), chain(x, (inner, 1), (inner, wide), (192, tall)),
                        chain(x, (inner, 1), (inner, tall), (inner, wide), (inner, tall), (192, wide)), average(x, 192))

    def c(x):
        def fork(y):
            return net.join(net.layer(y, 384, (1, 3)), net.layer(y, 384, (3, 1)))

        return net.join(net.layer(x, 320, 1), fork(net.layer(x, 384, 1)), fork(chain(x, (448, 1), (384, 3))), average(x, 192))

    x = net.pool("Max", chain(x, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)), 3, 2)
    x = net.pool("Max", chain(x, (80, 1), (192, 3, 1, 0)), 3, 2)
    for pooled in 32, 64, 64:
        x = a(x, pooled)
    x = net.join(net.layer(x, 384, 3, 2, 0), chain(x, (64, 1), (96, 3), (96, 3, 2, 0)), net.pool("Max", x, 3, 2))
    for inner in 128, 160, 160, 192:
        x = b(x, inner)
    x = net.join(chain(x, (192, 1), (320, 3, 2, 0)), chain(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, 0)),
                 net.pool("Max", x, 3, 2))
    return [net.classify(c(c(x)))]


def densenet121(net, x):
    def before(x, *arguments, **options):
        return net.conv(net.relu(net.norm(x)), *arguments, **options)

    x = net.pool("Max", net.layer(x, 64, 7, 2), 3, 2, 1)
    for i, layers in enumerate((6, 12, 24, 16)):
        if i > 0:
            x = net.pool("Average", before(x, net.channels[x] // 2, 1), 2, 2)
        for _ in range(layers):
            x = net.join(x, before(before(x, 128, 1), 32, 3))
    return [net.classify(net.relu(net.norm(x)))]


def shufflenetv2(net, x):
    def shuffle(x, size):
        n = net.channels[x]
        x = net.add("Transpose", [net.reshape(x, [-1, 2, n // 2, size, size])], perm=[0, 2, 1, 3, 4])
        return net.reshape(x, [-1, n, size, size])

    def branch(x, out, stride):
        y = net.layer(x, out, 1)
        return net.layer(net.norm(net.conv(y, out, 3, stride, group=out)), out, 1)

    def down(x, out):
        y = net.norm(net.conv(x, net.channels[x], 3, 2, group=net.channels[x]))
        return net.join(net.layer(y, out // 2, 1), branch(x, out // 2, 2))

    def keep(x):
        left, right = net.add("Split", [x, net.constant([net.channels[x] // 2] * 2, np.int64)], net.channels[x] // 2, 2, axis=1)
        return net.join(left, branch(right, net.channels[right], 1))

    x = net.pool("Max", net.layer(x, 24, 3, 2), 3, 2, 1)
    for out, blocks, size in (116, 4, 28), (232, 8, 14), (464, 4, 7):
        x = shuffle(down(x, out), size)
        for _ in range(blocks - 1):
            x = shuffle(keep(x), size)
    return [net.classify(net.layer(x, 1024, 1))]


def vgg16(net, x):
    """The dense layers have 512 units, not 4096: the file would be five times as large, and prove nothing more."""
    for out, layers in (64, 2), (128, 2), (256, 3), (512, 3), (512, 3):
        for _ in range(layers):
            x = net.relu(net.conv(x, out, 3, bias=True))
        x = net.pool("Max", x, 2, 2)
    x = net.add("Flatten", [x], 512 * 7 * 7)
    for _ in range(2):
        x = net.add("Dropout", [net.relu(net.dense(x, 512))])
    return [net.dense(x, 1000)]


def resnext(net, x):
    """Grouped convolutions as frameworks without them write them: split, one convolution a group, join."""
    def grouped(x, out, n):
        parts = net.add("Split", [x, net.constant([net.channels[x] // n] * n, np.int64)], net.channels[x] // n, n, axis=1)
        return net.join(*[net.conv(part, out // n, 3) for part in parts])

    x = net.layer(x, 64, 7, 2)
    for _ in range(2):
        y = net.relu(net.norm(grouped(net.layer(x, 64, 1), 64, 8)))
        x = net.relu(net.add("Add", [net.norm(net.conv(y, 64, 1)), x]))
    return [net.classify(x, 10)]


def vit_tiny(net, x):
    width, heads, patches = 192, 3, 196

    def linear(x, out):
        n = net.channels[x]
        y = net.add("MatMul", [x, net.normal((n, out), np.sqrt(1 / n))], out)
        return net.add("Add", [net.normal(out, 0.1), y], out)

    def layer_norm(x):
        centred = net.add("Sub", [x, net.add("ReduceMean", [x], axes=[-1])])
        square = net.add("Pow", [centred, net.constant(2)])
        variance = net.add("Add", [net.add("ReduceMean", [square], axes=[-1]), net.constant(1e-6)])
        y = net.add("Div", [centred, net.add("Sqrt", [variance])])
        return net.add("Add", [net.add("Mul", [y, net.uniform(width, 0.7, 1.3)]), net.normal(width, 0.1)])

    def split_heads(x, perm):
        return net.add("Transpose", [net.reshape(x, [-1, patches + 1, heads, width // heads])], perm=perm)

    def attention(x):
        q = split_heads(linear(x, width), [0, 2, 1, 3])
        k = split_heads(linear(x, width), [0, 2, 3, 1])
        v = split_heads(linear(x, width), [0, 2, 1, 3])
        scores = net.add("Div", [net.add("MatMul", [q, k]), net.constant(np.sqrt(width // heads))])
        y = net.add("MatMul", [net.add("Softmax", [scores], axis=-1), v])
        y = net.add("Transpose", [y], perm=[0, 2, 1, 3])
        return linear(net.reshape(y, [-1, patches + 1, width]), width)

    def gelu(x):
        y = net.add("Erf", [net.add("Div", [x, net.constant(np.sqrt(2))])])
        y = net.add("Mul", [x, net.add("Add", [y, net.constant(1)])])
        return net.add("Mul", [y, net.constant(0.5)])

    x = net.reshape(net.conv(x, width, 16, 16, 0, bias=True), [-1, width, patches])
    x = net.add("Transpose", [x], perm=[0, 2, 1])
    token = net.normal((1, 1, width), 0.5)
    net.channels[token] = width
    x = net.add("Concat", [token, x], width, axis=1)
    x = net.add("Add", [x, net.normal((1, patches + 1, width), 0.5)])
    for _ in range(12):
        x = net.add("Add", [x, attention(layer_norm(x))])
        x = net.add("Add", [x, linear(gelu(linear(layer_norm(x), 4 * width)), width)])
    x = net.add("Gather", [layer_norm(x), net.constant(0, np.int64)], axis=1)
    return [net.dense(x, 1000)]


def transformer(net, x):
    """A small vision transformer in the words of opset 21: the newer normalisations and activations as operators of their
    own, queries, keys and values from one product."""
    width, heads, patches = 48, 3, 16

    def linear(x, out):
        y = net.add("MatMul", [x, net.normal((net.channels[x], out), np.sqrt(1 / net.channels[x]))], out)
        return net.add("Add", [y, net.normal(out, 0.1)])

    def normalised(x):
        return net.add("LayerNormalization", [x, net.uniform(width, 0.7, 1.3), net.normal(width, 0.1)], axis=-1)

    def attention(x):
        qkv = net.reshape(linear(x, 3 * width), [0, 0, 3, heads, width // heads])
        qkv = net.add("Split", [net.add("Transpose", [qkv], perm=[0, 2, 3, 1, 4])], outputs=3, axis=1, num_outputs=3)
        q, k, v = (net.add("Squeeze", [y, net.constant([1], np.int64)]) for y in qkv)
        k = net.add("Transpose", [net.add("Mul", [k, net.constant((width // heads) ** -0.5)])], perm=[0, 1, 3, 2])
        y = net.add("MatMul", [net.add("Softmax", [net.add("MatMul", [q, k])], axis=-1), v])
        return linear(net.reshape(net.add("Transpose", [y], perm=[0, 2, 1, 3]), [0, 0, width], width), width)

    y = net.conv(x, 24, 4, 4, 0)
    y = net.add("Mish", [net.add("GroupNormalization", [y, net.uniform(24, 0.7, 1.3), net.normal(24, 0.1)], num_groups=4)])
    y = net.conv(y, width, 2, 2, 0)
    y = net.add("InstanceNormalization", [y, net.uniform(width, 0.7, 1.3), net.normal(width, 0.1)])
    y = net.add("Transpose", [net.reshape(y, [0, width, patches])], perm=[0, 2, 1])
    y = net.add("Gather", [y, net.constant([0, 1, 5, 4, 2, 3, 7, 6, 8, 9, 13, 12, 10, 11, 15, 14], np.int64)], axis=1)
    y = net.add("Add", [y, net.normal((1, patches, width), 0.5)])
    for form in "none", "tanh":
        y = net.add("Add", [y, attention(normalised(y))])
        z = net.add("Gelu", [linear(normalised(y), 4 * width)], approximate=form)
        y = net.add("Add", [y, linear(z, width)])
    y = net.add("ReduceMean", [normalised(y), net.constant([1], np.int64)], width, keepdims=0)
    return [net.dense(y, 10)]


# ---- detection, segmentation ----


def ssd_mobilenet(net, x):
    def separable(x, out, stride=1):
        return net.layer6(net.layer6(x, net.channels[x], 3, stride, group=net.channels[x]), out, 1)

    def predict(x, anchors, values):
        y = net.conv(x, anchors * values, 3, bias=True)
        return net.reshape(net.add("Transpose", [y], perm=[0, 2, 3, 1]), [1, -1, values], values)

    x = separable(net.layer6(x, 32, 3, 2), 64)
    for out, stride in ((128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)):
        x = separable(x, out, stride)
    features = [x, separable(separable(x, 1024, 2), 1024)]
    for inner, out in (256, 512), (128, 256), (128, 256), (64, 128):
        features.append(net.layer6(net.layer6(features[-1], inner, 1), out, 3, 2))
    anchors = [3, 6, 6, 6, 6, 6]
    boxes = net.add("Concat", [predict(f, n, 4) for f, n in zip(features, anchors)], 4, axis=1)
    scores = net.add("Concat", [predict(f, n, 21) for f, n in zip(features, anchors)], 21, axis=1)
    return [boxes, net.add("Softmax", [scores], axis=-1)]


def unet(net, x):
    def double(x, out):
        return net.layer(net.layer(x, out, 3), out, 3)

    def up(x, out, deconvolve):
        if not deconvolve:
            x = net.add("Resize", [x, "", net.constant([1, 1, 2, 2])], mode="linear",
                        coordinate_transformation_mode="half_pixel")
            return net.conv(x, out, 1)
        n = net.channels[x]
        return net.add("ConvTranspose", [x, net.normal((n, out, 2, 2), np.sqrt(1 / n)), net.normal(out, 0.1)], out,
                       kernel_shape=[2, 2], strides=[2, 2])

    skips = []
    for out in 16, 32, 64, 128:
        x = double(x, out)
        skips.append(x)
        x = net.pool("Max", x, 2, 2)
    x = double(x, 256)
    for i, skip in enumerate(reversed(skips)):
        x = double(net.join(skip, up(x, net.channels[skip], i % 2 == 0)), net.channels[skip])
    return [net.add("Sigmoid", [net.conv(x, 2, 1, bias=True)])]


def segmentation(net, x):
    """A map of classes, a mask, and classes at half the resolution beside them."""
    fine = net.layer(x, 16, 3)
    coarse = net.layer(net.pool("Max", fine, 2, 2), 32, 3)
    up = net.conv(net.add("Resize", [coarse, "", net.constant([1, 1, 2, 2])], mode="nearest"), 16, 1)
    y = net.layer(net.join(fine, up), 16, 3)
    return [net.conv(y, 5, 1, bias=True), net.add("Sigmoid", [net.conv(y, 1, 1, bias=True)]), net.conv(coarse, 5, 1, bias=True)]


# ---- several inputs, sequences, features ----


def two_inputs(net, x):
    """An image and a vector of features, joined before the last layers."""
    side = net.relu(net.dense("side", 32))
    image = net.add("Flatten", [net.add("GlobalAveragePool", [net.layer(net.layer(x, 16, 3, 2), 32, 3, 2)])])
    return [net.dense(net.relu(net.dense(net.join(image, side), 32)), 10), side]


def sequence(net, x):
    """One-dimensional convolutions over 1 x 8 x 100."""
    def conv1d(x, out, kernel, stride=1):
        n = net.channels[x] * kernel
        return net.add("Conv", [x, net.normal((out, net.channels[x], kernel), np.sqrt(2 / n)), net.normal(out, 0.1)], out,
                       kernel_shape=[kernel], strides=[stride], pads=[kernel // 2] * 2)

    y = net.relu(net.norm(conv1d(x, 16, 5, 2)))
    y = net.add("Add", [net.relu(conv1d(y, 16, 3)), y])
    y = net.add("MaxPool", [y], kernel_shape=[2], strides=[2])
    return [net.dense(net.add("Flatten", [y], 16 * 25), 6)]


def features(net, x):
    """A perceptron on 64 features."""
    return [net.dense(net.relu(net.dense(net.relu(net.norm(net.dense(x, 128))), 64)), 10)]


NETWORKS = {  # name: builder, {input: shape of a record}
    "resnet50": (resnet50, {"x": (3, 224, 224)}),
    "mobilenetv2": (mobilenetv2, {"x": (3, 160, 160)}),
    "inceptionv3": (inceptionv3, {"x": (3, 299, 299)}),
    "densenet121": (densenet121, {"x": (3, 224, 224)}),
    "shufflenetv2": (shufflenetv2, {"x": (3, 224, 224)}),
    "vgg16": (vgg16, {"x": (3, 224, 224)}),
    "resnext": (resnext, {"x": (3, 64, 64)}),
    "vit_tiny": (vit_tiny, {"x": (3, 224, 224)}),
    "transformer": (transformer, {"x": (3, 32, 32)}),
    "ssd_mobilenet": (ssd_mobilenet, {"x": (3, 300, 300)}),
    "unet": (unet, {"x": (3, 96, 96)}),
    "segmentation": (segmentation, {"x": (3, 32, 32)}),
    "two_inputs": (two_inputs, {"x": (3, 32, 32), "side": (12,)}),
    "sequence": (sequence, {"x": (8, 100)}),
    "features": (features, {"x": (64,)}),
}

OPSETS = {"transformer": 21}  # the others: 13


def build(name):
    builder, shapes = NETWORKS[name]
    net = Net(name)
    net.channels = {x: shape[0] for x, shape in shapes.items()}
    outputs = builder(net, "x")
    graph = helper.make_graph(
        net.nodes, name, [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", *shape]) for x, shape in shapes.items()],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs], net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSETS.get(name, 13))], ir_version=10)


def inputs(name, n):
    rng = np.random.default_rng(1)
    return [{x: rng.standard_normal((1, *shape), np.float32) for x, shape in NETWORKS[name][1].items()} for _ in range(n)]


# ---- pictures ----

def preprocess(name):
    """The steps of a job file."""
    return "[{channels: %s}, {mean: 127.5}, {divide: 64}]" % ("rgb" if len(NETWORKS[name][1]["x"]) == 3 else "gray")


def write_pictures(name, folder, n):
    """Patches of colour with noise on them, of the size that the network wants, so that nothing is resized. What is no
    image for the network is a gray one: a row of the picture for each row of the tensor, 8 rows for a vector."""
    rng = np.random.default_rng(2)
    shape = NETWORKS[name][1]["x"]
    height, width = shape[-2:] if len(shape) > 1 else (8, shape[0] // 8)
    os.makedirs(folder)
    for i in range(n):
        patches = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((width, height), Image.BICUBIC)
        noisy = np.asarray(patches, np.float32) + rng.normal(0, 20, (height, width, 3))
        pixels = noisy.clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels if len(shape) == 3 else pixels[:, :, 0]).save(f"{folder}/{i:02}.png")


def load_pictures(name, folder):
    """One record a time, in the order of names."""
    for file in sorted(os.listdir(folder)):
        pixels = np.asarray(Image.open(f"{folder}/{file}"), np.float32)
        pixels = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels
        yield (pixels.reshape(1, *NETWORKS[name][1]["x"]) - np.float32(127.5)) / np.float32(64)


if __name__ == "__main__":
    onnx.save(build(sys.argv[1]), sys.argv[2])
    if len(sys.argv) > 3:
        write_pictures(sys.argv[1], sys.argv[3], int(sys.argv[4]))
