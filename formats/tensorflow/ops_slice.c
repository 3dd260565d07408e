/* ops_slice.c — what takes parts of a value: Split, Unpack, Slice, StridedSlice, Gather. */
#include "formats/tensorflow/tf_import.h"

#include <stdlib.h>
#include <string.h>

/* y[i] = x[begin + i * step] along each axis of the file, with `size` elements. */
struct part {
    int64_t begin[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    struct shape size;
};

static struct part whole(const struct tf_import *in, const struct tf_tensor *tensor)
{
    struct part part = {.size = tf_shape(in, tensor)};

    for (size_t i = 0; i < TENSOR_MAX_RANK; i++)
        part.step[i] = 1;
    return part;
}

/* The batch stays whole; the graph's rule checks the rest. */
static int add_slice(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                     const struct part *part, size_t port, const char *step, struct tf_tensor *out, struct error *err)
{
    int x = tensor->value;
    struct node draft = {.op = OP_SLICE, .inputs = &x, .n_inputs = 1};
    struct shape shape = {.rank = part->size.rank};
    struct tf_result result = {.port = port, .step = step, .shape = &shape, .dtype = in->graph->values[x].dtype};

    for (size_t i = 0; i < shape.rank; i++) {
        shape.dims[tensor->order.axis[i]] = part->size.dims[i];
        draft.attr.slice.begin[tensor->order.axis[i]] = part->begin[i];
        draft.attr.slice.step[tensor->order.axis[i]] = part->step[i];
    }
    x = tf_add(in, node, &draft, &result, err);
    if (x < 0)
        return -1;
    *out = (struct tf_tensor){.value = x, .order = tensor->order};
    return 0;
}

/* --- Split, SplitV, Unpack --- */

/* One output for each of sizes[0..n), along `axis`. */
static int split(struct tf_import *in, struct tf_node *node, const struct tf_tensor *tensor, size_t axis,
                 const int64_t *sizes, size_t n, struct error *err)
{
    struct part part = whole(in, tensor);

    if (tf_create_outputs(in, node, n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        part.size.dims[axis] = sizes[i];
        if (add_slice(in, node, tensor, &part, i, NULL, &node->outputs[i], err) != 0)
            return -1;
        part.begin[axis] += sizes[i];
    }
    return 0;
}

/* The attribute that says how many outputs there are. */
static int read_count(const struct tf_node *node, const char *name, int64_t *out, struct error *err)
{
    enum { MAX_PARTS = 1 << 16 };

    if (tf_int(node, name, 0, out, err) != 0)
        return -1;
    if (*out < 1 || *out > MAX_PARTS)
        return error_set(err, EX_DATAERR, "attribute \"%s\": expected 1 to %d, found %lld", name, MAX_PARTS,
                         (long long)*out);
    return 0;
}

/* Split: the axis comes first, the parts are equal. */
int tf_build_split(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[1];
    struct shape shape = tf_shape(in, x);
    int64_t wanted, n, *sizes;
    size_t axis;
    int rc;

    if (read_count(node, "num_split", &n, err) != 0 || tf_constant_int(in, node, 0, &wanted, err) != 0 ||
        tf_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    if (shape.dims[axis] % n != 0)
        return error_set(err, EX_DATAERR, "an axis of %lld does not split into %lld equal parts",
                         (long long)shape.dims[axis], (long long)n);
    sizes = memory_create((size_t)n, sizeof *sizes, "the parts of a split", err);
    if (sizes == NULL)
        return -1;
    for (int64_t i = 0; i < n; i++)
        sizes[i] = shape.dims[axis] / n;
    rc = split(in, node, x, axis, sizes, (size_t)n, err);
    free(sizes);
    return rc;
}

/* Sizes that cover `dim` elements; one of them may be -1, the rest. */
static int settle_sizes(int64_t *sizes, size_t n, int64_t dim, struct error *err)
{
    int64_t sum = 0, *open = NULL;

    for (size_t i = 0; i < n; i++) {
        if (sizes[i] == -1 && open == NULL) {
            open = &sizes[i];
            continue;
        }
        if (sizes[i] < 0 || sizes[i] > dim - sum)
            return error_set(err, EX_DATAERR, "part %zu of %lld elements lies outside an axis of %lld", i,
                             (long long)sizes[i], (long long)dim);
        sum += sizes[i];
    }
    if (open != NULL)
        *open = dim - sum;
    else if (sum != dim)
        return error_set(err, EX_DATAERR, "the parts cover %lld of the %lld elements of the axis", (long long)sum,
                         (long long)dim);
    return 0;
}

/* SplitV: value, sizes, axis. */
int tf_build_split_sizes(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct shape shape = tf_shape(in, x);
    int64_t wanted, count, *sizes;
    size_t axis, n;
    int rc = -1;

    if (read_count(node, "num_split", &count, err) != 0 || tf_constant_int(in, node, 2, &wanted, err) != 0 ||
        tf_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    sizes = memory_create((size_t)count, sizeof *sizes, "the parts of a split", err);
    if (sizes == NULL)
        return -1;
    if (tf_constant_ints(in, node, 1, sizes, (size_t)count, &n, err) == 0 &&
        settle_sizes(sizes, n, shape.dims[axis], err) == 0)
        rc = split(in, node, x, axis, sizes, n, err);
    free(sizes);
    return rc;
}

/* Unpack: one output for each element of an axis, which goes. */
int tf_build_unpack(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct part part = whole(in, x);
    struct shape shape = part.size, less = {0};
    struct tf_tensor piece;
    int64_t wanted, n;
    size_t axis;

    if (read_count(node, "num", &n, err) != 0 || tf_int(node, "axis", 0, &wanted, err) != 0 ||
        tf_axis(wanted, shape.rank, &axis, err) != 0)
        return -1;
    if (shape.dims[axis] != n)
        return error_set(err, EX_DATAERR, "an axis of %lld does not unpack into %lld", (long long)shape.dims[axis],
                         (long long)n);
    for (size_t i = 0; i < shape.rank; i++)
        if (i != axis)
            less.dims[less.rank++] = shape.dims[i];
    part.size.dims[axis] = 1;
    if (tf_create_outputs(in, node, (size_t)n, err) != 0)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        part.begin[axis] = i;
        if (add_slice(in, node, x, &part, 0, "part", &piece, err) != 0 ||
            tf_reshape(in, node, &piece, &less, (size_t)i, err) != 0)
            return -1;
    }
    return 0;
}

/* --- Slice, StridedSlice --- */

/* An activation's batch is 1 here and whatever it is elsewhere: only all of it may be taken. */
static int check_batch(const struct tf_import *in, const struct tf_tensor *x, int64_t begin, int64_t end, int64_t step,
                       struct error *err)
{
    if (in->graph->values[x->value].is_constant || (begin == 0 && end >= in->batch && step == 1))
        return 0;
    return error_set(err, EX_UNAVAILABLE, "it cuts the batch axis");
}

/* Slice: begin and size; a size of -1 reaches to the end. */
int tf_build_slice(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct part part = whole(in, x);
    int64_t begin[TENSOR_MAX_RANK], size[TENSOR_MAX_RANK];
    size_t n_begin, n_size;

    if (tf_constant_ints(in, node, 1, begin, TENSOR_MAX_RANK, &n_begin, err) != 0 ||
        tf_constant_ints(in, node, 2, size, TENSOR_MAX_RANK, &n_size, err) != 0)
        return -1;
    if (n_begin != part.size.rank || n_size != part.size.rank)
        return error_set(err, EX_DATAERR, "%zu begins and %zu sizes for %zu axes", n_begin, n_size, part.size.rank);
    if (n_begin > 0 &&
        check_batch(in, x, begin[0], size[0] == -1 || size[0] >= part.size.dims[0] ? in->batch : size[0], 1, err) != 0)
        return -1;
    for (size_t i = 0; i < part.size.rank; i++) {
        int64_t dim = part.size.dims[i], all = i == 0 && size[i] >= dim ? dim : size[i];

        if (begin[i] < 0 || begin[i] > dim || all < -1 || all > dim - begin[i])
            return error_set(err, EX_DATAERR, "axis %zu: %lld elements from %lld lie outside an axis of %lld", i,
                             (long long)size[i], (long long)begin[i], (long long)dim);
        part.begin[i] = begin[i];
        part.size.dims[i] = all == -1 ? dim - begin[i] : all;
    }
    return add_slice(in, node, x, &part, 0, NULL, &node->outputs[0], err);
}

/* What StridedSlice says of one axis of its own list; bit i of each mask speaks of item i. */
struct strides {
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    size_t n;
    int64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
};

static int read_strides(const struct tf_import *in, const struct tf_node *node, struct strides *out, struct error *err)
{
    size_t n_end, n_step;

    if (tf_constant_ints(in, node, 1, out->begin, TENSOR_MAX_RANK, &out->n, err) != 0 ||
        tf_constant_ints(in, node, 2, out->end, TENSOR_MAX_RANK, &n_end, err) != 0 ||
        tf_constant_ints(in, node, 3, out->step, TENSOR_MAX_RANK, &n_step, err) != 0 ||
        tf_int(node, "begin_mask", 0, &out->begin_mask, err) != 0 ||
        tf_int(node, "end_mask", 0, &out->end_mask, err) != 0 ||
        tf_int(node, "ellipsis_mask", 0, &out->ellipsis_mask, err) != 0 ||
        tf_int(node, "new_axis_mask", 0, &out->new_axis_mask, err) != 0 ||
        tf_int(node, "shrink_axis_mask", 0, &out->shrink_axis_mask, err) != 0)
        return -1;
    if (n_end != out->n || n_step != out->n)
        return error_set(err, EX_DATAERR, "%zu begins, %zu ends and %zu strides", out->n, n_end, n_step);
    if ((out->ellipsis_mask & (out->ellipsis_mask - 1)) != 0)
        return error_set(err, EX_DATAERR, "ellipsis_mask 0x%llx has several bits", (long long)out->ellipsis_mask);
    return 0;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* Item `i` of the list applied to an axis of `dim` elements, by numpy's rule. */
static int cut_axis(const struct strides *s, size_t i, int64_t dim, int64_t *begin, int64_t *step, int64_t *n,
                    struct error *err)
{
    bool shrinks = (s->shrink_axis_mask >> i & 1) != 0;
    int64_t by = shrinks ? 1 : clamp(s->step[i], -INT32_MAX, INT32_MAX), low = by > 0 ? 0 : -1,
            high = by > 0 ? dim : dim - 1;
    int64_t first = s->begin[i] < 0 ? s->begin[i] + dim : s->begin[i];
    int64_t last = s->end[i] < 0 ? s->end[i] + dim : s->end[i];

    if (by == 0)
        return error_set(err, EX_DATAERR, "stride %zu is 0", i);
    if (shrinks && (first < 0 || first >= dim))
        return error_set(err, EX_DATAERR, "index %lld lies outside an axis of %lld", (long long)s->begin[i],
                         (long long)dim);
    first = !shrinks && (s->begin_mask >> i & 1) != 0 ? (by > 0 ? 0 : dim - 1) : clamp(first, low, high);
    last = shrinks ? first + 1 : (s->end_mask >> i & 1) != 0 ? (by > 0 ? dim : -1) : clamp(last, low, high);
    *begin = clamp(first, 0, dim > 0 ? dim - 1 : 0);
    *step = by;
    *n = by > 0 ? (last > first ? (last - first - 1) / by + 1 : 0) : (first > last ? (first - last - 1) / -by + 1 : 0);
    return 0;
}

/* Walks list and axes side by side: `part` is what is cut out, `result` its shape without dropped axes and with new
 * ones. */
static int apply_strides(const struct tf_import *in, const struct tf_tensor *x, const struct strides *s,
                         struct part *part, struct shape *result, struct error *err)
{
    size_t axis = 0, rank = part->size.rank, n_new = 0;

    *result = (struct shape){0};
    for (size_t i = 0; i < s->n; i++)
        n_new += (s->new_axis_mask & ~s->ellipsis_mask) >> i & 1;
    if (s->n - n_new - (s->ellipsis_mask != 0) > rank || rank + n_new > TENSOR_MAX_RANK)
        return error_set(err, EX_DATAERR, "a slice of %zu items for %zu axes", s->n, rank);
    for (size_t i = 0; i < s->n; i++) {
        size_t kept = rank - (s->n - n_new - (s->ellipsis_mask != 0)); /* axes that an ellipsis stands for */

        if ((s->ellipsis_mask >> i & 1) != 0) {
            for (; kept > 0; kept--)
                result->dims[result->rank++] = part->size.dims[axis++];
            continue;
        }
        if ((s->new_axis_mask >> i & 1) != 0) {
            result->dims[result->rank++] = 1;
            continue;
        }
        if (axis == 0 && check_batch(in, x, (s->begin_mask & ~s->shrink_axis_mask) >> i & 1 ? 0 : s->begin[i],
                                     (s->shrink_axis_mask >> i & 1) != 0 ? 0
                                     : (s->end_mask >> i & 1) != 0       ? in->batch
                                                                         : s->end[i],
                                     s->step[i], err) != 0)
            return -1;
        if (cut_axis(s, i, part->size.dims[axis], &part->begin[axis], &part->step[axis], &part->size.dims[axis], err) !=
            0)
            return error_in(err, "axis %zu", axis);
        if ((s->shrink_axis_mask >> i & 1) == 0)
            result->dims[result->rank++] = part->size.dims[axis];
        axis++;
    }
    while (axis < rank)
        result->dims[result->rank++] = part->size.dims[axis++];
    return 0;
}

int tf_build_strided(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct part part = whole(in, x);
    struct strides strides;
    struct shape result;
    struct tf_tensor piece;

    if (read_strides(in, node, &strides, err) != 0 || apply_strides(in, x, &strides, &part, &result, err) != 0)
        return -1;
    if (shape_equal(&result, &part.size))
        return add_slice(in, node, x, &part, 0, NULL, &node->outputs[0], err);
    return add_slice(in, node, x, &part, 0, "slice", &piece, err) != 0 ? -1
                                                                       : tf_reshape(in, node, &piece, &result, 0, err);
}

/* --- Gather --- */

/* Gather (axis 0), GatherV2 (the axis as input 2). */
int tf_build_gather(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    int inputs[2], value;
    struct node draft = {.op = OP_GATHER, .inputs = inputs, .n_inputs = 2};
    int64_t wanted = 0;
    size_t axis;

    if ((node->n_inputs > 2 && tf_constant_int(in, node, 2, &wanted, err) != 0) ||
        tf_axis(wanted, tf_rank(in, x), &axis, err) != 0)
        return -1;
    if (!tf_is_constant(in, node, 1))
        return error_set(err, EX_UNAVAILABLE, "indices that are computed at run time are not supported");
    /* a list of indices leaves the axes where they are; a single one drops the axis */
    value = tf_rank(in, &node->inputs[1]) == 1 ? x->value : tf_arrange(in, node, x, tf_plain_order(), err);
    if (value < 0)
        return -1;
    inputs[0] = value;
    inputs[1] = node->inputs[1].value;
    draft.attr.axis = tf_rank(in, &node->inputs[1]) == 1 ? x->order.axis[axis] : (int64_t)axis;
    return tf_finish(in, node, &draft, tf_rank(in, &node->inputs[1]) == 1 ? &x->order : NULL, err);
}
