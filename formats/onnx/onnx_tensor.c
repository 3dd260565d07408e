/* onnx_tensor.c — constants of the file: raw, typed or external payloads, decoded to float32 or int64.
 *
 * Little-endian machines only: protobuf-c's typed arrays are in the machine's order, raw data is little-endian.
 */
#include "formats/onnx/onnx_import.h"

#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensor data is little-endian");

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

/* The typed array of TensorProto that carries an element type where raw_data is not used. */
enum array { ARRAY_FLOAT, ARRAY_DOUBLE, ARRAY_INT32, ARRAY_INT64, ARRAY_UINT64, ARRAY_NONE };
enum coding { CODING_FLOAT, CODING_DOUBLE, CODING_HALF, CODING_BFLOAT, CODING_SIGNED, CODING_UNSIGNED };

static const struct element_type {
    const char *name; /* NULL: we do not know this type */
    size_t width;     /* bytes in raw_data; 0: no constants of this type */
    enum array array;
    enum coding coding;
} types[] = {
    [TYPE(FLOAT)] = {"float32", 4, ARRAY_FLOAT, CODING_FLOAT},
    [TYPE(UINT8)] = {"uint8", 1, ARRAY_INT32, CODING_UNSIGNED},
    [TYPE(INT8)] = {"int8", 1, ARRAY_INT32, CODING_SIGNED},
    [TYPE(UINT16)] = {"uint16", 2, ARRAY_INT32, CODING_UNSIGNED},
    [TYPE(INT16)] = {"int16", 2, ARRAY_INT32, CODING_SIGNED},
    [TYPE(INT32)] = {"int32", 4, ARRAY_INT32, CODING_SIGNED},
    [TYPE(INT64)] = {"int64", 8, ARRAY_INT64, CODING_SIGNED},
    [TYPE(STRING)] = {"string", 0, ARRAY_NONE, CODING_SIGNED},
    [TYPE(BOOL)] = {"bool", 1, ARRAY_INT32, CODING_UNSIGNED},
    [TYPE(FLOAT16)] = {"float16", 2, ARRAY_INT32, CODING_HALF},
    [TYPE(DOUBLE)] = {"float64", 8, ARRAY_DOUBLE, CODING_DOUBLE},
    [TYPE(UINT32)] = {"uint32", 4, ARRAY_UINT64, CODING_UNSIGNED},
    [TYPE(UINT64)] = {"uint64", 8, ARRAY_UINT64, CODING_UNSIGNED},
    [TYPE(COMPLEX64)] = {"complex64", 0, ARRAY_NONE, CODING_FLOAT},
    [TYPE(COMPLEX128)] = {"complex128", 0, ARRAY_NONE, CODING_DOUBLE},
    [TYPE(BFLOAT16)] = {"bfloat16", 2, ARRAY_INT32, CODING_BFLOAT},
};

static const struct element_type *find_type(int64_t data_type)
{
    size_t n = sizeof types / sizeof *types;

    return data_type > 0 && data_type < (int64_t)n && types[data_type].name != NULL ? &types[data_type] : NULL;
}

const char *onnx_dtype_name(int64_t data_type)
{
    const struct element_type *type = find_type(data_type);

    return type == NULL ? "a type newer than this importer" : type->name;
}

int onnx_dtype(int64_t data_type, enum dtype *out, struct error *err)
{
    const struct element_type *type = find_type(data_type);

    if (type == NULL || type->width == 0)
        return error_set(err, EX_UNAVAILABLE, "element type %lld (%s) is not supported", (long long)data_type,
                         onnx_dtype_name(data_type));
    *out = type->coding == CODING_SIGNED || type->coding == CODING_UNSIGNED ? DTYPE_INT64 : DTYPE_FLOAT32;
    return 0;
}

/* Where the elements lie: element i is the low `width` bytes at base + i * stride. */
struct payload {
    const uint8_t *base;
    size_t n, stride;
};

static int raw_payload(const uint8_t *data, size_t size, size_t width, struct payload *out, struct error *err)
{
    if (size % width != 0)
        return error_set(err, EX_DATAERR, "its data of %zu bytes is no multiple of the element size %zu", size, width);
    *out = (struct payload){data, size / width, width};
    return 0;
}

static struct payload typed_payload(const Onnx__TensorProto *proto, enum array array)
{
    switch (array) {
    case ARRAY_FLOAT:
        return (struct payload){(const uint8_t *)proto->float_data, proto->n_float_data, sizeof(float)};
    case ARRAY_DOUBLE:
        return (struct payload){(const uint8_t *)proto->double_data, proto->n_double_data, sizeof(double)};
    case ARRAY_INT32:
        return (struct payload){(const uint8_t *)proto->int32_data, proto->n_int32_data, sizeof(int32_t)};
    case ARRAY_INT64:
        return (struct payload){(const uint8_t *)proto->int64_data, proto->n_int64_data, sizeof(int64_t)};
    case ARRAY_UINT64:
        return (struct payload){(const uint8_t *)proto->uint64_data, proto->n_uint64_data, sizeof(uint64_t)};
    case ARRAY_NONE:
        break;
    }
    return (struct payload){0};
}

static int find_payload(struct onnx_import *in, const Onnx__TensorProto *proto, const struct element_type *type,
                        struct payload *out, struct error *err)
{
    const uint8_t *data;
    size_t size;

    if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return onnx_external_find(in, proto, &data, &size, err) != 0 ? -1
                                                                     : raw_payload(data, size, type->width, out, err);
    if (proto->has_raw_data)
        return raw_payload(proto->raw_data.data, proto->raw_data.len, type->width, out, err);
    *out = typed_payload(proto, type->array);
    return 0;
}

static int read_shape(const Onnx__TensorProto *proto, struct shape *out, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (proto->n_dims > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d axes, found %zu", TENSOR_MAX_RANK, proto->n_dims);
    *out = (struct shape){.rank = proto->n_dims};
    for (size_t i = 0; i < proto->n_dims; i++)
        out->dims[i] = proto->dims[i];
    if (shape_elements(out) < 0)
        return error_set(err, EX_DATAERR, "shape %s is negative or has more than 2^31 elements", shape_text(out, text));
    return 0;
}

/* IEEE binary16 to binary32; exact. */
static float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023, bits;
    float result;

    if (exponent == 0) { /* zero or subnormal: fraction times 2^-24 */
        result = (float)fraction * 0x1p-24f;
        memcpy(&bits, &result, sizeof bits);
    } else {
        bits = (exponent == 31 ? UINT32_C(255) : exponent + 112) << 23 | fraction << 13;
    }
    bits |= sign;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static float read_real(const uint8_t *at, enum coding coding)
{
    uint32_t bits;
    uint16_t half;
    double wide;
    float real;

    switch (coding) {
    case CODING_DOUBLE:
        memcpy(&wide, at, sizeof wide);
        return (float)wide;
    case CODING_HALF:
        memcpy(&half, at, sizeof half);
        return half_to_float(half);
    case CODING_BFLOAT:
        memcpy(&half, at, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&real, &bits, sizeof real);
        return real;
    default:
        memcpy(&real, at, sizeof real);
        return real;
    }
}

static int64_t read_integer(const uint8_t *at, size_t width, enum coding coding)
{
    uint64_t bits = 0, sign = UINT64_C(1) << (8 * width - 1);

    memcpy(&bits, at, width);
    return (int64_t)(coding == CODING_SIGNED ? (bits ^ sign) - sign : bits);
}

static void decode(const struct payload *payload, const struct element_type *type, enum dtype dtype, void *to)
{
    if (type->coding == CODING_FLOAT && payload->n > 0) { /* nearly all bytes of nearly all models */
        memcpy(to, payload->base, payload->n * sizeof(float));
        return;
    }
    for (size_t i = 0; i < payload->n; i++) {
        const uint8_t *at = payload->base + i * payload->stride;

        if (dtype == DTYPE_FLOAT32)
            ((float *)to)[i] = read_real(at, type->coding);
        else
            ((int64_t *)to)[i] = read_integer(at, type->width, type->coding);
    }
}

/* Finite numbers of float64 may be beyond float32, where everything is computed. */
static int check_range(const struct payload *payload, const struct element_type *type, struct error *err)
{
    double wide;

    for (size_t i = 0; i < payload->n && type->coding == CODING_DOUBLE; i++) {
        memcpy(&wide, payload->base + i * payload->stride, sizeof wide);
        if (fabs(wide) > (double)FLT_MAX && !isinf(wide))
            return error_set(err, EX_UNAVAILABLE, "element %zu, %g, lies beyond float32", i, wide);
    }
    return 0;
}

/* Memory for what is decoded, within the budget of the files it comes from. */
static void *create_data(struct onnx_import *in, size_t n, enum dtype dtype, struct error *err)
{
    size_t bytes = n * dtype_size(dtype); /* n is the length of an array in memory or in a file */

    if (bytes > in->decoded_limit - in->decoded_bytes) {
        error_set(err, EX_DATAERR,
                  "the constants of the model take more than %zu bytes, 64 times the size of its files",
                  in->decoded_limit);
        return NULL;
    }
    in->decoded_bytes += bytes;
    return arena_create_array(in->graph->arena, n, dtype_size(dtype), err);
}

int onnx_tensor_read(struct onnx_import *in, const Onnx__TensorProto *proto, struct tensor *out, struct error *err)
{
    struct tensor tensor = {0};
    struct payload payload = {0};
    char text[SHAPE_TEXT_BYTES];
    const struct element_type *type;
    void *data;

    if (onnx_dtype(proto->data_type, &tensor.dtype, err) != 0 || read_shape(proto, &tensor.shape, err) != 0)
        return -1;
    if (proto->segment != NULL)
        return error_set(err, EX_UNAVAILABLE, "tensors in segments are not supported");
    type = find_type(proto->data_type);
    if (find_payload(in, proto, type, &payload, err) != 0)
        return -1;
    if ((size_t)shape_elements(&tensor.shape) != payload.n)
        return error_set(err, EX_DATAERR, "shape %s needs %lld elements of %s, the file holds %zu",
                         shape_text(&tensor.shape, text), (long long)shape_elements(&tensor.shape), type->name,
                         payload.n);
    /* Where nothing is to be converted, aligned bytes of an external file stay there: they may be gigabytes. */
    if (type->coding == CODING_FLOAT && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL &&
        (uintptr_t)payload.base % sizeof(float) == 0) {
        tensor.data = payload.base;
    } else {
        data = create_data(in, payload.n, tensor.dtype, err);
        if (data == NULL || check_range(&payload, type, err) != 0)
            return -1;
        decode(&payload, type, tensor.dtype, data);
        bytes_forget(in->file, payload.base, payload.n * payload.stride);
        tensor.data = data;
    }
    *out = tensor;
    return 0;
}
