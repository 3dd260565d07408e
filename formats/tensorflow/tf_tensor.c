/* tf_tensor.c — constants of the file, decoded to float32 or int64.
 *
 * The elements are raw bytes, or a list for their type. A list that is too short repeats its last element, and an empty
 * one means zeros: so a few bytes may stand for a large tensor, and a budget says how large. Little-endian machines
 * only.
 */
#include "formats/tensorflow/tf_import.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensor data is little-endian");

enum coding { CODING_NONE, CODING_FLOAT, CODING_DOUBLE, CODING_HALF, CODING_BFLOAT, CODING_SIGNED, CODING_UNSIGNED };
enum list { LIST_NONE, LIST_FLOAT, LIST_DOUBLE, LIST_INT, LIST_INT64, LIST_BOOL, LIST_HALF, LIST_UINT32, LIST_UINT64 };

/* By number of DataType. */
static const struct element_type {
    const char *name; /* NULL: we do not know this type */
    size_t width;     /* bytes an element of tensor_content */
    enum coding coding;
    enum list list;
} types[] = {
    [1] = {"float32", 4, CODING_FLOAT, LIST_FLOAT},     [2] = {"float64", 8, CODING_DOUBLE, LIST_DOUBLE},
    [3] = {"int32", 4, CODING_SIGNED, LIST_INT},        [4] = {"uint8", 1, CODING_UNSIGNED, LIST_INT},
    [5] = {"int16", 2, CODING_SIGNED, LIST_INT},        [6] = {"int8", 1, CODING_SIGNED, LIST_INT},
    [7] = {"string", 0, CODING_NONE, LIST_NONE},        [8] = {"complex64", 0, CODING_NONE, LIST_NONE},
    [9] = {"int64", 8, CODING_SIGNED, LIST_INT64},      [10] = {"bool", 1, CODING_UNSIGNED, LIST_BOOL},
    [11] = {"qint8", 0, CODING_NONE, LIST_NONE},        [12] = {"quint8", 0, CODING_NONE, LIST_NONE},
    [13] = {"qint32", 0, CODING_NONE, LIST_NONE},       [14] = {"bfloat16", 2, CODING_BFLOAT, LIST_HALF},
    [15] = {"qint16", 0, CODING_NONE, LIST_NONE},       [16] = {"quint16", 0, CODING_NONE, LIST_NONE},
    [17] = {"uint16", 2, CODING_UNSIGNED, LIST_INT},    [18] = {"complex128", 0, CODING_NONE, LIST_NONE},
    [19] = {"float16", 2, CODING_HALF, LIST_HALF},      [20] = {"resource", 0, CODING_NONE, LIST_NONE},
    [21] = {"variant", 0, CODING_NONE, LIST_NONE},      [22] = {"uint32", 4, CODING_UNSIGNED, LIST_UINT32},
    [23] = {"uint64", 8, CODING_UNSIGNED, LIST_UINT64},
};

enum { REFERENCE = 100 }; /* added to a type where the graph held a variable */

static const struct element_type *find_type(int32_t type)
{
    int32_t plain = type > REFERENCE ? type - REFERENCE : type;

    return plain > 0 && plain < (int32_t)(sizeof types / sizeof *types) && types[plain].name != NULL ? &types[plain]
                                                                                                     : NULL;
}

const char *tf_dtype_name(int32_t type)
{
    const struct element_type *found = find_type(type);

    return found == NULL ? "a type newer than this importer" : found->name;
}

int tf_dtype(int32_t type, enum dtype *out, struct error *err)
{
    const struct element_type *found = find_type(type);

    if (found == NULL || found->coding == CODING_NONE)
        return error_set(err, EX_UNAVAILABLE, "element type %d (%s) is not supported", (int)type, tf_dtype_name(type));
    *out = found->coding == CODING_SIGNED || found->coding == CODING_UNSIGNED ? DTYPE_INT64 : DTYPE_FLOAT32;
    return 0;
}

/* Where the elements lie: element i is the low `width` bytes at base + i * stride; from n on, the last one. */
struct payload {
    const void *base;
    size_t n, stride;
};

static struct payload list_payload(const Tensorflow__TensorProto *proto, enum list list)
{
    switch (list) {
    case LIST_FLOAT:
        return (struct payload){proto->float_val, proto->n_float_val, sizeof *proto->float_val};
    case LIST_DOUBLE:
        return (struct payload){proto->double_val, proto->n_double_val, sizeof *proto->double_val};
    case LIST_INT:
        return (struct payload){proto->int_val, proto->n_int_val, sizeof *proto->int_val};
    case LIST_INT64:
        return (struct payload){proto->int64_val, proto->n_int64_val, sizeof *proto->int64_val};
    case LIST_BOOL:
        return (struct payload){proto->bool_val, proto->n_bool_val, sizeof *proto->bool_val};
    case LIST_HALF:
        return (struct payload){proto->half_val, proto->n_half_val, sizeof *proto->half_val};
    case LIST_UINT32:
        return (struct payload){proto->uint32_val, proto->n_uint32_val, sizeof *proto->uint32_val};
    case LIST_UINT64:
        return (struct payload){proto->uint64_val, proto->n_uint64_val, sizeof *proto->uint64_val};
    case LIST_NONE:
        break;
    }
    return (struct payload){0};
}

static int find_payload(const Tensorflow__TensorProto *proto, const struct element_type *type, size_t elements,
                        struct payload *out, struct error *err)
{
    size_t size = proto->has_tensor_content ? proto->tensor_content.len : 0;

    if (size == 0) {
        *out = list_payload(proto, type->list);
        return 0;
    }
    if (size % type->width != 0 || size / type->width != elements)
        return error_set(err, EX_DATAERR, "its shape has %zu elements of %s, but its content is %zu bytes long",
                         elements, type->name, size);
    *out = (struct payload){proto->tensor_content.data, elements, type->width};
    return 0;
}

static int read_shape(const Tensorflow__TensorShapeProto *proto, struct shape *out, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    *out = (struct shape){0};
    if (proto == NULL)
        return 0;
    if (proto->n_dim > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d axes, found %zu", TENSOR_MAX_RANK, proto->n_dim);
    out->rank = proto->n_dim;
    for (size_t i = 0; i < proto->n_dim; i++)
        out->dims[i] = proto->dim[i]->size;
    if (shape_elements(out) < 0)
        return error_set(err, EX_DATAERR, "shape %s is negative or has more than 2^31 elements", shape_text(out, text));
    return 0;
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
        return (float)tensor_real(&(struct tensor){DTYPE_FLOAT16, {0}, &half}, 0);
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

static void decode(const struct payload *payload, const struct element_type *type, enum dtype dtype, size_t elements,
                   void *to)
{
    for (size_t i = 0; i < elements && payload->n > 0; i++) { /* `to` is zero already */
        const uint8_t *at = (const uint8_t *)payload->base + (i < payload->n ? i : payload->n - 1) * payload->stride;

        if (dtype == DTYPE_FLOAT32)
            ((float *)to)[i] = read_real(at, type->coding);
        else
            ((int64_t *)to)[i] = read_integer(at, type->width, type->coding);
    }
}

/* Memory for what is decoded, within the budget of the file. */
static void *create_data(struct tf_import *in, size_t n, enum dtype dtype, struct error *err)
{
    size_t bytes = n * dtype_size(dtype); /* n is at most 2^31 */

    if (bytes > in->decoded_limit - in->decoded_bytes) {
        error_set(err, EX_DATAERR, "the constants of the model take more than %zu bytes, 64 times the size of its file",
                  in->decoded_limit);
        return NULL;
    }
    in->decoded_bytes += bytes;
    return arena_create_array(in->graph->arena, n, dtype_size(dtype), err);
}

int tf_tensor_read(struct tf_import *in, const Tensorflow__TensorProto *proto, struct tensor *out, struct error *err)
{
    const struct element_type *type = find_type(proto->dtype);
    struct tensor tensor = {0};
    struct payload payload = {0};
    size_t elements;
    void *data;

    if (tf_dtype(proto->dtype, &tensor.dtype, err) != 0 || read_shape(proto->tensor_shape, &tensor.shape, err) != 0)
        return -1;
    elements = (size_t)shape_elements(&tensor.shape);
    if (find_payload(proto, type, elements, &payload, err) != 0)
        return -1;
    data = create_data(in, elements, tensor.dtype, err);
    if (data == NULL)
        return -1;
    decode(&payload, type, tensor.dtype, elements, data);
    bytes_forget(in->file, payload.base, payload.n * payload.stride);
    tensor.data = data;
    *out = tensor;
    return 0;
}
