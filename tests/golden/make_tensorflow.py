"""make_tensorflow.py OUT: small frozen graphs, made and run by TensorFlow, for tests/worker/test_engine_tensorflow.c.

    python3 -m venv build/tf-venv && build/tf-venv/bin/pip install tensorflow-cpu==2.21.0
    build/tf-venv/bin/python tests/golden/make_tensorflow.py tests/golden/tensorflow.bin

OUT is a run of entries: a line "NAME TRANSPOSES NODES BYTES", then BYTES bytes of GraphDef. TRANSPOSES are left when the
passes are through, NODES are there then (-1: not checked). Beside the network a GraphDef holds Const nodes that nothing
reads: golden/in/X is what goes into input X, golden/out/Y what TensorFlow made of it at output Y, both as our graph holds
them: images of NHWC networks have their channels first.
"""
import os
import sys

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

v1 = tf.compat.v1
raw = tf.raw_ops
cases = []
random = None  # made anew for each case, so that a new one does not change the others


def weights(*shape):
    return tf.constant(random.uniform(-1, 1, shape).astype(np.float32))


def positive(*shape):
    return tf.constant(random.uniform(0.5, 1.5, shape).astype(np.float32))


SMALL = (1, 3, 4, 4)


def case(shape=(1, 4, 5, 4), transposes=0, nodes=-1, **options):
    """Registers a function from placeholders of these shapes to one or more tensors."""

    def register(build):
        cases.append((build.__name__, [shape] if isinstance(shape[0], int) else shape, build, transposes, nodes, options))
        return build

    return register


def each(names, **options):
    """One case for every operator of one input in `names`: "Relu Tanh"."""

    def register(make):
        for name in names.split():
            build = make(name)
            build.__name__ = f"{make.__name__}_{name}"
            case(**options)(build)

    return register


# ---- element-wise


@each("Relu Relu6 Elu Selu Sigmoid Tanh Softplus Exp Abs Erf Neg Square LeakyRelu Identity StopGradient CheckNumerics", shape=SMALL)
def unary(name):
    def build(x):
        arguments = {"message": "bad"} if name == "CheckNumerics" else {}
        argument = "input" if name in ("Identity", "StopGradient") else "tensor" if name == "CheckNumerics" else "x"
        if name.startswith(("Relu", "Elu", "Selu", "Leaky", "Softplus")):
            argument = "features"
        return getattr(raw, name)(**{argument: x}, **arguments)

    return build


@each("Log Sqrt Rsqrt Reciprocal Inv", shape=SMALL, positive=True)
def positive_unary(name):
    return lambda x: getattr(raw, name)(x=x)


@case(shape=SMALL)
def leaky_relu_alpha(x):
    return tf.nn.leaky_relu(x, 0.3)


@case(shape=SMALL, positive=True)
def power(x):
    return raw.Pow(x=x, y=tf.constant(1.5))


@each("Add AddV2 Sub Mul Maximum Minimum SquaredDifference", shape=SMALL)
def binary_channels(name):
    return lambda x: getattr(raw, name)(x=x, y=weights(4))


@each("Sub RealDiv Div Mul", shape=SMALL)
def binary_constant_first(name):
    return lambda x: getattr(raw, name)(x=positive(1, 1, 1, 4), y=x + 3.0)


@each("AddV2 Mul Sub Maximum", shape=[SMALL, SMALL])
def binary_two(name):
    return lambda x, y: getattr(raw, name)(x=x, y=y)


@case()
def binary_image_constant(x):
    return raw.AddV2(x=x, y=weights(4, 5, 4))


@case()
def binary_columns_constant(x):
    return raw.Mul(x=x, y=weights(5, 1))


@case(shape=[(1, 4, 5, 4), (1, 1, 1, 4)])
def binary_broadcast(x, y):
    return raw.Mul(x=x, y=y)


@case()
def relu6_of_bounds(x):
    return tf.maximum(tf.minimum(tf.nn.relu(8 * x), 6.0), 0.0)


@case(shape=[SMALL, SMALL, SMALL])
def add_n(x, y, z):
    return raw.AddN(inputs=[x, y, z])


# ---- convolutions


def conv(x, w, strides=1, padding="SAME", dilation=1, nchw=False, explicit=()):
    strides, dilation = np.broadcast_to(strides, 2), np.broadcast_to(dilation, 2)

    def four(a):
        return [1, 1, *map(int, a)] if nchw else [1, *map(int, a), 1]

    return raw.Conv2D(input=x, filter=w, strides=four(strides), padding=padding, dilations=four(dilation),
                      explicit_paddings=list(explicit), data_format="NCHW" if nchw else "NHWC")


for stride in (1, 2, 3):
    for size in (2, 3, 5):

        def conv_same(x, stride=stride, size=size):
            return conv(x, weights(size, size, 2, 3), stride)

        conv_same.__name__ = f"conv_same_stride{stride}_kernel{size}"
        case(shape=(1, 7, 9, 2), nodes=1)(conv_same)


@case(nodes=1)
def conv_valid(x):
    return conv(x, weights(3, 2, 4, 5), (2, 1), "VALID")


@case(nodes=1)
def conv_explicit(x):
    return conv(x, weights(3, 3, 4, 5), 2, "EXPLICIT", explicit=[0, 0, 1, 2, 0, 1, 0, 0])


@case(shape=(1, 7, 6, 4), nodes=1)
def conv_dilated(x):
    return conv(x, weights(3, 3, 4, 5), 1, "SAME", 2)


@case(nodes=1)
def conv_bias_relu(x):
    return tf.nn.relu(raw.BiasAdd(value=conv(x, weights(3, 3, 4, 5)), bias=weights(5)))


@case(nodes=1)
def conv_scalar(x):
    return conv(x, weights(1, 1, 4, 5)) * 0.5 + 0.25


@case(nodes=1)
def conv_groups(x, ):
    return tf.concat([conv(part, weights(3, 3, 2, 3)) for part in tf.split(x, 2, 3)], 3)


@case(nodes=1)
def conv_groups_bias(x):
    parts = [tf.nn.bias_add(conv(part, weights(3, 3, 1, 3)), weights(3)) for part in tf.split(x, [1, 1, 1, 1], -1)]
    return tf.nn.relu(tf.concat(parts, -1))


@case(nodes=1)
def depthwise(x):
    return raw.DepthwiseConv2dNative(input=x, filter=weights(3, 3, 4, 1), strides=[1, 2, 2, 1], padding="SAME")


@case(nodes=1)
def depthwise_multiplier(x):
    y = raw.DepthwiseConv2dNative(input=x, filter=weights(3, 3, 4, 3), strides=[1, 1, 1, 1], padding="VALID")
    return tf.nn.bias_add(y, weights(12))


@case(shape=(1, 6, 6, 4), nodes=1)
def depthwise_dilated(x):
    return tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 2), [1, 1, 1, 1], "SAME", dilations=[2, 2])


def deconv(x, size, channels, kernel, strides, padding):
    sizes = tf.stack([tf.shape(x)[0], *size, channels])
    return tf.nn.conv2d_transpose(x, weights(kernel, kernel, channels, x.shape[3]), sizes, strides, padding)


@case(shape=(1, 4, 5, 4), nodes=1)
def deconv_same(x):
    return deconv(x, (8, 10), 3, 3, 2, "SAME")


@case(shape=(1, 4, 5, 4), nodes=1)
def deconv_same_odd(x):
    return deconv(x, (7, 9), 3, 4, 2, "SAME")


@case(shape=(1, 4, 5, 4), nodes=1)
def deconv_valid(x):
    return deconv(x, (10, 12), 3, 3, 2, "VALID")


@case(shape=(1, 4, 5, 4), nodes=1)
def deconv_small_kernel(x):
    return deconv(x, (12, 15), 2, 1, 3, "SAME")


def blocks(x, rate, pads, crops, convolve):
    y = raw.SpaceToBatchND(input=x, block_shape=[rate, rate], paddings=pads)
    return raw.BatchToSpaceND(input=convolve(y), block_shape=[rate, rate], crops=crops)


@case(shape=(1, 9, 10, 4), nodes=1)
def space_to_batch_conv(x):
    return blocks(x, 2, [[2, 3], [2, 2]], [[0, 1], [0, 0]], lambda y: conv(y, weights(3, 3, 4, 5), 1, "VALID"))


@case(shape=(1, 9, 10, 4), nodes=1)
def space_to_batch_depthwise_bias(x):
    def convolve(y):
        y = raw.DepthwiseConv2dNative(input=y, filter=weights(3, 3, 4, 1), strides=[1, 1, 1, 1], padding="VALID")
        return tf.nn.relu(tf.nn.bias_add(y, weights(4)))

    return blocks(x, 3, [[3, 3], [3, 5]], [[0, 0], [0, 2]], convolve)


# ---- pools


for padding in ("SAME", "VALID"):
    for kind in ("MaxPool", "AvgPool"):

        def pool(x, padding=padding, kind=kind):
            argument = {"input": x} if kind == "MaxPool" else {"value": x}
            return getattr(raw, kind)(**argument, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding=padding)

        pool.__name__ = f"{kind}_{padding}"
        case(nodes=1)(pool)


@case(nodes=1)
def max_pool_explicit(x):
    return tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 0], [1, 2], [0, 0]])


@case(nodes=2)
def mean_global(x):
    return tf.reduce_mean(x, [1, 2])


@case(nodes=1)
def mean_global_keep(x):
    return tf.reduce_mean(x, [-2, -3], keepdims=True)


@each("Mean Sum Max Min", nodes=1)
def reduce_channels(name):
    return lambda x: getattr(raw, name)(input=x, axis=[3], keep_dims=False)


@each("Sum Max Min", nodes=1)
def reduce_image_keep(name):
    return lambda x: getattr(raw, name)(input=x, axis=[1, 2], keep_dims=True)


@case()
def reduce_rows(x):
    return tf.transpose(tf.reduce_mean(x, [1]), [0, 2, 1])


# ---- normalisation


def fused(x, name="FusedBatchNormV3", epsilon=1e-3, nchw=False):
    channels = x.shape[1 if nchw else 3]
    return getattr(raw, name)(x=x, scale=positive(channels), offset=weights(channels), mean=weights(channels),
                              variance=positive(channels), epsilon=epsilon, is_training=False,
                              data_format="NCHW" if nchw else "NHWC")[0]


@each("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3", nodes=1)
def fused_norm(name):
    return lambda x: fused(conv(x, weights(3, 3, 4, 5)), name)


@case(nodes=1)
def fused_norm_alone(x):
    return fused(x, epsilon=0.1)


def small_norm(x, scale, center, read=tf.identity):
    n = x.shape[-1]
    return tf.nn.batch_normalization(x, read(weights(n)), read(positive(n)), read(weights(n)) if center else None,
                                     read(positive(n)) if scale else None, 1e-3)


def conv_two_groups(x):
    return tf.concat([conv(part, weights(3, 3, 2, 3)) for part in tf.split(x, 2, 3)], 3)


def conv_four_groups_bias(x):
    parts = [tf.nn.bias_add(conv(part, weights(3, 3, 1, 2)), weights(2)) for part in tf.split(x, [1, 1, 1, 1], -1)]
    return tf.concat(parts, -1)


def depthwise_layer(x):
    return raw.DepthwiseConv2dNative(input=x, filter=weights(3, 3, 4, 2), strides=[1, 1, 1, 1], padding="SAME")


def swapped_norm(y):
    """The operands of every commutative operator the other way round, the Neg after the product."""
    n = y.shape[-1]
    variance, gamma, mean = positive(n), positive(n), weights(n)
    factor = raw.Mul(x=gamma, y=raw.Rsqrt(x=raw.Add(x=tf.constant(1e-3), y=variance)))
    return raw.Add(x=raw.Neg(x=raw.Mul(x=factor, y=mean)), y=raw.Mul(x=factor, y=y))


@case(nodes=1)
def norm_swapped(x):
    return swapped_norm(conv(x, weights(3, 3, 4, 5)))


NORMED = {  # what a small-op normalisation is folded into, and the shape of the input
    "norm": (lambda x: conv(x, weights(3, 3, 4, 5)), (1, 4, 5, 4)),
    "norm_groups": (conv_two_groups, (1, 4, 5, 4)),
    "norm_groups_bias": (conv_four_groups_bias, (1, 4, 5, 4)),
    "norm_depthwise": (depthwise_layer, (1, 4, 5, 4)),
    "norm_dense": (lambda x: tf.matmul(x, weights(12, 5)), (1, 12)),
    "norm_dense_bias": (lambda x: tf.nn.bias_add(tf.matmul(x, weights(5, 12), transpose_b=True), weights(5)), (1, 12)),
}

for name, (layer, shape) in NORMED.items():
    for scale in (True, False):
        for center in (True, False):

            def norm(x, layer=layer, scale=scale, center=center):
                return small_norm(layer(x), scale, center)

            norm.__name__ = f"{name}_scale{scale:d}_center{center:d}"
            case(shape=shape, nodes=1)(norm)


@case(nodes=1)
def norm_groups_branches(x):
    """Each branch of a group convolution with a normalisation of its own."""
    return tf.concat([small_norm(conv(part, weights(3, 3, 2, 3)), True, True) for part in tf.split(x, 2, 3)], 3)


@case(nodes=1)
def norm_groups_fused(x):
    return fused(conv_two_groups(x))


@case(nodes=1)
def norm_depthwise_fused(x):
    return fused(depthwise_layer(x))


@case(shape=(1, 12), nodes=1)
def norm_dense_written_out(x):
    y = tf.matmul(x, weights(12, 5))
    return weights(5) + positive(5) * ((y - weights(5)) / tf.sqrt(positive(5) + 1e-3))


@case(nodes=1)
def norm_groups_swapped(x):
    return swapped_norm(conv_two_groups(x))


@case(shape=(1, 12), nodes=1)
def norm_dense_swapped(x):
    return swapped_norm(tf.matmul(x, weights(12, 5)))


@case(nodes=1)
def norm_written_out(x):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, as one writes it by hand."""
    y = conv(x, weights(3, 3, 4, 5))
    return weights(5) + positive(5) * ((y - weights(5)) / tf.sqrt(positive(5) + 1e-3))


@case(nodes=1)
def norm_channels_reshaped(x):
    """As for NCHW: parameters of 1 x C x 1 x 1, between two Transposes."""
    y = tf.transpose(conv(x, weights(3, 3, 4, 5)), [0, 3, 1, 2])
    y = y * tf.reshape(positive(5), [1, 5, 1, 1]) + tf.reshape(weights(5), [1, 5, 1, 1])
    return tf.transpose(y, [0, 2, 3, 1])


@case(nodes=2)
def local_response(x):
    return raw.LRN(input=tf.concat([x, x], 3), depth_radius=2, bias=1.5, alpha=0.3, beta=0.75)[:, :, :, :8]


# ---- dense layers


@case(shape=(1, 12), nodes=1)
def dense(x):
    return tf.nn.bias_add(tf.matmul(x, weights(12, 5)), weights(5))


@case(shape=(1, 12), nodes=1)
def dense_transposed(x):
    return tf.matmul(x, weights(5, 12), transpose_b=True)


@case(nodes=2)
def dense_flattened(x):
    return tf.matmul(tf.reshape(x, [-1, 80]), weights(80, 5))


@case(nodes=4)
def dense_after_pool(x):
    return tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), weights(4, 5)))


@case(shape=(1, 5, 12))
def dense_batch(x):
    return raw.BatchMatMulV2(x=x, y=weights(12, 7))


@case(shape=[(1, 5, 12), (1, 5, 12)], transposes=1)
def batch_product(x, y):
    return raw.BatchMatMulV2(x=x, y=y, adj_y=True)


# ---- softmax


@case(shape=(1, 10), nodes=1)
def softmax(x):
    return tf.nn.softmax(x)


@case(nodes=1)
def softmax_channels(x):
    return tf.nn.softmax(x)


@case(shape=(1, 10), nodes=1)
def log_softmax(x):
    return raw.LogSoftmax(logits=x)


# ---- movement


@case(shape=[(1, 4, 5, 4), (1, 4, 5, 2)], nodes=1)
def concat(x, y):
    return tf.concat([x, y], -1)


@case(shape=[(1, 4, 5, 4), (1, 3, 5, 4)], nodes=1)
def concat_old(x, y):
    return raw.Concat(concat_dim=1, values=[x, y])


@case()
def concat_constant(x):
    return tf.concat([weights(1, 4, 5, 2), x, weights(1, 4, 5, 1)], 3)


@case()
def split(x):
    a, b = tf.split(x, 2, 3)
    return a * b


@case()
def split_sizes(x):
    a, b, c = tf.split(x, [1, 2, -1], 3)
    return b + a * c


@case(plain_outputs=True)
def unpack_pack(x):
    a, b, c, d = tf.unstack(x, axis=3)
    return tf.stack([d, a, c, b], axis=3)


@case()
def slices(x):
    return raw.Slice(input=x, begin=[0, 1, 0, 1], size=[-1, 3, -1, 2])


@case()
def strided(x):
    return x[:, 1:-1, ::2, 1:3]


@case()
def strided_ellipsis(x):
    return x[..., 2:]


@case()
def strided_shrink(x):
    return tf.nn.relu(x[:, :, :, 1])


@case()
def strided_new_axis(x):
    return x[:, 2, :, tf.newaxis, :]


@case()
def strided_constants(x):
    """Every kind of item, on a constant, where backward and empty slices are allowed."""
    c = weights(4, 3, 8)
    y = x + c[::-1, 1, 7:3:-1][0] + c[-1, ::2, -5:-1][1] + c[2, ..., 4:][-1] + c[0, tf.newaxis, 2, ::-2][0]
    return y + tf.cast(tf.shape(c[:, 2:1])[1] + tf.shape(x)[-1] - tf.shape(x)[::-1][1:2], tf.float32)


@case()
def gather(x):
    return tf.gather(x, [1, 2, 3], axis=3)


@case()
def pad(x):
    return tf.pad(x, [[0, 0], [1, 2], [0, 1], [1, 0]])


@case()
def pad_value(x):
    return tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=-1.5)


@case()
def pad_reflect(x):
    return tf.pad(x, [[0, 0], [2, 3], [1, 2], [0, 0]], "REFLECT")


@case()
def pad_symmetric(x):
    return tf.pad(x, [[0, 0], [1, 1], [0, 1], [0, 0]], "SYMMETRIC")


@case(nodes=1)
def pad_then_conv(x):
    return conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), weights(3, 3, 4, 5), 2, "VALID")


@case(nodes=1)
def max_pool_with_argmax(x):
    return raw.MaxPoolWithArgmax(input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID").output


@case()
def tile(x):
    return tf.tile(x, [1, 1, 2, 2])


@case()
def grid(x):
    """The coordinates of a detector's cells, from the size of the image."""
    rows, columns = tf.meshgrid(tf.range(tf.shape(x)[1]), tf.range(0, tf.shape(x)[2], 1), indexing="ij")
    return x + tf.cast(tf.stack([rows, columns, 2 * rows, columns], -1), tf.float32) * tf.range(0.5, 2.1, 0.5)


@case()
def reverse_channels(x):
    return conv(x[..., ::-1], weights(1, 1, 4, 2))


@case()
def reverse_rows(x):
    return raw.ReverseV2(tensor=x[:, 3:0:-1], axis=[-2])


# ---- shapes


@case(nodes=1)
def transposes_cancel(x):
    y = tf.transpose(x, [0, 3, 1, 2])
    return tf.transpose(tf.nn.relu(y), [0, 2, 3, 1])


@case(shape=(1, 4, 4, 5), nodes=1, plain_outputs=True)
def transpose_between_layouts(x):
    y = conv(tf.transpose(x, [0, 2, 3, 1]), weights(3, 3, 4, 5))
    return tf.transpose(y, [0, 3, 1, 2])


transpose_between_layouts.plain_inputs = True


@case(nodes=2)
def squeeze(x):
    return tf.squeeze(raw.AvgPool(value=x, ksize=[1, 4, 5, 1], strides=[1, 1, 1, 1], padding="VALID"), [1, 2])


@case(transposes=1)
def flatten(x):
    return tf.reshape(x, [-1, 80])


@case(transposes=1, plain_outputs=True)
def flatten_pixels(x):
    return tf.reshape(x, [1, 20, 4])


@case()
def join_pixels(x):
    """Boxes of a detector: the channels of each pixel, one row a pixel; NCHW keeps them apart until the end."""
    return tf.reduce_sum(tf.reshape(x, [-1, 20, 4]), 1)


@case(transposes=2)
def boxes_of_two_scales(x):
    """A detector's heads: a row a pixel and anchor, rows of all scales joined."""
    y = conv(x, weights(3, 3, 4, 4), 2)
    rows = [tf.reshape(conv(image, weights(1, 1, 4, 8)), [-1, pixels, 1, 4]) for image, pixels in ((x, 40), (y, 12))]
    return tf.squeeze(tf.concat(rows, 1), [2])


@case(transposes=1)
def shuffle_channels(x):
    y = tf.reshape(x, [-1, 4, 5, 2, 2])
    return tf.reshape(tf.transpose(y, [0, 1, 2, 4, 3]), [-1, 4, 5, 4])


@case(shape=(1, 24))
def expand_and_conv(x):
    y = tf.reshape(x, [-1, 24, 1])
    return conv(tf.expand_dims(y, 1), weights(1, 5, 1, 6))


@case()
def squeeze_excite(x):
    y = tf.reshape(tf.reduce_mean(x, [1, 2]), [-1, 1, 1, 4])
    y = tf.sigmoid(conv(tf.nn.relu(conv(y, weights(1, 1, 4, 2))), weights(1, 1, 2, 4)))
    return x * y


@case(nodes=2)
def shape_arithmetic(x):
    """Flatten as layers write it: the batch from the shape, the rest from a product."""
    shape = raw.Shape(input=x)
    features = raw.Prod(input=shape[1:], axis=[0], keep_dims=False)
    return tf.matmul(tf.reshape(x, tf.stack([shape[0], features])), weights(80, 3))


@case(transposes=1)
def space_to_depth(x):
    return raw.SpaceToDepth(input=x[:, :, :4], block_size=2)


@case(transposes=1)
def depth_to_space(x):
    return raw.DepthToSpace(input=tf.concat([x, x], 3), block_size=2)


for kind in ("ResizeBilinear", "ResizeNearestNeighbor"):
    for flag in ("plain", "align_corners", "half_pixel_centers"):
        for name, size in (("up", (7, 6)), ("down", (3, 2)), ("twice", (8, 10))):

            def resize(x, kind=kind, flag=flag, size=size):
                flags = {} if flag == "plain" else {flag: True}
                return getattr(raw, kind)(images=x, size=list(size), **flags)

            resize.__name__ = f"{kind}_{flag}_{name}"
            case(shape=(1, 4, 5, 2), nodes=1)(resize)


@case()
def resize_by_shape(x):
    return raw.ResizeNearestNeighbor(images=x, size=tf.shape(x)[1:3] * tf.constant([2, 2]))


# ---- what training leaves behind


@case(nodes=1, control_flow_v1=True)
def branches(x):
    phase = v1.placeholder_with_default(False, [], "keras_learning_phase")
    y = conv(x, weights(3, 3, 4, 5))
    return v1.cond(phase, lambda: tf.nn.dropout(y, 0.5), lambda: tf.identity(y))


@case(nodes=1, control_flow_v1=True)
def branches_of_statistics(x):
    phase = v1.placeholder(tf.bool, [], "phase")
    mean = v1.cond(phase, lambda: weights(4), lambda: weights(4))
    return (x - mean) * 0.5


branches_of_statistics.feed = {"phase:0": False}


@case(nodes=1)
def control_edges(x):
    with tf.control_dependencies([tf.no_op("before")]):
        return tf.nn.relu(x)


@case(nodes=1)
def placeholder_with_default(x):
    return tf.nn.relu(v1.placeholder_with_default(x, [None, 4, 5, 4]))


@case()
def several_outputs(x):
    y = conv(x, weights(3, 3, 4, 5))
    return tf.nn.relu(y), tf.sigmoid(tf.reduce_mean(y, [1, 2]))


@case()
def bytes_to_floats(x):
    return raw.Cast(x=x, DstT=tf.float32) / 127.5 - 1.0


bytes_to_floats.dtype = tf.uint8


@case()
def constants_of_all_types(x):
    """Lists shorter than the tensor, lists of half floats, doubles: all end in one sum."""
    y = x + raw.Cast(x=tf.constant(1.5, tf.float16, [4]), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([1.25, -0.5, 3, 2], tf.bfloat16), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([0.1, 0.2, 0.3, 0.4], tf.float64), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([1, -2, 3, -4], tf.int8), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([1, 200, 3, 4], tf.uint8), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([True, False, True, True]), DstT=tf.float32)
    y = y + raw.Cast(x=tf.constant([70000, 2, 3, 4], tf.uint32), DstT=tf.float32)
    return y + raw.Cast(x=tf.constant([-1, 2, 3, 1 << 20], tf.int64), DstT=tf.float32) + tf.zeros([4, 5, 4])


# ---- channels first in the file: run as NHWC, since TensorFlow's CPU kernels know nothing else


def nchw_case(shape=(1, 4, 4, 5), **options):
    return case(shape=shape, nchw=True, **options)


@nchw_case(nodes=1)
def nchw_conv_bias_norm(x, nchw):
    y = conv(x, weights(3, 3, 4, 5), 2, nchw=nchw)
    y = tf.nn.bias_add(y, weights(5), data_format="NCHW" if nchw else "NHWC")
    return tf.nn.relu(fused(y, nchw=nchw))


@nchw_case(nodes=1)
def nchw_pool(x, nchw):
    return tf.nn.max_pool2d(x, 3, 2, "SAME", data_format="NCHW" if nchw else "NHWC")


@nchw_case(nodes=1)
def nchw_explicit(x, nchw):
    pads = [1, 2, 0, 1]
    return conv(x, weights(3, 3, 4, 5), 1, "EXPLICIT", nchw=nchw, explicit=[0] * 4 + pads if nchw else [0, 0, *pads, 0, 0])


@nchw_case(transposes=1)
def nchw_depth_to_space(x, nchw):
    y = tf.concat([x, x], 1 if nchw else 3)
    return tf.nn.depth_to_space(y, 2, "NCHW" if nchw else "NHWC")


# ---- whole models, as Keras builds and TF 2 freezes them


def keras_case(**options):
    def register(build):
        cases.append((build.__name__, None, build, options.get("transposes", 0), options.get("nodes", -1), options))
        return build

    return register


L = tf.keras.layers


@keras_case(nodes=8)
def keras_mobile(x):
    x = L.Conv2D(6, 3, 2, "same", use_bias=False)(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = L.ReLU(6.0)(L.BatchNormalization(scale=False)(y))
    y = L.BatchNormalization(center=False)(L.Conv2D(6, 1, use_bias=False)(y))
    x = L.Add()([x, y])
    x = L.GlobalAveragePooling2D()(x)
    return L.Softmax()(L.Dense(5)(x))


@keras_case(nodes=6)
def keras_decoder(x):
    x = L.Conv2D(5, 3, padding="same", activation="swish")(x)
    x = L.Conv2DTranspose(2, 3, 2, "same")(x)
    x = L.LeakyReLU()(L.UpSampling2D(2, interpolation="bilinear")(x))
    return L.PReLU(shared_axes=[1, 2])(L.ZeroPadding2D(((1, 2), (0, 1)))(x))


@keras_case(nodes=4)
def keras_flatten(x):
    x = L.MaxPooling2D(2)(L.Conv2D(5, 3, activation="relu")(x))
    return L.Dense(4)(L.Flatten()(x))


@keras_case()
def keras_one_dimension(x):
    """The pixels as a sequence, convolved: as two-dimensional with a row of their own."""
    x = L.Conv1D(5, 3, 2, "same", activation="relu")(L.Reshape((30, 3))(x))
    x = L.Conv1D(4, 3, padding="causal", activation="tanh")(L.MaxPooling1D(2)(x))
    return L.Dense(3)(L.GlobalAveragePooling1D()(x))


@keras_case(nodes=3)
def keras_dilated(x):
    x = L.SeparableConv2D(6, 3, dilation_rate=2, padding="same", activation="hard_silu")(x)
    return L.Conv2D(4, 3, dilation_rate=2, padding="same", activation="gelu")(x)


# ---- running and writing


def first(array, is_plain):
    """Channels first, where it is an image with channels last."""
    return array if is_plain or array.ndim != 4 else np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def remember(graph_def, name, array):
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array.astype(np.float32)))


def seed(name):
    global random
    random = np.random.default_rng(sum(name.encode()))


def draw(shape, options):
    if options.get("dtype"):
        return random.integers(0, 256, shape).astype(np.uint8)
    return random.uniform(0.5 if options.get("positive") else -1.5, 1.5, shape).astype(np.float32)


def plain_graph(name, shapes, build, options, nchw):
    """The graph, its outputs, and (of the form that TensorFlow can run) inputs and results."""
    seed(name)
    dtype = getattr(build, "dtype", tf.float32)
    feeds = [draw(shape, {**options, "dtype": dtype == tf.uint8}) for shape in shapes]
    is_other = options.get("nchw") and not nchw
    if is_other:
        feeds = [feed.transpose(0, 2, 3, 1) for feed in feeds]
    graph = tf.Graph()
    if options.get("control_flow_v1"):
        v1.disable_control_flow_v2()
    else:
        v1.enable_control_flow_v2()
    with graph.as_default():
        inputs = [v1.placeholder(dtype, [None, *feed.shape[1:]], f"x{i}") for i, feed in enumerate(feeds)]
        results = build(*inputs, **({"nchw": nchw} if options.get("nchw") else {}))
        results = results if isinstance(results, tuple) else (results,)
        outputs = [tf.identity(result, f"y{i}") for i, result in enumerate(results)]
    if options.get("nchw") and nchw:
        return graph.as_graph_def(), feeds, None
    with v1.Session(graph=graph) as session:
        found = session.run(outputs, {**dict(zip(inputs, feeds)), **getattr(build, "feed", {})})
    return graph.as_graph_def(), feeds, found


def keras_graph(name, build, options):
    seed(name)
    tf.keras.utils.set_random_seed(1)
    inputs = tf.keras.Input((6, 5, 3), name="x0")
    model = tf.keras.Model(inputs, build(inputs))
    model.set_weights([(random.uniform(0.2, 1, w.shape) * random.choice([-1, 1], w.shape)
                        if len(w.shape) > 1 else random.uniform(0.2, 1, w.shape)).astype(np.float32) /
                       np.sqrt(max(1, np.prod(w.shape[:-1]))) for w in model.get_weights()])
    function = tf.function(lambda x0: model(x0, training=False))
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(tf.TensorSpec([None, 6, 5, 3], name="x0")))
    feed = draw((1, 6, 5, 3), options)
    return frozen.graph.as_graph_def(), [feed], [model(feed, training=False).numpy()]


def main():
    with open(sys.argv[1], "wb") as out:
        for name, shapes, build, transposes, nodes, options in cases:
            if shapes is None:
                graph_def, feeds, found = keras_graph(name, build, options)
                names = [graph_def.node[-1].name]
            else:
                graph_def, feeds, found = plain_graph(name, shapes, build, options, options.get("nchw", False))
                if found is None:
                    found = plain_graph(name, shapes, build, options, False)[2]
                names = [f"y{i}" for i in range(len(found))]
            for i, feed in enumerate(feeds):
                remember(graph_def, f"golden/in/x{i}", first(feed, options.get("nchw") or hasattr(build, "plain_inputs")))
            for y, array in zip(names, found):
                remember(graph_def, f"golden/out/{y}", first(array, options.get("plain_outputs")))
            graph_def.ClearField("library")
            data = graph_def.SerializeToString(deterministic=True)
            out.write(f"{name} {transposes} {nodes} {len(data)}\n".encode() + data)
    print(f"{len(cases)} graphs, {os.path.getsize(sys.argv[1])} bytes")


main()
