/* profile.h — the arithmetic of ONNX files in QDQ form, as ONNX Runtime runs them on CPUs.
 *
 * Sources: the operator definitions of QuantizeLinear and DequantizeLinear (opset 13), ONNX Runtime's quantization
 * guide, and measurements with ONNX Runtime 1.31 (AVX-512 VNNI, default optimisation), noted at each field in
 * profile.c.
 */
#ifndef ETALON_ONNX_QDQ_PROFILE_H
#define ETALON_ONNX_QDQ_PROFILE_H

#include "common/plan.h"

extern const struct profile onnx_qdq_profile;

/* What NVIDIA TensorRT takes: symmetric int8 both ways, biases in float. Source: its guide to explicit quantization.
 * Files of this form are general: codes are dequantized, computed with and quantized as the operators say. */
extern const struct profile onnx_qdq_tensorrt_profile;

#endif
