/* profile.c — the arithmetic of Cambricon's MLU220 and MLU270, as data.
 *
 * Source: Cambricon's public Caffe (quantized layers, blobs_dtype), its public PyTorch port Catch and its TensorFlow
 * quantization tool: a layer with weights makes integers of what it reads, and gives back
 * accumulator x input scale x weight scale + bias in the float type of everything else. How the chip's casts round is
 * not said; the TensorFlow tool rounds half to even.
 */
#include "formats/cambricon/profile.h"

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
        .stores_reciprocals = true,                                                                                    \
        .stores_weight_reciprocals = true,                                                                             \
        .keeps_reals = true,                                                                                           \
        .float_type = type,                                                                                            \
        .weight_limit = qmax,                                                                                          \
        .codes_are_remade = true,                                                                                      \
        .per_channel_weights = true,                                                                                   \
        .integer_bias = false,                                                                                         \
        .bias_rounding = ROUND_HALF_EVEN,                                                                              \
        .requantization = REQUANTIZE_DEQUANTIZED, /* Depthwise ones too: under PyTorch they have scales like any       \
                                                     other; Caffe ignores them and runs in float. */                   \
        .quantized_ops = 1u << OP_CONV | 1u << OP_DECONV | 1u << OP_DENSE,                                             \
    }

#define FOUR_PROFILES(chip, text)                                                                                      \
    PROFILE(chip, text, 127, FLOAT_TYPE_FP16);                                                                         \
    PROFILE(chip##_fp32, text "-fp32", 127, FLOAT_TYPE_FP32);                                                          \
    PROFILE(chip##_int16, text "-int16", 32767, FLOAT_TYPE_FP16);                                                      \
    PROFILE(chip##_int16_fp32, text "-int16-fp32", 32767, FLOAT_TYPE_FP32)

FOUR_PROFILES(mlu220, "mlu220");
FOUR_PROFILES(mlu270, "mlu270");
