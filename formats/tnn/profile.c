/* profile.c — the arithmetic of TNN's int8 runtime on CPUs (reference, x86, ARM), as data.
 *
 * Source: Tencent TNN, commit f0cb08129a05: source/tnn/utils/naive_compute.cc, source/tnn/optimizer/,
 * tools/quantization/. What its quantization tool does wrong (biases truncated, scales changed after weights were
 * quantized) is repeated in the second profile only.
 */
#include "formats/tnn/emit.h"

/* ReLU and ReLU6 are part of a convolution; behind other integer layers they are layers of their own on the same scale,
 * where rounding before or after a clip is the same. Other activations need the real value. */
static bool may_be_fused(const struct activation *fused)
{
    return fused->kind == ACTIVATION_NONE || fused->kind == ACTIVATION_RELU || fused->kind == ACTIVATION_CLIP;
}

static bool allows(const struct graph *graph, const struct node *node)
{
    const struct shape *a = &graph->values[node->inputs[0]].shape;

    switch (node->op) {
    case OP_CONV:
        return a->rank == 4 && may_be_fused(&node->fused);
    case OP_DENSE:
        return may_be_fused(&node->fused);
    case OP_BINARY: /* x86 adds exactly two values of one shape; there is no other integer kind */
        return node->attr.binary.kind == BINARY_ADD && may_be_fused(&node->fused) &&
               shape_equal(a, &graph->values[node->inputs[1]].shape);
    case OP_CONCAT:
        return node->attr.axis == 1;
    case OP_ACTIVATION:
        return node->attr.activation.kind == ACTIVATION_RELU;
    default:
        return true;
    }
}

/* What TNN's tool makes integers of: as above, but no reshape for its own sake, and only a ReLU behind an Add. */
static bool tool_allows(const struct graph *graph, const struct node *node)
{
    switch (node->op) {
    case OP_RESHAPE:
        return graph->values[node->outputs[0]].shape.rank == 2 && tnn_feeds_only_dense(graph, node->outputs[0]);
    case OP_DENSE:
    case OP_BINARY:
        return node->fused.kind != ACTIVATION_CLIP && allows(graph, node);
    default:
        return allows(graph, node);
    }
}

/* An inner product has one scale a value, whatever its channels. A Concat copies bytes once an operand has more than
 * one scale, whatever these are; with one scale a value it rescales one operand at a time. Integer average pools wrap
 * in int16 on large windows: they stay in float. */
#define TNN_ARITHMETIC                                                                                                 \
    .name = "tnn", .signed_codes = {-128, 127, 0}, .signed_steps = 127, .per_channel_activations = true,               \
    .activation_rounding = ROUND_HALF_AWAY, .weight_limit = 127, .per_channel_weights = true, .integer_bias = true,    \
    .requantization = REQUANTIZE_RATIO, .average_pool_truncates = true,                                                \
    .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE | 1u << OP_BINARY | 1u << OP_CONCAT,                               \
    .transparent_ops = 1u << OP_POOL | 1u << OP_RESHAPE, .activation_is_transparent = true

const struct profile tnn_profile = {
    TNN_ARITHMETIC,
    /* Activations saturate to [-128, 127], but a threshold is 127 steps. No unsigned form, and x86 and ARM ignore zero
     * points: where biases can hide one, all 256 codes serve. MobileNet v1 0.25 on CIFAR-10 images, fp32 71.60: 69.15
     * without, 70.70 with. */
    .unsigned_codes = {-128, 127, -128},
    .unsigned_steps = 255,
    .zero_points_in_biases = true,
    .bias_rounding = ROUND_HALF_AWAY,
    .allows = allows,
};

const struct profile tnn_tool_profile = {
    TNN_ARITHMETIC,        .unsigned_codes = {-128, 127, 0},
    .unsigned_steps = 127, .bias_rounding = ROUND_TOWARD_ZERO,
    .is_tool_exact = true, .allows = tool_allows,
};
