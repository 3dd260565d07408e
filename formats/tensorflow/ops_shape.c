/* ops_shape.c — new shapes for old elements, and the shape arithmetic that writers wrap around them. */
#include "formats/tensorflow/tf_import.h"

#include <math.h>
#include <string.h>

/* --- on activations --- */

int tf_build_reshape(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct shape from = tf_shape(in, x), shape = {0};
    size_t open = TENSOR_MAX_RANK;
    int64_t known, elements = shape_elements(&from);
    char text[SHAPE_TEXT_BYTES];

    if (tf_constant_ints(in, node, 1, shape.dims, TENSOR_MAX_RANK, &shape.rank, err) != 0)
        return -1;
    /* files with a fixed batch repeat it here: one record then has 1 */
    if (!tf_is_constant(in, node, 0) && shape.rank > 0 && shape.dims[0] == in->batch)
        shape.dims[0] = 1;
    for (size_t i = 0; i < shape.rank; i++)
        if (shape.dims[i] == -1) {
            if (open < TENSOR_MAX_RANK)
                return error_set(err, EX_DATAERR, "axes %zu and %zu are both to be inferred", open, i);
            open = i;
            shape.dims[i] = 1;
        }
    known = shape_elements(&shape);
    if (known < 0 || (open < TENSOR_MAX_RANK && (known < 1 || elements % known != 0)))
        return error_set(err, EX_DATAERR, "shape %s does not divide into the shape asked for", shape_text(&from, text));
    if (open < TENSOR_MAX_RANK)
        shape.dims[open] = elements / known;
    return tf_reshape(in, node, x, &shape, 0, err);
}

/* An empty list: all axes of 1, but not the batch, which is 1 here only. */
int tf_build_squeeze(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    const char *name = tf_attribute(node->proto, "axis") != NULL ? "axis" : "squeeze_dims";
    struct shape from = tf_shape(in, x), shape = {0};
    bool is_constant = tf_is_constant(in, node, 0), is_named[TENSOR_MAX_RANK] = {0};
    int64_t items[TENSOR_MAX_RANK];
    size_t n, axis;

    if (tf_ints(node, name, items, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (import_axis(items[i], from.rank, &axis, err) != 0)
            return -1;
        if (from.dims[axis] != 1 || (axis == 0 && !is_constant))
            return error_set(err, axis == 0 ? EX_UNAVAILABLE : EX_DATAERR, "axis %zu of %lld elements cannot go", axis,
                             (long long)from.dims[axis]);
        is_named[axis] = true;
    }
    for (size_t i = 0; i < from.rank; i++)
        if (n > 0 ? !is_named[i] : from.dims[i] != 1 || (i == 0 && !is_constant))
            shape.dims[shape.rank++] = from.dims[i];
    return tf_reshape(in, node, x, &shape, 0, err);
}

int tf_build_expand_dims(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct shape from = tf_shape(in, x), shape = {.rank = from.rank + 1};
    int64_t wanted;
    size_t axis;

    if (shape.rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "more than %d axes", TENSOR_MAX_RANK);
    if (tf_constant_int(in, node, 1, &wanted, err) != 0 || import_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    if (axis == 0 && !tf_is_constant(in, node, 0))
        return error_set(err, EX_UNAVAILABLE, "axis 0 is the batch, which must stay where it is");
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = i == axis ? 1 : from.dims[i - (i > axis)];
    return tf_reshape(in, node, x, &shape, 0, err);
}

/* Of an activation only the order of axes changes. */
int tf_build_transpose(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct tf_tensor result;
    int x = node->inputs[0].value;
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};
    size_t rank = tf_rank(in, &node->inputs[0]), n;
    uint32_t seen = 0;

    if (tf_constant_ints(in, node, 1, draft.attr.perm, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n && n == rank; i++)
        if (draft.attr.perm[i] >= 0 && draft.attr.perm[i] < (int64_t)rank)
            seen |= UINT32_C(1) << draft.attr.perm[i];
    if (n != rank || seen != (UINT32_C(1) << rank) - 1)
        return error_set(err, EX_DATAERR, "its %zu items are no permutation of %zu axes", n, rank);
    if (tf_is_constant(in, node, 0)) {
        draft.op = OP_TRANSPOSE;
        return tf_finish(in, node, &draft, NULL, err);
    }
    if (rank > 0 && draft.attr.perm[0] != 0)
        return error_set(err, EX_UNAVAILABLE, "it moves the batch axis");
    result = tf_transposed(&node->inputs[0], draft.attr.perm, rank);
    memset(&draft.attr, 0, sizeof draft.attr);
    return tf_finish(in, node, &draft, &result.order, err);
}

/* --- shape arithmetic --- */

/* Everything has a shape here, so this is a constant. */
int tf_build_shape(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct shape shape = tf_shape(in, &node->inputs[0]);

    return tf_finish_ints(in, node, &(struct shape){1, {(int64_t)shape.rank}}, shape.dims, err);
}

int tf_build_size(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct shape shape = tf_shape(in, &node->inputs[0]);

    return tf_finish_ints(in, node, &(struct shape){0}, &(int64_t){shape_elements(&shape)}, err);
}

int tf_build_rank(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return tf_finish_ints(in, node, &(struct shape){0}, &(int64_t){(int64_t)tf_rank(in, &node->inputs[0])}, err);
}

/* Fill: shape, value. */
int tf_build_fill(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int shape = node->inputs[0].value;
    struct node draft = {.op = OP_FILL, .inputs = &shape, .n_inputs = 1};

    if (tf_constant(in, node, 1, &draft.attr.fill, err) != 0)
        return -1;
    if (shape_elements(&draft.attr.fill.shape) != 1)
        return error_set(err, EX_DATAERR, "expected one value to fill with, found %lld",
                         (long long)shape_elements(&draft.attr.fill.shape));
    return tf_finish(in, node, &draft, NULL, err);
}

/* Range: start, limit, delta, as lists of axes and coordinates of cells are made. */
int tf_build_range(struct tf_import *in, struct tf_node *node, struct error *err)
{
    enum { MAX_ITEMS = 1 << 20 };
    struct shape shape = {.rank = 1};
    struct tensor tensor;
    double from[3];
    void *data;
    int value;

    for (size_t i = 0; i < 3; i++) {
        if (tf_constant(in, node, i, &tensor, err) != 0)
            return -1;
        if (shape_elements(&tensor.shape) != 1)
            return error_set(err, EX_DATAERR, "expected one number as input %zu", i);
        from[i] = tensor_real(&tensor, 0);
    }
    if (!(fabs(from[0]) < 0x1p52) || !(fabs(from[1]) < 0x1p52) || from[2] == 0 ||
        !((from[1] - from[0]) / from[2] <= MAX_ITEMS))
        return error_set(err, EX_UNAVAILABLE, "from %g to %g by %g", from[0], from[1], from[2]);
    shape.dims[0] = (int64_t)fmax(0, ceil((from[1] - from[0]) / from[2]));
    value = tf_add_constant(in, node, NULL, tensor.dtype, &shape, &data, err);
    if (value < 0)
        return -1;
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        if (tensor.dtype == DTYPE_FLOAT32)
            ((float *)data)[i] = (float)(from[0] + (double)i * from[2]);
        else
            ((int64_t *)data)[i] = (int64_t)(from[0] + (double)i * from[2]);
    }
    node->outputs[0] = (struct tf_tensor){.value = value, .order = tf_plain_order()};
    return 0;
}

int tf_build_cast(struct tf_import *in, struct tf_node *node, struct error *err)
{
    enum { TYPE_BOOL = 10 };
    int x = node->inputs[0].value;
    struct node draft = {.op = OP_CAST, .inputs = &x, .n_inputs = 1};
    struct tf_result result = {0}, is_not_zero = {.step = "bool", .dtype = DTYPE_BOOL};
    int32_t to;

    if (tf_type(node, "DstT", 0, &to, err) != 0 || tf_dtype(to, &result.dtype, err) != 0)
        return -1;
    if (to == TYPE_BOOL && (x = tf_add(in, node, &draft, &is_not_zero, err)) < 0)
        return -1;
    x = tf_add(in, node, &draft, &result, err);
    if (x < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = x, .order = node->inputs[0].order};
    return 0;
}
