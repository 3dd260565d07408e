/* rebuild.c — which names in a pickle mean something, and tensors out of storages; see read.h. */
#include "formats/torch/read.h"

#include <string.h>

/* ---- Names */

/* Whatever may be called. Nothing is: the row says what the result would be. The second part only appears in what goes
 * along with tensors in checkpoints (the best accuracy so far, as a number of numpy) and in whole modules. */
static const struct {
    const char *module, *name;
    enum torch_role role;
} names[] = {
    {"torch._utils", "_rebuild_tensor", TORCH_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", TORCH_TENSOR},
    {"torch._utils", "_rebuild_parameter", TORCH_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", TORCH_PARAMETER},
    {"torch.nn.parameter", "Parameter", TORCH_PARAMETER},
    {"torch._tensor", "_rebuild_from_type_v2", TORCH_TYPED},
    {"collections", "OrderedDict", TORCH_MAPPING},
    {"collections", "defaultdict", TORCH_MAPPING},
    {"collections", "Counter", TORCH_MAPPING},

    {"torch", "Size", TORCH_PLAIN},
    {"torch", "device", TORCH_PLAIN},
    {"__builtin__", "set", TORCH_PLAIN},
    {"builtins", "set", TORCH_PLAIN},
    {"_codecs", "encode", TORCH_PLAIN},
    {"numpy", "dtype", TORCH_PLAIN},
    {"numpy.core.multiarray", "scalar", TORCH_PLAIN},
    {"numpy._core.multiarray", "scalar", TORCH_PLAIN},
};

enum torch_role torch_role_of(const struct pickle *pickle, int global)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (pickle_is_global(pickle, global, names[i].module, names[i].name))
            return names[i].role;
    return TORCH_UNKNOWN;
}

bool torch_may_call(const struct pickle *pickle, int global)
{
    return torch_role_of(pickle, global) != TORCH_UNKNOWN;
}

/* ---- Tensors */

/* A tensor as a view of a storage; strides count elements. */
struct layout {
    struct shape shape;
    int64_t strides[TENSOR_MAX_RANK];
    uint64_t offset; /* of the first element, within the whole storage */
};

/* A tuple of at most TENSOR_MAX_RANK numbers, none negative. */
static int read_extents(const struct pickle *pickle, int tuple, const char *what, int64_t *out, size_t *n,
                        struct error *err)
{
    int cell = pickle_first(pickle, tuple), item;

    if (pickle_as(pickle, tuple, PICKLE_TUPLE) == NULL)
        return error_set(err, EX_DATAERR, "its %s are no tuple", what);
    for (*n = 0; pickle_next(pickle, &cell, &item); (*n)++) {
        const struct pickle_value *extent = pickle_as(pickle, item, PICKLE_INTEGER);

        if (*n == TENSOR_MAX_RANK)
            return error_set(err, EX_UNAVAILABLE, "more than %d %s are not supported", TENSOR_MAX_RANK, what);
        if (extent == NULL || extent->integer < 0)
            return error_set(err, EX_DATAERR, "one of its %s is negative or no number", what);
        out[*n] = extent->integer;
    }
    return 0;
}

/* The last element must lie within the view. */
static int check_bounds(const struct layout *layout, uint64_t offset, uint64_t n_elements, struct error *err)
{
    uint64_t last = offset;
    char text[SHAPE_TEXT_BYTES];

    for (size_t i = 0; i < layout->shape.rank; i++) {
        uint64_t step;

        if (__builtin_mul_overflow((uint64_t)layout->shape.dims[i] - 1, (uint64_t)layout->strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            last = UINT64_MAX;
        if (last == UINT64_MAX)
            break;
    }
    return last < n_elements ? 0
                             : error_set(err, EX_DATAERR,
                                         "shape %s at offset %llu reaches beyond the %llu elements of "
                                         "its storage",
                                         shape_text(&layout->shape, text), (unsigned long long)offset,
                                         (unsigned long long)n_elements);
}

static int read_layout(struct torch_reader *reader, int arguments, struct torch_storage_view *view,
                       struct layout *layout, struct error *err)
{
    const struct pickle *pickle = &reader->pickle;
    const struct pickle_value *offset = pickle_as(pickle, pickle_item(pickle, arguments, 1), PICKLE_INTEGER);
    char text[SHAPE_TEXT_BYTES];
    size_t n_strides;

    if (torch_storage_resolve(reader, pickle_item(pickle, arguments, 0), view, err) != 0 ||
        read_extents(pickle, pickle_item(pickle, arguments, 2), "sizes", layout->shape.dims, &layout->shape.rank,
                     err) != 0 ||
        read_extents(pickle, pickle_item(pickle, arguments, 3), "strides", layout->strides, &n_strides, err) != 0)
        return -1;
    if (offset == NULL || offset->integer < 0 || n_strides != layout->shape.rank)
        return error_set(err, EX_DATAERR, "expected an offset and as many strides as sizes");
    layout->offset = view->offset + (uint64_t)offset->integer;
    switch (shape_elements(&layout->shape)) {
    case -1:
        return error_set(err, EX_DATAERR, "shape %s has more than 2^31 elements", shape_text(&layout->shape, text));
    case 0: /* nothing is read */
        layout->offset = 0;
        return 0;
    default:
        return check_bounds(layout, (uint64_t)offset->integer, view->n_elements, err);
    }
}

/* Of a shape with elements, so that the product of its extents is small. */
static bool is_contiguous(const struct layout *layout)
{
    int64_t stride = 1;

    for (size_t i = layout->shape.rank; i-- > 0;) {
        if (layout->shape.dims[i] != 1 && layout->strides[i] != stride)
            return false;
        stride *= layout->shape.dims[i];
    }
    return true;
}

/* Element by element in row-major order. */
static void gather(const struct layout *layout, const uint8_t *from, size_t size, size_t n, uint8_t *to)
{
    int64_t index[TENSOR_MAX_RANK] = {0};

    for (size_t i = 0; i < n; i++) {
        uint64_t at = 0;

        for (size_t k = 0; k < layout->shape.rank; k++)
            at += (uint64_t)(index[k] * layout->strides[k]);
        memcpy(to + i * size, from + at * size, size);
        for (size_t k = layout->shape.rank; k-- > 0 && ++index[k] == layout->shape.dims[k];)
            index[k] = 0;
    }
}

static int rebuild(struct torch_reader *reader, int arguments, struct tensor *out, struct error *err)
{
    struct torch_storage_view view;
    struct layout layout = {0};
    const uint8_t *from;
    size_t size, n;
    uint8_t *to;

    if (read_layout(reader, arguments, &view, &layout, err) != 0)
        return -1;
    size = dtype_size(view.storage->dtype);
    n = (size_t)shape_elements(&layout.shape);
    from = view.storage->data + layout.offset * size;
    *out = (struct tensor){.dtype = view.storage->dtype, .shape = layout.shape, .data = from};
    if (n == 0 || (is_contiguous(&layout) && (uintptr_t)from % size == 0))
        return 0; /* as it lies in the file */
    to = torch_allocate(reader, n, size, err);
    if (to == NULL)
        return -1;
    if (is_contiguous(&layout))
        memcpy(to, from, n * size);
    else
        gather(&layout, from, size, n, to);
    bytes_forget(&reader->state->file, from, n * size); /* a view without gaps, nearly always */
    out->data = to;
    return 0;
}

int torch_rebuild(struct torch_reader *reader, int value, bool *is_tensor, struct tensor *out, struct error *err)
{
    const struct pickle *pickle = &reader->pickle;

    *is_tensor = false;
    for (int depth = 0; depth < PICKLE_MAX_DEPTH; depth++) { /* a parameter of a parameter ... of a tensor */
        const struct pickle_value *object = pickle_as(pickle, value, PICKLE_OBJECT);
        enum torch_role role = object == NULL ? TORCH_UNKNOWN : torch_role_of(pickle, object->object.callee);
        int arguments = object == NULL ? PICKLE_ABSENT : object->object.arguments;

        if (role == TORCH_TYPED) {
            role = torch_role_of(pickle, pickle_item(pickle, arguments, 0));
            arguments = pickle_item(pickle, arguments, 2);
        }
        if (role == TORCH_TENSOR) {
            *is_tensor = true;
            return rebuild(reader, arguments, out, err);
        }
        if (role != TORCH_PARAMETER)
            return 0;
        value = pickle_item(pickle, arguments, 0);
    }
    return error_set(err, EX_DATAERR, "a parameter is nested deeper than %d", PICKLE_MAX_DEPTH);
}
