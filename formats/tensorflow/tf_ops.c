/* tf_ops.c — the table of operators. A new one is a row, and where no build function fits, one in ops_*.c.
 *
 * Source: TensorFlow's operator registry. Attributes that are not read here name types or choose an implementation.
 */
#include "formats/tensorflow/tf_import.h"

#include <string.h>

enum { ANY = 1 << 16 };
enum { ELEMENTWISE = TF_KEEPS_AXES | TF_TAKES_BLOCKS, WINDOW = TF_HAS_CHANNELS };

static const struct tf_operator operators[] = {
    /* sources, and what passes on */
    {"Const", 0, 0, 0, tf_build_const, 0},
    {"Placeholder", 0, 0, 0, tf_build_nothing, 1}, /* those of flags; others are inputs */
    {"PlaceholderV2", 0, 0, 0, tf_build_nothing, 1},
    {"PlaceholderWithDefault", 1, 1, TF_KEEPS_AXES, tf_build_identity, 0},
    {"Identity", 1, 1, ELEMENTWISE, tf_build_identity, 0},
    {"IdentityN", 1, ANY, TF_KEEPS_AXES, tf_build_identities, 0},
    {"Snapshot", 1, 1, ELEMENTWISE, tf_build_identity, 0},
    {"StopGradient", 1, 1, ELEMENTWISE, tf_build_identity, 0},
    {"PreventGradient", 1, 1, ELEMENTWISE, tf_build_identity, 0},
    {"CheckNumerics", 1, 1, ELEMENTWISE, tf_build_identity, 0},
    {"FakeQuantWithMinMaxArgs", 1, 1, ELEMENTWISE, tf_build_fake_quant, 0},
    {"FakeQuantWithMinMaxVars", 3, 3, ELEMENTWISE, tf_build_fake_quant, 0},
    {"FakeQuantWithMinMaxVarsPerChannel", 3, 3, ELEMENTWISE, tf_build_fake_quant, 0},
    {"AscendQuant", 1, 1, ELEMENTWISE, tf_build_ascend_quant, 0},
    {"AscendWeightQuant", 2, 2, TF_KEEPS_AXES, tf_build_ascend_weight_quant, 0},
    {"AscendDequant", 2, 2, ELEMENTWISE, tf_build_ascend_dequant, 0},
    {"Switch", 2, 2, TF_KEEPS_AXES, tf_build_switch, 0},
    {"Merge", 1, ANY, TF_KEEPS_AXES | TF_TAKES_DEAD, tf_build_merge, 0},
    {"NoOp", 0, ANY, TF_NO_RESULT, tf_build_nothing, 0},
    {"Assert", 0, ANY, TF_NO_RESULT, tf_build_nothing, 0},
    /* windows */
    {"Conv2D", 2, 2, WINDOW | TF_TAKES_BLOCKS, tf_build_conv, 0},
    {"DepthwiseConv2dNative", 2, 2, WINDOW | TF_TAKES_BLOCKS, tf_build_depthwise, 0},
    {"Conv2DBackpropInput", 3, 3, WINDOW, tf_build_deconv, 0},
    {"MaxPool", 1, 1, WINDOW, tf_build_pool, POOL_MAX},
    {"MaxPoolWithArgmax", 1, 1, WINDOW, tf_build_pool, POOL_MAX},
    {"AvgPool", 1, 1, WINDOW, tf_build_pool, POOL_AVERAGE},
    {"SpaceToBatchND", 3, 3, WINDOW, tf_build_space_to_batch, 0},
    {"BatchToSpaceND", 3, 3, TF_TAKES_BLOCKS, tf_build_batch_to_space, 0},
    {"ResizeBilinear", 2, 2, WINDOW, tf_build_resize, RESIZE_LINEAR},
    {"ResizeNearestNeighbor", 2, 2, WINDOW, tf_build_resize, RESIZE_NEAREST},
    {"SpaceToDepth", 1, 1, WINDOW, tf_build_space_to_depth, 0},
    {"DepthToSpace", 1, 1, WINDOW, tf_build_depth_to_space, 0},
    /* matrices, normalisation */
    {"MatMul", 2, 2, 0, tf_build_matmul, 0},
    {"BatchMatMul", 2, 2, 0, tf_build_matmul, 1},
    {"BatchMatMulV2", 2, 2, 0, tf_build_matmul, 1},
    {"BiasAdd", 2, 2, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_bias, 0},
    {"BiasAddV1", 2, 2, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_bias, 0},
    {"FusedBatchNorm", 5, 5, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_normalize, 0},
    {"FusedBatchNormV2", 5, 5, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_normalize, 0},
    {"FusedBatchNormV3", 5, 5, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_normalize, 0},
    {"BatchNormWithGlobalNormalization", 5, 5, ELEMENTWISE | TF_HAS_CHANNELS, tf_build_old_normalize, 0},
    {"LRN", 1, 1, WINDOW, tf_build_lrn, 0},
    /* activations */
    {"Relu", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_RELU},
    {"Relu6", 1, 1, ELEMENTWISE, tf_build_clip, 0},
    {"LeakyRelu", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_LEAKY_RELU},
    {"Elu", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_ELU},
    {"Selu", 1, 1, ELEMENTWISE, tf_build_selu, 0},
    {"Sigmoid", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_SIGMOID},
    {"Tanh", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_TANH},
    {"Softplus", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_SOFTPLUS},
    {"Exp", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_EXP},
    {"Log", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_LOG},
    {"Sqrt", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_SQRT},
    {"Rsqrt", 1, 1, ELEMENTWISE, tf_build_power, -50},
    {"Reciprocal", 1, 1, ELEMENTWISE, tf_build_power, -100},
    {"Inv", 1, 1, ELEMENTWISE, tf_build_power, -100},
    {"Abs", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_ABS},
    {"Erf", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_ERF},
    {"Erfc", 1, 1, ELEMENTWISE, tf_build_erfc, 0},
    {"Floor", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_FLOOR},
    {"Ceil", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_CEIL},
    {"Round", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_ROUND},
    {"Rint", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_ROUND},
    {"Sign", 1, 1, ELEMENTWISE, tf_build_activation, ACTIVATION_SIGN},
    {"Neg", 1, 1, ELEMENTWISE, tf_build_negate, 0},
    {"Square", 1, 1, ELEMENTWISE, tf_build_square, 0},
    {"Pow", 2, 2, ELEMENTWISE, tf_build_power_by, BINARY_POW},
    {"Softmax", 1, 1, TF_KEEPS_AXES, tf_build_softmax, 0},
    {"LogSoftmax", 1, 1, TF_KEEPS_AXES, tf_build_softmax, 1},
    /* arithmetic */
    {"Add", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_ADD},
    {"AddV2", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_ADD},
    {"Sub", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_SUB},
    {"Mul", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_MUL},
    {"Div", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_DIV},
    {"RealDiv", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_DIV},
    {"Maximum", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_MAX},
    {"Minimum", 2, 2, ELEMENTWISE, tf_build_binary, BINARY_MIN},
    {"SquaredDifference", 2, 2, ELEMENTWISE, tf_build_squared_difference, 0},
    {"AddN", 1, ANY, TF_KEEPS_AXES, tf_build_sum_of_all, 0},
    /* reductions */
    {"Mean", 2, 2, 0, tf_build_reduce, REDUCE_MEAN},
    {"Sum", 2, 2, 0, tf_build_reduce, REDUCE_SUM},
    {"Max", 2, 2, 0, tf_build_reduce, REDUCE_MAX},
    {"Min", 2, 2, 0, tf_build_reduce, REDUCE_MIN},
    {"Prod", 2, 2, 0, tf_build_product, REDUCE_PROD},
    /* movement */
    {"ConcatV2", 2, ANY, TF_KEEPS_AXES, tf_build_concat, 0},
    {"Concat", 2, ANY, TF_KEEPS_AXES, tf_build_concat_first, 0},
    {"Pack", 1, ANY, 0, tf_build_pack, 0},
    {"Tile", 2, 2, TF_KEEPS_AXES, tf_build_tile, 0},
    {"Split", 2, 2, TF_KEEPS_AXES, tf_build_split, 0},
    {"SplitV", 3, 3, TF_KEEPS_AXES, tf_build_split_sizes, 0},
    {"Unpack", 1, 1, 0, tf_build_unpack, 0},
    {"Slice", 3, 3, TF_KEEPS_AXES, tf_build_slice, 0},
    {"StridedSlice", 4, 4, 0, tf_build_strided, 0},
    {"ReverseV2", 2, 2, TF_KEEPS_AXES, tf_build_reverse, 0},
    {"Gather", 2, 2, 0, tf_build_gather, 0},
    {"GatherV2", 3, 3, 0, tf_build_gather, 0},
    {"Pad", 2, 2, TF_KEEPS_AXES, tf_build_pad, 0},
    {"PadV2", 3, 3, TF_KEEPS_AXES, tf_build_pad, 0},
    {"MirrorPad", 2, 2, TF_KEEPS_AXES, tf_build_mirror_pad, 0},
    {"Transpose", 2, 2, 0, tf_build_transpose, 0},
    /* shapes */
    {"Reshape", 2, 2, 0, tf_build_reshape, 0},
    {"Squeeze", 1, 1, 0, tf_build_squeeze, 0},
    {"ExpandDims", 2, 2, 0, tf_build_expand_dims, 0},
    {"Shape", 1, 1, 0, tf_build_shape, 0},
    {"Size", 1, 1, 0, tf_build_size, 0},
    {"Rank", 1, 1, 0, tf_build_rank, 0},
    {"Fill", 2, 2, 0, tf_build_fill, 0},
    {"Range", 3, 3, 0, tf_build_range, 0},
    {"Cast", 1, 1, TF_KEEPS_AXES, tf_build_cast, 0},
};

const struct tf_operator *tf_operator_find(const char *type)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].type, type) == 0)
            return &operators[i];
    return NULL;
}

/* Operators that are not in a network made for inference, by what is to be done about it. */
static const struct {
    const char *type, *reason;
} refusals[] = {
    {"Variable", "it is a variable: freeze the network, so that its weights are constants"},
    {"VariableV2", "it is a variable: freeze the network, so that its weights are constants"},
    {"VarHandleOp", "it is a variable: freeze the network, so that its weights are constants"},
    {"ReadVariableOp", "it reads a variable: freeze the network, so that its weights are constants"},
    {"PartitionedCall", "it calls a function: freeze the network with functions inlined"},
    {"StatefulPartitionedCall", "it calls a function: freeze the network with functions inlined"},
    {"If", "it calls a function: freeze the network with control flow lowered"},
    {"StatelessIf", "it calls a function: freeze the network with control flow lowered"},
    {"While", "it is a loop: choose model.outputs before it or model.inputs behind it"},
    {"StatelessWhile", "it is a loop: choose model.outputs before it or model.inputs behind it"},
    {"Enter", "it is part of a loop: choose model.outputs before it or model.inputs behind it"},
    {"Exit", "it is part of a loop: choose model.outputs before it or model.inputs behind it"},
    {"LoopCond", "it is part of a loop: choose model.outputs before it or model.inputs behind it"},
    {"NextIteration", "it is part of a loop: choose model.outputs before it or model.inputs behind it"},
    {"RandomUniform", "it draws random numbers, as training does: freeze the network for inference"},
};

int tf_operator_refuse(const char *type, struct error *err)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(refusals[i].type, type) == 0)
            return error_set(err, EX_UNAVAILABLE, "%s", refusals[i].reason);
    return error_set(err, EX_UNAVAILABLE,
                     "the tensorflow importer does not know this operator: choose model.outputs before it or "
                     "model.inputs behind it, or add a row to formats/tensorflow/tf_ops.c");
}
