/* onnx_tensor.c — constants of the file: raw, typed or external payloads, decoded to float32 or int64. */
#include "formats/onnx/onnx_import.h"

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

/* The typed array of TensorProto that carries an element type where raw_data is not used. */
enum array { ARRAY_FLOAT, ARRAY_DOUBLE, ARRAY_INT32, ARRAY_INT64, ARRAY_UINT64, ARRAY_NONE };

static const struct file_type {
    const char *name; /* NULL: we do not know this type; of element_type.h, where we have constants of it */
    enum array array;
} types[] = {
    [TYPE(FLOAT)] = {"float32", ARRAY_FLOAT},
    [TYPE(UINT8)] = {"uint8", ARRAY_INT32},
    [TYPE(INT8)] = {"int8", ARRAY_INT32},
    [TYPE(UINT16)] = {"uint16", ARRAY_INT32},
    [TYPE(INT16)] = {"int16", ARRAY_INT32},
    [TYPE(INT32)] = {"int32", ARRAY_INT32},
    [TYPE(INT64)] = {"int64", ARRAY_INT64},
    [TYPE(STRING)] = {"string", ARRAY_NONE},
    [TYPE(BOOL)] = {"bool", ARRAY_INT32},
    [TYPE(FLOAT16)] = {"float16", ARRAY_INT32},
    [TYPE(DOUBLE)] = {"float64", ARRAY_DOUBLE},
    [TYPE(UINT32)] = {"uint32", ARRAY_UINT64},
    [TYPE(UINT64)] = {"uint64", ARRAY_UINT64},
    [TYPE(COMPLEX64)] = {"complex64", ARRAY_NONE},
    [TYPE(COMPLEX128)] = {"complex128", ARRAY_NONE},
    [TYPE(BFLOAT16)] = {"bfloat16", ARRAY_INT32},
};

static const struct file_type *find_type(int64_t data_type)
{
    size_t n = sizeof types / sizeof *types;

    return data_type > 0 && data_type < (int64_t)n && types[data_type].name != NULL ? &types[data_type] : NULL;
}

const char *onnx_dtype_name(int64_t data_type)
{
    const struct file_type *type = find_type(data_type);

    return type == NULL ? "a type newer than this importer" : type->name;
}

/* NULL: EX_UNAVAILABLE naming it. */
static const struct element_type *find_elements(int64_t data_type, struct error *err)
{
    const struct element_type *type = element_type_named(onnx_dtype_name(data_type));

    if (type == NULL)
        error_set(err, EX_UNAVAILABLE, "element type %lld (%s) is not supported", (long long)data_type,
                  onnx_dtype_name(data_type));
    return type;
}

int onnx_dtype(int64_t data_type, enum dtype *out, struct error *err)
{
    const struct element_type *type = find_elements(data_type, err);

    if (type == NULL)
        return -1;
    *out = element_type_decoded(type);
    return 0;
}

static int raw_payload(const uint8_t *data, size_t size, size_t width, struct element_run *out, struct error *err)
{
    if (size % width != 0)
        return error_set(err, EX_DATAERR, "its data of %zu bytes is no multiple of the element size %zu", size, width);
    *out = (struct element_run){data, size / width, width};
    return 0;
}

static struct element_run typed_payload(const Onnx__TensorProto *proto, enum array array)
{
    switch (array) {
    case ARRAY_FLOAT:
        return (struct element_run){proto->float_data, proto->n_float_data, sizeof(float)};
    case ARRAY_DOUBLE:
        return (struct element_run){proto->double_data, proto->n_double_data, sizeof(double)};
    case ARRAY_INT32:
        return (struct element_run){proto->int32_data, proto->n_int32_data, sizeof(int32_t)};
    case ARRAY_INT64:
        return (struct element_run){proto->int64_data, proto->n_int64_data, sizeof(int64_t)};
    case ARRAY_UINT64:
        return (struct element_run){proto->uint64_data, proto->n_uint64_data, sizeof(uint64_t)};
    case ARRAY_NONE:
        break;
    }
    return (struct element_run){0};
}

static int find_payload(struct onnx_import *in, const Onnx__TensorProto *proto, const struct element_type *type,
                        struct element_run *out, struct error *err)
{
    const uint8_t *data;
    size_t size;

    if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return onnx_external_find(in, proto, &data, &size, err) != 0 ? -1
                                                                     : raw_payload(data, size, type->size, out, err);
    if (proto->has_raw_data)
        return raw_payload(proto->raw_data.data, proto->raw_data.len, type->size, out, err);
    *out = typed_payload(proto, find_type(proto->data_type)->array);
    return 0;
}

/* Where nothing is to be converted, aligned bytes of an external file stay there: they may be gigabytes. */
static bool is_usable_in_place(const Onnx__TensorProto *proto, const struct element_type *type,
                               const struct element_run *payload)
{
    return proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL && type->coding == ELEMENT_FLOAT &&
           type->size == sizeof(float) && (uintptr_t)payload->base % sizeof(float) == 0;
}

int onnx_tensor_read(struct onnx_import *in, const Onnx__TensorProto *proto, struct tensor *out, struct error *err)
{
    const struct element_type *type = find_elements(proto->data_type, err);
    struct tensor tensor = {0};
    struct element_run payload = {0};
    char text[SHAPE_TEXT_BYTES];
    void *data;

    if (type == NULL || import_shape(proto->dims, proto->n_dims, &tensor.shape, err) != 0)
        return -1;
    tensor.dtype = element_type_decoded(type);
    if (proto->segment != NULL)
        return error_set(err, EX_UNAVAILABLE, "tensors in segments are not supported");
    if (find_payload(in, proto, type, &payload, err) != 0)
        return -1;
    if ((size_t)shape_elements(&tensor.shape) != payload.n)
        return error_set(err, EX_DATAERR, "shape %s needs %lld elements of %s, the file holds %zu",
                         shape_text(&tensor.shape, text), (long long)shape_elements(&tensor.shape), type->name,
                         payload.n);
    if (is_usable_in_place(proto, type, &payload)) {
        tensor.data = payload.base;
    } else {
        data = import_create_data(in->graph, &in->budget, payload.n, tensor.dtype, err);
        if (data == NULL || elements_decode(type, &payload, data, err) != 0)
            return -1;
        bytes_forget(in->file, payload.base, payload.n * payload.stride);
        tensor.data = data;
    }
    *out = tensor;
    return 0;
}
