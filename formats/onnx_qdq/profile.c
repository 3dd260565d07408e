/* profile.c — see profile.h. */
#include "formats/onnx_qdq/profile.h"

const struct profile onnx_qdq_profile = {
    .name = "onnx-qdq",
    /* uint8 always, and any zero point. A value that is never negative has all 255 steps; a signed one whose zero stays
     * in the middle is symmetric around 128, so code 0 is -128 / 127 of its threshold. */
    .signed_codes = {.lo = 0, .hi = 255, .zero_point = 128},
    .unsigned_codes = {.lo = 0, .hi = 255, .zero_point = 0},
    .signed_steps = 127,
    .unsigned_steps = 255,
    .affine_activations = true,
    .activation_rounding = ROUND_HALF_EVEN, /* QuantizeLinear's definition */
    /* int8, symmetric: code -128 is not used (the runtime's own tool does the same). */
    .weight_limit = 127,
    .per_channel_weights = true,
    /* A float bias keeps the runtime from fusing: int32 codes of step input scale x weight scale. */
    .integer_bias = true,
    .bias_rounding = ROUND_HALF_EVEN,
    /* As the file is defined, a node is dequantize, float, quantize: round((acc * acc_scale) / out_scale). As the
     * runtime fuses it, it is round(acc * (acc_scale / out_scale)). Measured: the latter agrees with a fused Conv in
     * all of 16,777,216 codes and with a fused Gemm in all of 5,120,000; the former differs by one code in 10 and in 2
     * of them. We simulate what runs. */
    .requantization = REQUANTIZE_RATIO,
    .adds_by_ratios = true,
    .average_pool_truncates = false,
    /* What the runtime fuses into integer kernels of its own: QLinearConv, QGemm, QLinearAdd, QLinearMul,
     * QLinear(Global)AveragePool, QLinearConcat. (Sub, Div, Max, Min run in float between the same codes.) It has no
     * integer ConvTranspose or PRelu: quantizing their weights would cost accuracy for nothing. */
    .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE | 1u << OP_BINARY | 1u << OP_POOL | 1u << OP_CONCAT,
    /* Where input and output have one scale the runtime drops the pairs around these and moves bytes (Pad excepted,
     * which it runs in float, with the same result). POOL is in both lists: max pools move codes, average pools
     * compute. */
    .transparent_ops = 1u << OP_POOL | 1u << OP_RESHAPE | 1u << OP_TRANSPOSE | 1u << OP_SLICE | 1u << OP_PAD |
                       1u << OP_RESIZE | 1u << OP_IDENTITY,
    .average_pool_is_transparent = false,
    .activation_is_transparent = false, /* the output of a free-standing ReLU earns its own, unsigned scale */
    .concat_shares_scale = false,       /* QLinearConcat requantizes by table */
};

const struct profile onnx_qdq_tensorrt_profile = {.name = "onnx-qdq", ONNX_QDQ_SYMMETRIC};

/* ONNX Runtime has no integer kernels for 16 bits: it computes what the operators say, in float. The sums below are
 * exact and so differ from its float sums in the last bits, which is now and then the next code of 65,536. */
#define INT16_ACTIVATIONS                                                                                              \
    .name = "onnx-qdq-int16", .signed_codes = {-32768, 32767, 0}, .unsigned_codes = {-32768, 32767, 0},                \
    .signed_steps = 32767, .unsigned_steps = 32767, .activation_rounding = ROUND_HALF_EVEN,                            \
    .per_channel_weights = true, .requantization = REQUANTIZE_DEQUANTIZED, ONNX_QDQ_MOVES

const struct profile onnx_qdq_int16_profile = {INT16_ACTIVATIONS, .weight_limit = 127, .integer_bias = true,
                                               .bias_rounding = ROUND_HALF_EVEN};
const struct profile onnx_qdq_int16_weights_profile = {INT16_ACTIVATIONS, .weight_limit = 32767};
