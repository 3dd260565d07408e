/* tnn.h — facts of Tencent TNN's two model files that reader and writer share.
 *
 * Source: Tencent TNN, commit f0cb08129a05:
 * source/tnn/interpreter/tnn/{objseri.h,model_interpreter.cc,model_packer.cc}, include/tnn/core/common.h,
 * source/tnn/interpreter/layer_param.h.
 */
#ifndef ETALON_TNN_H
#define ETALON_TNN_H

#include <stdint.h>

#define TNN_MAGIC_V1 UINT32_C(0xFABC0002) /* decimal text in the proto, four bytes in the model and in every buffer */
#define TNN_MAGIC_V2 UINT32_C(0xFABC0004)

enum {
    TNN_RECORD_BYTES = 4095,   /* TNN silently cuts a longer record of the proto */
    TNN_MAX_RESOURCES = 10000, /* TNN refuses more */
    TNN_CODES = 127,           /* on one side: scale = threshold / 127 */
};

/* Data types in files. */
enum tnn_dtype {
    TNN_FLOAT32 = 0,
    TNN_FLOAT16 = 1,
    TNN_INT8 = 2,
    TNN_INT32 = 3,
    TNN_BFLOAT16 = 4,
    TNN_INT64 = 5,
    TNN_UINT32 = 6,
};

/* What a convolution's last parameter says. */
enum tnn_fused { TNN_FUSED_NONE = 0, TNN_FUSED_RELU = 1, TNN_FUSED_RELU6 = 2, TNN_FUSED_SILU = 256 };

enum tnn_pad_type { TNN_PAD_EXPLICIT = -1, TNN_PAD_SAME = 0, TNN_PAD_VALID = 1 };

#define TNN_QUANTIZED    "Quantized"             /* prefix of an int8 layer's type */
#define TNN_DYNAMIC      "DynamicRangeQuantized" /* weights are int8, the layer computes in float */
#define TNN_SCALE_SUFFIX "_scale_data_"          /* <blob>_scale_data_: the resource with a blob's scale */

#endif
