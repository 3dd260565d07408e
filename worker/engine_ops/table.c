/* table.c — which builder makes the steps of which operator. */
#include "worker/engine_private.h"

static const engine_builder builders[OP_COUNT] = {
    [OP_CONV] = engine_build_conv,
    [OP_DECONV] = engine_build_conv,
    [OP_DENSE] = engine_build_dense,
    [OP_MATMUL] = engine_build_matmul,
    [OP_POOL] = engine_build_pool,
    [OP_ACTIVATION] = engine_build_activation,
    [OP_PRELU] = engine_build_channelwise,
    [OP_BINARY] = engine_build_binary,
    [OP_CONCAT] = engine_build_concat,
    [OP_SOFTMAX] = engine_build_softmax,
    [OP_RESHAPE] = engine_build_reshape,
    [OP_IDENTITY] = engine_build_reshape,
    [OP_TRANSPOSE] = engine_build_reference,
    [OP_SLICE] = engine_build_reference,
    [OP_PAD] = engine_build_reference,
    [OP_NORMALIZE] = engine_build_channelwise,
    [OP_LRN] = engine_build_lrn,
    [OP_REDUCE] = engine_build_reduce,
    [OP_RESIZE] = engine_build_reference,
    [OP_LAYER_NORM] = engine_build_reference,
    [OP_HARDMAX] = engine_build_reference,
    [OP_GATHER] = engine_build_reference,
};

engine_builder engine_find_builder(enum op op)
{
    return (size_t)op < OP_COUNT ? builders[op] : NULL;
}
