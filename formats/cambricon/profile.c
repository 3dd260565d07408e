/* profile.c — the arithmetic of Cambricon's MLU220 and MLU270, as data.
 *
 * Source: Cambricon's public Caffe (quantized layers, blobs_dtype), its public PyTorch port Catch and its TensorFlow
 * quantization tool: a layer with weights makes integers of what it reads, and gives back
 * accumulator x input scale x weight scale + bias in the float type of everything else. How the chip's casts round is
 * not said; the TensorFlow tool rounds half to even.
 */
#include "formats/cambricon/profile.h"

static bool allows(const struct graph *graph, const struct node *node)
{
    /* Caffe's depthwise layers have no position for their weights and run in float. */
    return node->op != OP_CONV || node->attr.conv.group == 1 ||
           node->attr.conv.group != graph->values[node->inputs[0]].shape.dims[1];
}

/* -qmax - 1 can be reached; the largest magnitude maps to qmax. */
#define PROFILE(id, text, qmax, type)                                                                                  \
    const struct profile cambricon_##id##_profile = {                                                                  \
        .name = "cambricon-" text,                                                                                     \
        .signed_codes = {-(qmax)-1, qmax, 0},                                                                          \
        .unsigned_codes = {-(qmax)-1, qmax, 0},                                                                        \
        .signed_steps = qmax,                                                                                          \
        .unsigned_steps = qmax,                                                                                        \
        .activation_rounding = ROUND_HALF_EVEN,                                                                        \
        .rounding_is_unknown = true,                                                                                   \
        .other_activation_rounding = ROUND_TOWARD_ZERO,                                                                \
        .keeps_reals = true,                                                                                           \
        .float_type = type,                                                                                            \
        .weight_limit = qmax,                                                                                          \
        .per_channel_weights = true,                                                                                   \
        .integer_bias = false,                                                                                         \
        .bias_rounding = ROUND_HALF_EVEN,                                                                              \
        .requantization = REQUANTIZE_DEQUANTIZED,                                                                      \
        .quantized_ops = 1u << OP_CONV | 1u << OP_DECONV | 1u << OP_DENSE,                                             \
        .allows = allows,                                                                                              \
    }

#define FOUR_PROFILES(chip, text)                                                                                      \
    PROFILE(chip, text, 127, FLOAT_TYPE_FP16);                                                                         \
    PROFILE(chip##_fp32, text "-fp32", 127, FLOAT_TYPE_FP32);                                                          \
    PROFILE(chip##_int16, text "-int16", 32767, FLOAT_TYPE_FP16);                                                      \
    PROFILE(chip##_int16_fp32, text "-int16-fp32", 32767, FLOAT_TYPE_FP32)

FOUR_PROFILES(mlu220, "mlu220");
FOUR_PROFILES(mlu270, "mlu270");
