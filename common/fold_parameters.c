/* fold_parameters.c — see fold_parameters.h. */
#include "common/fold_parameters.h"

#include "common/op_rules.h"

#include <string.h>

enum { MAX_LIST = 2 * TENSOR_MAX_RANK }; /* pads: begins, then ends */

struct list {
    size_t n;
    int64_t items[MAX_LIST];
};

/* Reads input `slot`, a vector (or one scalar) of integers. An absent optional input gives n == 0. */
static int read_list(const struct graph *graph, const struct node *node, size_t slot, struct list *out,
                     struct error *err)
{
    const struct value *value = node_input(graph, node, slot);
    char text[SHAPE_TEXT_BYTES];
    struct tensor tensor;

    *out = (struct list){0};
    if (value == NULL)
        return 0;
    graph_constant(graph, node->inputs[slot], &tensor); /* op_check has seen that it is one */
    if (tensor.shape.rank > 1 || dtype_is_real(tensor.dtype) || shape_elements(&tensor.shape) > MAX_LIST)
        return error_set(err, EX_DATAERR, "expected a list of at most %d integers as \"%s\", found %s of shape %s",
                         MAX_LIST, value->name, dtype_name(tensor.dtype), shape_text(&tensor.shape, text));
    out->n = (size_t)shape_elements(&tensor.shape);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = tensor_integer(&tensor, i);
    return 0;
}

/* The node now has one input, x, and an output of this shape. */
static int become(struct graph *graph, struct node *node, enum op op, const struct shape *shape, struct error *err)
{
    struct value *output = &graph->values[node->outputs[0]];
    char declared[SHAPE_TEXT_BYTES], found[SHAPE_TEXT_BYTES];

    if (shape_elements(shape) < 0)
        return error_set(err, EX_DATAERR, "its output of shape %s is negative or has more than 2^31 elements",
                         shape_text(shape, found));
    if (output->has_shape && !shape_equal(&output->shape, shape))
        return error_set(err, EX_DATAERR, "its output \"%s\" is declared with shape %s, but computed with shape %s",
                         output->name, shape_text(&output->shape, declared), shape_text(shape, found));
    node->op = op;
    node->n_inputs = 1;
    output->shape = *shape;
    output->has_shape = true;
    return 0;
}

/* --- reshape --- */

static int settle_reshape(struct graph *graph, struct node *node, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    struct shape shape = {0};
    struct list list;
    size_t open = TENSOR_MAX_RANK; /* the axis to infer */
    int64_t known, elements = shape_elements(&x->shape);
    char from[SHAPE_TEXT_BYTES];

    if (read_list(graph, node, 1, &list, err) != 0)
        return -1;
    if (list.n > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d axes, found %zu", TENSOR_MAX_RANK, list.n);
    shape.rank = list.n;
    for (size_t i = 0; i < list.n; i++) {
        shape.dims[i] = list.items[i];
        if (list.items[i] == 0 && !node->attr.reshape_to.allow_zero) {
            if (i >= x->shape.rank)
                return error_set(err, EX_DATAERR, "axis %zu is to be copied from \"%s\" of shape %s", i, x->name,
                                 shape_text(&x->shape, from));
            shape.dims[i] = x->shape.dims[i];
        } else if (list.items[i] == -1) {
            if (open < TENSOR_MAX_RANK)
                return error_set(err, EX_DATAERR, "axes %zu and %zu are both to be inferred", open, i);
            open = i;
            shape.dims[i] = 1;
        }
    }
    known = shape_elements(&shape);
    if (open < TENSOR_MAX_RANK) {
        if (known < 1 || elements % known != 0)
            return error_set(err, EX_DATAERR, "\"%s\" of shape %s does not divide into the shape asked for", x->name,
                             shape_text(&x->shape, from));
        shape.dims[open] = elements / known;
    }
    return become(graph, node, OP_RESHAPE, &shape, err);
}

/* --- slice --- */

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* One axis by numpy's rule: negative indices count from the end, everything is clamped into the axis. */
static void slice_axis(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t *begin, int64_t *n)
{
    start = start < 0 ? start + dim : start;
    end = end < 0 ? end + dim : end;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        *n = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = clamp(start, 0, dim - 1);
        end = clamp(end, -1, dim - 1);
        *n = start > end ? (start - end - 1) / -step + 1 : 0;
    }
    *begin = start;
}

/* Turns the node into a slice of everything; the caller then narrows axes. */
void fold_begin_slice(struct node *node, size_t rank)
{
    memset(&node->attr, 0, sizeof node->attr);
    for (size_t i = 0; i < rank; i++)
        node->attr.slice.step[i] = 1;
}

static int settle_slice(struct graph *graph, struct node *node, struct error *err)
{
    struct shape shape = node_input(graph, node, 0)->shape;
    struct list starts, ends, axes, steps;
    unsigned seen = 0;

    if (read_list(graph, node, 1, &starts, err) != 0 || read_list(graph, node, 2, &ends, err) != 0 ||
        read_list(graph, node, 3, &axes, err) != 0 || read_list(graph, node, 4, &steps, err) != 0)
        return -1;
    if (ends.n != starts.n || (axes.n != 0 && axes.n != starts.n) || (steps.n != 0 && steps.n != starts.n) ||
        starts.n > shape.rank)
        return error_set(err, EX_DATAERR,
                         "%zu starts, %zu ends, %zu axes and %zu steps do not describe a slice of %zu axes", starts.n,
                         ends.n, axes.n, steps.n, shape.rank);
    fold_begin_slice(node, shape.rank);
    for (size_t i = 0; i < starts.n; i++) {
        int64_t axis = axes.n == 0 ? (int64_t)i : axes.items[i], step = steps.n == 0 ? 1 : steps.items[i];

        axis = axis < 0 ? axis + (int64_t)shape.rank : axis;
        if (axis < 0 || axis >= (int64_t)shape.rank || (seen >> axis & 1) != 0 || step == 0)
            return error_set(err, EX_DATAERR, "axis %lld with step %lld: not an axis, named twice, or no step",
                             (long long)axis, (long long)step);
        seen |= 1u << axis;
        step = clamp(step, -GRAPH_MAX_EXTENT, GRAPH_MAX_EXTENT); /* no axis is longer */
        slice_axis(shape.dims[axis], starts.items[i], ends.items[i], step, &node->attr.slice.begin[axis],
                   &shape.dims[axis]);
        node->attr.slice.step[axis] = step;
    }
    return become(graph, node, OP_SLICE, &shape, err);
}

/* --- pad --- */

static int settle_cropping(struct graph *graph, struct node *node, const struct list *pads, struct error *err)
{
    struct shape shape = node_input(graph, node, 0)->shape;

    fold_begin_slice(node, shape.rank);
    for (size_t i = 0; i < shape.rank; i++) {
        int64_t begin = pads->items[i], end = pads->items[shape.rank + i];

        if (begin > 0 || end > 0)
            return error_set(err, EX_UNAVAILABLE, "pads that crop on one side and add on another");
        if (begin < -shape.dims[i] || end < -shape.dims[i] - begin)
            return error_set(err, EX_DATAERR, "pads %lld and %lld crop more than axis %zu has (%lld)", (long long)begin,
                             (long long)end, i, (long long)shape.dims[i]);
        node->attr.slice.begin[i] = -begin;
        shape.dims[i] += begin + end;
    }
    return become(graph, node, OP_SLICE, &shape, err);
}

static int settle_pad(struct graph *graph, struct node *node, struct error *err)
{
    struct shape shape = node_input(graph, node, 0)->shape;
    const struct value *value = node_input(graph, node, 2);
    enum pad_mode mode = node->attr.pad.mode;
    struct list pads;
    struct tensor fill;

    if (read_list(graph, node, 1, &pads, err) != 0)
        return -1;
    if (pads.n != 2 * shape.rank)
        return error_set(err, EX_DATAERR, "expected %zu pads for %zu axes, found %zu", 2 * shape.rank, shape.rank,
                         pads.n);
    for (size_t i = 0; i < pads.n; i++)
        if (pads.items[i] < 0)
            return settle_cropping(graph, node, &pads, err);
    memset(&node->attr, 0, sizeof node->attr);
    node->attr.pad.mode = mode;
    if (value != NULL) {
        graph_constant(graph, node->inputs[2], &fill);
        if (shape_elements(&fill.shape) > 1)
            return error_set(err, EX_DATAERR, "expected one pad value, found %lld",
                             (long long)shape_elements(&fill.shape));
        node->attr.pad.value = shape_elements(&fill.shape) == 1 ? (float)tensor_real(&fill, 0) : 0;
    }
    for (size_t i = 0; i < shape.rank; i++) {
        int64_t begin = pads.items[i], end = pads.items[shape.rank + i];

        if (begin > GRAPH_MAX_EXTENT || end > GRAPH_MAX_EXTENT)
            return error_set(err, EX_DATAERR, "axis %zu: pads %lld and %lld are too large", i, (long long)begin,
                             (long long)end);
        node->attr.pad.begin[i] = begin;
        node->attr.pad.end[i] = end;
        shape.dims[i] += begin + end;
    }
    return become(graph, node, OP_PAD, &shape, err);
}

/* --- resize --- */

/* out = floor(in * scale) in float32, as the runtimes that exported the scale compute it. */
static int scaled_size(int64_t in, double scale, int64_t *out, struct error *err)
{
    float size = (float)in * (float)scale;

    if (!(scale > 0) || !(size >= 1) || size >= 0x1p31f)
        return error_set(err, EX_DATAERR, "an extent of %lld cannot be scaled by %g", (long long)in, scale);
    *out = (int64_t)size;
    return 0;
}

static int settle_resize(struct graph *graph, struct node *node, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    struct shape shape = x->shape;
    struct tensor tensor;

    if (shape.rank < 3 || shape.rank > 4)
        return error_set(err, EX_UNAVAILABLE, "resizing of %zu axes is not supported", shape.rank);
    graph_constant(graph, node->inputs[1], &tensor);
    if (tensor.shape.rank != 1 || tensor.shape.dims[0] != (int64_t)shape.rank)
        return error_set(err, EX_DATAERR, "expected %zu scales or sizes, found %lld", shape.rank,
                         (long long)shape_elements(&tensor.shape));
    node->attr.resize.scale[0] = 1;
    for (size_t i = 0; i < shape.rank; i++) {
        int64_t in = x->shape.dims[i], size = tensor_integer(&tensor, i);
        double scale = tensor_real(&tensor, i);

        if (!dtype_is_real(tensor.dtype))
            scale = (double)size / (double)in;
        else if (scaled_size(in, scale, &size, err) != 0)
            return -1;
        shape.dims[i] = size;
        if (i >= 2)
            node->attr.resize.scale[i + 4 - shape.rank - 2] = (float)scale;
    }
    return become(graph, node, OP_RESIZE, &shape, err);
}

/* --- pool --- */

static int settle_pool(struct graph *graph, struct node *node, struct error *err)
{
    const struct shape *x = &node_input(graph, node, 0)->shape;
    struct window *w = &node->attr.pool.window;

    (void)err;
    if (x->rank != 3 && x->rank != 4)
        return 0; /* the shape rule says why not */
    for (size_t k = 0; k < 2; k++) {
        int64_t in = k == 0 && x->rank == 3 ? 1 : x->dims[k + x->rank - 2];

        if (node->attr.pool.is_global) {
            w->kernel[k] = in;
            w->stride[k] = w->dilation[k] = 1;
            w->pad_begin[k] = w->pad_end[k] = 0;
        }
        if (node->attr.pool.output[k] == 0)
            node->attr.pool.output[k] = pool_output_size(in, w->kernel[k], w->stride[k], w->dilation[k],
                                                         w->pad_begin[k], w->pad_end[k], false, false);
    }
    return 0;
}

int fold_parameters(struct graph *graph, int node, struct error *err)
{
    static int (*const settle[OP_COUNT])(struct graph *, struct node *, struct error *) = {
        [OP_RESHAPE_TO] = settle_reshape, [OP_SLICE_TO] = settle_slice, [OP_PAD_TO] = settle_pad,
        [OP_RESIZE_TO] = settle_resize,   [OP_POOL] = settle_pool,
    };
    struct node *n = &graph->nodes[node];

    if (settle[n->op] == NULL)
        return 0;
    if (op_check(graph, n, err) != 0)
        return -1;
    return settle[n->op](graph, n, err) == 0 ? 0 : node_error_in(n, err);
}
