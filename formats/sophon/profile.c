/* profile.c — the int8 arithmetic of SOPHON's BM1684, as data.
 *
 * Source: tpu-mlir, the vendor's public compiler, lib/Conversion/TopToTpu/BM1684/{Conv,MatMul,Add}.cpp and
 * lib/Support/MathUtils.cpp. That the older, closed calibrator computes the same is inferred. How a right shift rounds
 * is in neither.
 */
#include "formats/sophon/profile.h"

#include "formats/caffe/write.h"

/* A ReLU may have an upper limit, which is a code like any other. A negative slope is a layer of its own. */
static bool may_be_fused(const struct activation *fused)
{
    return fused->kind == ACTIVATION_NONE || fused->kind == ACTIVATION_RELU ||
           (fused->kind == ACTIVATION_CLIP && fused->alpha == 0);
}

static bool allows(const struct graph *graph, const struct node *node)
{
    const struct shape *a = &graph->values[node->inputs[0]].shape;

    switch (node->op) {
    case OP_CONV:
    case OP_DECONV:
        return a->rank == 4 && may_be_fused(&node->fused);
    case OP_DENSE:
        return may_be_fused(&node->fused);
    case OP_BINARY:
        return node->attr.binary.kind == BINARY_ADD && may_be_fused(&node->fused) &&
               shape_equal(a, &graph->values[node->inputs[1]].shape);
    case OP_POOL: /* a factor behind it is not the chip's integer pool */
        return caffe_is_plain_pool(node, a);
    case OP_PAD:
        return node->attr.pad.mode == PAD_CONSTANT && node->attr.pad.value == 0;
    default:
        return true;
    }
}

const struct profile sophon_bm1684_profile = {
    .name = "sophon-bm1684",
    /* Symmetric, scale = threshold / 127; no unsigned codes before BM1686. */
    .signed_codes = {-128, 127, 0},
    .unsigned_codes = {-128, 127, 0},
    .signed_steps = 127,
    .unsigned_steps = 127,
    .activation_rounding = ROUND_HALF_AWAY,
    .weight_limit = 127,
    .per_channel_weights = false,
    .integer_bias = true,
    .bias_limit = 32767, /* int16, which saturates */
    .bias_rounding = ROUND_HALF_AWAY,
    /* The multiplier is 1: weights are coded by 2^n x input scale / output scale. */
    .requantization = REQUANTIZE_SHIFT,
    .largest_shift = 31,
    .requantization_rounding = ROUND_HALF_UP,
    .rounding_is_unknown = true,
    .other_activation_rounding = ROUND_HALF_AWAY,
    .other_requantization_rounding = ROUND_FLOOR,
    .quantized_ops =
        1u << OP_CONV | 1u << OP_DECONV | 1u << OP_DENSE | 1u << OP_BINARY | 1u << OP_POOL | 1u << OP_CONCAT,
    .transparent_ops = 1u << OP_POOL | 1u << OP_RESHAPE | 1u << OP_TRANSPOSE | 1u << OP_SLICE | 1u << OP_PAD,
    .activation_is_transparent = true,
    .multiplier_bits = 8, /* of the operands of ADD and CONCAT */
    .operands_are_rescaled = true,
    .allows = allows,
};
