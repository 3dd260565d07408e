/* tf_tensor.c — constants of the file, decoded to float32 or int64.
 *
 * The elements are raw bytes, or a list for their type. A list that is too short repeats its last element, and an empty
 * one means zeros: so a few bytes may stand for a large tensor, and a budget says how large.
 */
#include "formats/tensorflow/tf_import.h"

#include <string.h>

enum list { LIST_NONE, LIST_FLOAT, LIST_DOUBLE, LIST_INT, LIST_INT64, LIST_BOOL, LIST_HALF, LIST_UINT32, LIST_UINT64 };

/* By number of DataType. */
static const struct file_type {
    const char *name; /* NULL: we do not know this type; of element_type.h, where we have constants of it */
    enum list list;
} types[] = {
    [1] = {"float32", LIST_FLOAT},  [2] = {"float64", LIST_DOUBLE}, [3] = {"int32", LIST_INT},
    [4] = {"uint8", LIST_INT},      [5] = {"int16", LIST_INT},      [6] = {"int8", LIST_INT},
    [7] = {"string", LIST_NONE},    [8] = {"complex64", LIST_NONE}, [9] = {"int64", LIST_INT64},
    [10] = {"bool", LIST_BOOL},     [11] = {"qint8", LIST_NONE},    [12] = {"quint8", LIST_NONE},
    [13] = {"qint32", LIST_NONE},   [14] = {"bfloat16", LIST_HALF}, [15] = {"qint16", LIST_NONE},
    [16] = {"quint16", LIST_NONE},  [17] = {"uint16", LIST_INT},    [18] = {"complex128", LIST_NONE},
    [19] = {"float16", LIST_HALF},  [20] = {"resource", LIST_NONE}, [21] = {"variant", LIST_NONE},
    [22] = {"uint32", LIST_UINT32}, [23] = {"uint64", LIST_UINT64},
};

enum { REFERENCE = 100 }; /* added to a type where the graph held a variable */

static const struct file_type *find_type(int32_t type)
{
    int32_t plain = type > REFERENCE ? type - REFERENCE : type;

    return plain > 0 && plain < (int32_t)(sizeof types / sizeof *types) && types[plain].name != NULL ? &types[plain]
                                                                                                     : NULL;
}

const char *tf_dtype_name(int32_t type)
{
    const struct file_type *found = find_type(type);

    return found == NULL ? "a type newer than this importer" : found->name;
}

/* NULL: EX_UNAVAILABLE naming it. */
static const struct element_type *find_elements(int32_t type, struct error *err)
{
    const struct element_type *found = element_type_named(tf_dtype_name(type));

    if (found == NULL)
        error_set(err, EX_UNAVAILABLE, "element type %d (%s) is not supported", (int)type, tf_dtype_name(type));
    return found;
}

int tf_dtype(int32_t type, enum dtype *out, struct error *err)
{
    const struct element_type *found = find_elements(type, err);

    if (found == NULL)
        return -1;
    *out = element_type_decoded(found);
    return 0;
}

static struct element_run list_payload(const Tensorflow__TensorProto *proto, enum list list)
{
    switch (list) {
    case LIST_FLOAT:
        return (struct element_run){proto->float_val, proto->n_float_val, sizeof *proto->float_val};
    case LIST_DOUBLE:
        return (struct element_run){proto->double_val, proto->n_double_val, sizeof *proto->double_val};
    case LIST_INT:
        return (struct element_run){proto->int_val, proto->n_int_val, sizeof *proto->int_val};
    case LIST_INT64:
        return (struct element_run){proto->int64_val, proto->n_int64_val, sizeof *proto->int64_val};
    case LIST_BOOL:
        return (struct element_run){proto->bool_val, proto->n_bool_val, sizeof *proto->bool_val};
    case LIST_HALF:
        return (struct element_run){proto->half_val, proto->n_half_val, sizeof *proto->half_val};
    case LIST_UINT32:
        return (struct element_run){proto->uint32_val, proto->n_uint32_val, sizeof *proto->uint32_val};
    case LIST_UINT64:
        return (struct element_run){proto->uint64_val, proto->n_uint64_val, sizeof *proto->uint64_val};
    case LIST_NONE:
        break;
    }
    return (struct element_run){0};
}

static int find_payload(const Tensorflow__TensorProto *proto, const struct element_type *type, size_t elements,
                        struct element_run *out, struct error *err)
{
    size_t size = proto->has_tensor_content ? proto->tensor_content.len : 0;

    if (size == 0) {
        *out = list_payload(proto, find_type(proto->dtype)->list);
        out->n = out->n < elements ? out->n : elements; /* more than there are: the rest is not read */
        return 0;
    }
    if (size % type->size != 0 || size / type->size != elements)
        return error_set(err, EX_DATAERR, "its shape has %zu elements of %s, but its content is %zu bytes long",
                         elements, type->name, size);
    *out = (struct element_run){proto->tensor_content.data, elements, type->size};
    return 0;
}

static int read_shape(const Tensorflow__TensorShapeProto *proto, struct shape *out, struct error *err)
{
    int64_t dims[TENSOR_MAX_RANK];
    size_t rank = proto == NULL ? 0 : proto->n_dim;

    for (size_t i = 0; i < rank && i < TENSOR_MAX_RANK; i++)
        dims[i] = proto->dim[i]->size;
    return import_shape(dims, rank, out, err);
}

/* Elements that the file leaves out are the last one; `size` is the bytes of one. */
static void repeat_last(void *data, size_t n, size_t elements, size_t size)
{
    uint8_t *bytes = data;

    for (size_t i = n; i < elements && n > 0; i++)
        memcpy(bytes + i * size, bytes + (n - 1) * size, size);
}

int tf_tensor_read(struct tf_import *in, const Tensorflow__TensorProto *proto, struct tensor *out, struct error *err)
{
    const struct element_type *type = find_elements(proto->dtype, err);
    struct tensor tensor = {0};
    struct element_run payload = {0};
    size_t elements;
    void *data;

    if (type == NULL || read_shape(proto->tensor_shape, &tensor.shape, err) != 0)
        return -1;
    tensor.dtype = element_type_decoded(type);
    elements = (size_t)shape_elements(&tensor.shape);
    if (find_payload(proto, type, elements, &payload, err) != 0)
        return -1;
    data = import_create_data(in->graph, &in->budget, elements, tensor.dtype, err);
    if (data == NULL || elements_decode(type, &payload, data, err) != 0)
        return -1;
    repeat_last(data, payload.n, elements, dtype_size(tensor.dtype));
    bytes_forget(in->file, payload.base, payload.n * payload.stride);
    tensor.data = data;
    *out = tensor;
    return 0;
}
