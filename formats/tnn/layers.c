/* layers.c — the table of layer types that the importer understands: one row each. */
#include "formats/tnn/import.h"

#include <string.h>

static const struct tnn_kind kinds[] = {
    /* type, parameters that must be there, build, variant */
    {"Convolution", 9, tnn_convolution, 0},
    {"Deconvolution", 9, tnn_convolution, 1},
    {"Pooling", 7, tnn_pooling, 0},
    {"InnerProduct", 4, tnn_inner_product, 0},
    {"MatMul", 0, tnn_matmul, 0},
    {"BatchNormCxx", 0, tnn_normalize, 0},
    {"Scale", 0, tnn_normalize, 0},
    {"ReLU", 0, tnn_activation, ACTIVATION_RELU},
    {"ReLU6", 0, tnn_relu6, 0},
    {"PReLU", 0, tnn_prelu, 0},
    {"Elu", 1, tnn_activation, ACTIVATION_ELU},
    {"Clip", 2, tnn_activation, ACTIVATION_CLIP},
    {"Sigmoid", 0, tnn_activation, ACTIVATION_SIGMOID},
    {"Tanh", 0, tnn_activation, ACTIVATION_TANH},
    {"Swish", 0, tnn_activation, ACTIVATION_SWISH},
    {"HardSigmoid", 2, tnn_activation, ACTIVATION_HARD_SIGMOID},
    {"HardSwish", 2, tnn_activation, ACTIVATION_HARD_SWISH},
    {"Softplus", 0, tnn_activation, ACTIVATION_SOFTPLUS},
    {"Exp", 0, tnn_activation, ACTIVATION_EXP},
    {"Log", 0, tnn_activation, ACTIVATION_LOG},
    {"Abs", 0, tnn_activation, ACTIVATION_ABS},
    {"Sqrt", 0, tnn_activation, ACTIVATION_SQRT},
    {"Erf", 0, tnn_activation, ACTIVATION_ERF},
    {"GELU", 0, tnn_activation, ACTIVATION_GELU},
    {"Power", 3, tnn_power, 0},
    {"Add", 0, tnn_binary, BINARY_ADD},
    {"Sub", 0, tnn_binary, BINARY_SUB},
    {"Mul", 0, tnn_binary, BINARY_MUL},
    {"Div", 0, tnn_binary, BINARY_DIV},
    {"Maximum", 0, tnn_binary, BINARY_MAX},
    {"Minimum", 0, tnn_binary, BINARY_MIN},
    {"Softmax", 0, tnn_softmax, 0},
    {"SoftmaxCaffe", 0, tnn_softmax, 0},
    {"LogSoftmax", 0, tnn_softmax, 1},
    {"LRN", 4, tnn_lrn, 0},
    {"ReduceMean", 1, tnn_reduce, REDUCE_MEAN},
    {"ReduceSum", 1, tnn_reduce, REDUCE_SUM},
    {"ReduceMax", 1, tnn_reduce, REDUCE_MAX},
    {"ReduceMin", 1, tnn_reduce, REDUCE_MIN},
    {"ReduceL2", 1, tnn_reduce, REDUCE_L2},
    {"Concat", 0, tnn_concat, 0},
    {"Reshape", 3, tnn_reshape, 0},
    {"Flatten", 1, tnn_flatten, 0},
    {"Squeeze", 1, tnn_squeeze, 0},
    {"Unsqueeze", 1, tnn_squeeze, 1},
    {"Permute", 1, tnn_permute, 0},
    {"ShuffleChannel", 1, tnn_shuffle, 0},
    {"Pad", 8, tnn_pad, 0},
    {"PadV2", 1, tnn_pad_v2, 0},
    {"Upsample", 3, tnn_upsample, 0},
    {"SplitV", 2, tnn_split, 0},
    {"StridedSlice", 3, tnn_slice, 0},
    {"StridedSliceV2", 4, tnn_slice, 1},
    {"Dropout", 0, tnn_identity, 0},
};

const struct tnn_kind *tnn_kind_find(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}
