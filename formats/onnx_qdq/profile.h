/* profile.h — the arithmetic of ONNX files in QDQ form, as ONNX Runtime runs them on CPUs.
 *
 * Sources: the operator definitions of QuantizeLinear and DequantizeLinear (opsets 13 and 21), ONNX Runtime's
 * quantization guide, and measurements with ONNX Runtime 1.31 (AVX-512 VNNI, default optimisation), noted at each field
 * in profile.c.
 */
#ifndef ETALON_ONNX_QDQ_PROFILE_H
#define ETALON_ONNX_QDQ_PROFILE_H

#include "common/plan.h"

extern const struct profile onnx_qdq_profile;

/* What computes on codes and what moves them, in the forms below. */
#define ONNX_QDQ_MOVES                                                                                                 \
    .concat_shares_scale = true,                                                                                       \
    .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE | 1u << OP_BINARY | 1u << OP_POOL | 1u << OP_CONCAT,               \
    .transparent_ops = 1u << OP_POOL | 1u << OP_RESHAPE | 1u << OP_TRANSPOSE | 1u << OP_SLICE | 1u << OP_PAD |         \
                       1u << OP_RESIZE | 1u << OP_IDENTITY

/* The fields of a symmetric form: zero points are 0, biases stay floats, and the file means what its operators say,
 * dequantize, compute, quantize. What NVIDIA TensorRT takes (source: its guide to explicit quantization), and a safe
 * choice for tools of which nothing is known. Q and DQ stand in front of layers with weights and of both operands of an
 * Add; what only moves data keeps its scale, and so do operands of a Concat. */
#define ONNX_QDQ_SYMMETRIC                                                                                             \
    .signed_codes = {-128, 127, 0}, .unsigned_codes = {-128, 127, 0}, .signed_steps = 127, .unsigned_steps = 127,      \
    .activation_rounding = ROUND_HALF_EVEN, .weight_limit = 127, .per_channel_weights = true, .integer_bias = false,   \
    .requantization = REQUANTIZE_DEQUANTIZED, ONNX_QDQ_MOVES

extern const struct profile onnx_qdq_tensorrt_profile;

/* Activations of 16 bits, with weights of 8 and int32 biases, or with weights of 16 and float biases: a product of two
 * 16-bit steps is too small a unit for a bias in int32. */
extern const struct profile onnx_qdq_int16_profile, onnx_qdq_int16_weights_profile;

#endif
