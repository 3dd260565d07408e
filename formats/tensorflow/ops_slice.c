/* ops_slice.c — what takes a part of a value: Slice, StridedSlice, Gather. */
#include "formats/tensorflow/tf_import.h"

struct tf_part tf_whole(const struct tf_import *in, const struct tf_tensor *tensor)
{
    struct tf_part part = {.size = tf_shape(in, tensor)};

    for (size_t i = 0; i < TENSOR_MAX_RANK; i++)
        part.step[i] = 1;
    return part;
}

int tf_add_part(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                const struct tf_part *part, size_t port, const char *step, struct tf_tensor *out, struct error *err)
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

/* An activation's batch is 1 here and whatever it is elsewhere: only all of it may be taken. */
static int check_batch(const struct tf_import *in, const struct tf_tensor *x, bool is_whole, struct error *err)
{
    if (is_whole || in->graph->values[x->value].is_constant)
        return 0;
    return error_set(err, EX_UNAVAILABLE, "it cuts the batch axis");
}

/* --- Slice --- */

/* Slice: begin and size; a size of -1 reaches to the end. */
int tf_build_slice(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct tf_part part = tf_whole(in, x);
    int64_t begin[TENSOR_MAX_RANK], size[TENSOR_MAX_RANK];
    size_t n_begin, n_size;

    if (tf_constant_ints(in, node, 1, begin, TENSOR_MAX_RANK, &n_begin, err) != 0 ||
        tf_constant_ints(in, node, 2, size, TENSOR_MAX_RANK, &n_size, err) != 0)
        return -1;
    if (n_begin != part.size.rank || n_size != part.size.rank)
        return error_set(err, EX_DATAERR, "%zu begins and %zu sizes for %zu axes", n_begin, n_size, part.size.rank);
    if (n_begin > 0 && check_batch(in, x, begin[0] == 0 && (size[0] == -1 || size[0] >= in->batch), err) != 0)
        return -1;
    for (size_t i = 0; i < part.size.rank; i++) {
        int64_t dim = part.size.dims[i], all = i == 0 && size[i] >= dim ? dim : size[i];

        if (begin[i] < 0 || begin[i] > dim || all < -1 || all > dim - begin[i])
            return error_set(err, EX_DATAERR, "axis %zu: %lld elements from %lld lie outside an axis of %lld", i,
                             (long long)size[i], (long long)begin[i], (long long)dim);
        part.begin[i] = begin[i];
        part.size.dims[i] = all == -1 ? dim - begin[i] : all;
    }
    return tf_add_part(in, node, x, &part, 0, NULL, &node->outputs[0], err);
}

/* --- StridedSlice --- */

/* Item i of the lists, with bit i of each mask, speaks of an axis, of all axes that no other item speaks of (ellipsis),
 * or of a new axis of 1. */
struct strides {
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    size_t n, n_new;
    enum { FROM_FIRST, TO_LAST, ELLIPSIS, NEW_AXIS, SHRINKS, N_MASKS } mask;
    uint64_t masks[N_MASKS];
};

static bool has(const struct strides *s, int mask, size_t i)
{
    return (s->masks[mask] >> i & 1) != 0;
}

static int read_strides(const struct tf_import *in, const struct tf_node *node, struct strides *out, struct error *err)
{
    static const char *const names[N_MASKS] = {"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask",
                                               "shrink_axis_mask"};
    size_t n_end, n_step;

    if (tf_constant_ints(in, node, 1, out->begin, TENSOR_MAX_RANK, &out->n, err) != 0 ||
        tf_constant_ints(in, node, 2, out->end, TENSOR_MAX_RANK, &n_end, err) != 0 ||
        tf_constant_ints(in, node, 3, out->step, TENSOR_MAX_RANK, &n_step, err) != 0)
        return -1;
    if (n_end != out->n || n_step != out->n)
        return error_set(err, EX_DATAERR, "%zu begins, %zu ends and %zu strides", out->n, n_end, n_step);
    for (int m = 0; m < N_MASKS; m++) {
        int64_t bits;

        if (tf_int(node, names[m], 0, &bits, err) != 0)
            return -1;
        out->masks[m] = (uint64_t)bits & ((UINT64_C(1) << out->n) - 1);
    }
    if ((out->masks[ELLIPSIS] & (out->masks[ELLIPSIS] - 1)) != 0)
        return error_set(err, EX_DATAERR, "attribute \"ellipsis_mask\" has several bits");
    out->masks[NEW_AXIS] &= ~out->masks[ELLIPSIS];
    out->n_new = (size_t)__builtin_popcountll(out->masks[NEW_AXIS]);
    return 0;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* Item `i` applied to an axis, by numpy's rule. */
static int cut_axis(const struct strides *s, size_t i, struct tf_part *part, size_t axis, struct error *err)
{
    int64_t dim = part->size.dims[axis], step = clamp(s->step[i], -INT32_MAX, INT32_MAX);
    int64_t begin = s->begin[i] < 0 ? s->begin[i] + dim : s->begin[i];
    int64_t end = s->end[i] < 0 ? s->end[i] + dim : s->end[i], n;

    if (step == 0)
        return error_set(err, EX_DATAERR, "axis %zu: a stride of 0", axis);
    if (has(s, SHRINKS, i)) {
        if (begin < 0 || begin >= dim)
            return error_set(err, EX_DATAERR, "axis %zu: index %lld lies outside %lld elements", axis,
                             (long long)s->begin[i], (long long)dim);
        step = n = 1;
    } else if (step > 0) {
        begin = has(s, FROM_FIRST, i) ? 0 : clamp(begin, 0, dim);
        end = has(s, TO_LAST, i) ? dim : clamp(end, 0, dim);
        n = end > begin ? (end - begin - 1) / step + 1 : 0;
    } else {
        begin = has(s, FROM_FIRST, i) ? dim - 1 : clamp(begin, -1, dim - 1);
        end = has(s, TO_LAST, i) ? -1 : clamp(end, -1, dim - 1);
        n = begin > end ? (begin - end - 1) / -step + 1 : 0;
    }
    part->begin[axis] = n > 0 ? begin : 0;
    part->step[axis] = step;
    part->size.dims[axis] = n;
    return 0;
}

static bool takes_whole_batch(const struct tf_import *in, const struct strides *s, size_t i)
{
    return !has(s, SHRINKS, i) && (has(s, FROM_FIRST, i) || s->begin[i] == 0) &&
           (has(s, TO_LAST, i) || s->end[i] >= in->batch) && s->step[i] == 1;
}

/* Walks items and axes side by side: `part` is what is cut out, `result` its shape without the axes that shrink and
 * with the new ones. */
static int apply_strides(const struct tf_import *in, const struct tf_tensor *x, const struct strides *s,
                         struct tf_part *part, struct shape *result, struct error *err)
{
    size_t axis = 0, rank = part->size.rank, named = s->n - s->n_new - (s->masks[ELLIPSIS] != 0);

    *result = (struct shape){0};
    if (named > rank || rank + s->n_new > TENSOR_MAX_RANK)
        return error_set(err, EX_DATAERR, "a slice of %zu items for %zu axes", s->n, rank);
    for (size_t i = 0; i < s->n; i++) {
        if (has(s, ELLIPSIS, i)) {
            for (size_t k = named; k < rank; k++)
                result->dims[result->rank++] = part->size.dims[axis++];
        } else if (has(s, NEW_AXIS, i)) {
            result->dims[result->rank++] = 1;
        } else {
            if ((axis == 0 && check_batch(in, x, takes_whole_batch(in, s, i), err) != 0) ||
                cut_axis(s, i, part, axis, err) != 0)
                return -1;
            if (!has(s, SHRINKS, i))
                result->dims[result->rank++] = part->size.dims[axis];
            axis++;
        }
    }
    while (axis < rank)
        result->dims[result->rank++] = part->size.dims[axis++];
    return 0;
}

/* The same elements with positive steps; bit i of the result: axis i is then to be reversed. */
static uint32_t turn_forward(struct tf_part *part)
{
    uint32_t reversed = 0;

    for (size_t i = 0; i < part->size.rank; i++) {
        if (part->step[i] > 0 || part->size.dims[i] == 0)
            continue;
        part->begin[i] += (part->size.dims[i] - 1) * part->step[i];
        part->step[i] = -part->step[i];
        reversed |= UINT32_C(1) << i;
    }
    return reversed;
}

int tf_build_strided(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct tf_part part = tf_whole(in, x);
    struct strides strides;
    struct shape result;
    struct tf_tensor piece;
    uint32_t reversed = 0;

    if (read_strides(in, node, &strides, err) != 0 || apply_strides(in, x, &strides, &part, &result, err) != 0)
        return -1;
    if (!tf_is_constant(in, node, 0))
        reversed = turn_forward(&part);
    if (reversed == 0 && shape_equal(&result, &part.size))
        return tf_add_part(in, node, x, &part, 0, NULL, &node->outputs[0], err);
    if (tf_add_part(in, node, x, &part, 0, "slice", &piece, err) != 0)
        return -1;
    for (size_t i = 0; i < part.size.rank; i++)
        if ((reversed >> i & 1) != 0 && tf_reverse(in, node, &piece, i, "reversed", &piece, err) != 0)
            return -1;
    return tf_reshape(in, node, &piece, &result, 0, err);
}

/* --- Gather --- */

/* Gather (axis 0), GatherV2 (the axis as input 2). A list of indices leaves the axes where they are; a single one drops
 * the axis. */
int tf_build_gather(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    bool is_list = tf_rank(in, &node->inputs[1]) == 1;
    struct tf_order order = is_list ? x->order : tf_plain_order();
    int inputs[2] = {GRAPH_NONE, node->inputs[1].value};
    struct node draft = {.op = OP_GATHER, .inputs = inputs, .n_inputs = 2};
    int64_t wanted = 0;
    size_t axis;

    if ((node->n_inputs > 2 && tf_constant_int(in, node, 2, &wanted, err) != 0) ||
        import_axis(wanted, tf_rank(in, x), &axis, err) != 0)
        return -1;
    if (!tf_is_constant(in, node, 1))
        return error_set(err, EX_UNAVAILABLE, "indices that are computed at run time are not supported");
    inputs[0] = tf_arrange(in, node, x, order, err);
    draft.attr.axis = order.axis[axis];
    return inputs[0] < 0 ? -1 : tf_finish(in, node, &draft, &order, err);
}
