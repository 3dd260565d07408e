/* op_layout.c — shape rules of operators that move elements, and of shape arithmetic. */
#include "common/op_rules.h"

static int check_axis(int64_t axis, const struct value *x, struct error *err)
{
    if (axis >= 0 && axis < (int64_t)x->shape.rank)
        return 0;
    return error_set(err, EX_DATAERR, "axis %lld is not an axis of \"%s\" (%zu axes)", (long long)axis, x->name,
                     x->shape.rank);
}

int rule_concat(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *first = node_input(graph, node, 0);
    int64_t axis = node->attr.axis;
    char a_text[SHAPE_TEXT_BYTES], b_text[SHAPE_TEXT_BYTES];

    if (check_axis(axis, first, err) != 0)
        return -1;
    out->shape = first->shape;
    for (size_t i = 1; i < node->n_inputs; i++) {
        const struct value *x = node_input(graph, node, i);
        struct shape aligned;

        if (x == NULL)
            return error_set(err, EX_DATAERR, "input %zu is missing", i);
        if (x->dtype != first->dtype)
            return error_set(err, EX_DATAERR, "inputs \"%s\" (%s) and \"%s\" (%s) must be of one type", first->name,
                             dtype_name(first->dtype), x->name, dtype_name(x->dtype));
        aligned = x->shape;
        if (aligned.rank == first->shape.rank)
            aligned.dims[axis] = first->shape.dims[axis];
        if (!shape_equal(&aligned, &first->shape))
            return error_set(err, EX_DATAERR,
                             "inputs \"%s\" of shape %s and \"%s\" of shape %s do not join along axis %lld",
                             first->name, shape_text(&first->shape, a_text), x->name, shape_text(&x->shape, b_text),
                             (long long)axis);
        out->shape.dims[axis] += x->shape.dims[axis]; /* fewer than 2^20 extents of at most 2^31 */
    }
    return 0;
}

/* The output's declared shape, which attributes alone do not give. */
static int declared_shape(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *y = &graph->values[node->outputs[0]];

    if (!y->has_shape)
        return error_set(err, EX_DATAERR, "its output \"%s\" has no shape", y->name);
    out->shape = y->shape;
    return 0;
}

int rule_reshape(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];

    if (declared_shape(graph, node, out, err) != 0)
        return -1;
    if (shape_elements(&x->shape) != shape_elements(&out->shape))
        return error_set(err, EX_DATAERR, "shape %s of \"%s\" cannot become %s", shape_text(&x->shape, from), x->name,
                         shape_text(&out->shape, to));
    return 0;
}

int rule_transpose(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    unsigned seen = 0;

    out->shape.rank = x->shape.rank;
    for (size_t i = 0; i < x->shape.rank; i++) {
        int64_t from = node->attr.perm[i];

        if (check_axis(from, x, err) != 0)
            return -1;
        if ((seen >> from & 1) != 0)
            return error_set(err, EX_DATAERR, "its permutation names axis %lld twice", (long long)from);
        seen |= 1u << from;
        out->shape.dims[i] = x->shape.dims[from];
    }
    return 0;
}

int rule_slice(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];

    if (declared_shape(graph, node, out, err) != 0)
        return -1;
    if (out->shape.rank != x->shape.rank)
        return error_set(err, EX_DATAERR, "a slice of shape %s cannot have shape %s", shape_text(&x->shape, from),
                         shape_text(&out->shape, to));
    for (size_t i = 0; i < x->shape.rank; i++) {
        int64_t begin = node->attr.slice.begin[i], step = node->attr.slice.step[i], n = out->shape.dims[i], last;

        if (n == 0)
            continue;
        /* n - 1 and step are below 2^31 in size where the slice is inside */
        if (step == 0 || step > GRAPH_MAX_EXTENT || step < -GRAPH_MAX_EXTENT || begin < 0 ||
            begin >= x->shape.dims[i] || (last = begin + (n - 1) * step) < 0 || last >= x->shape.dims[i])
            return error_set(err, EX_DATAERR, "axis %zu of \"%s\" (%s): %lld elements from %lld by %lld lie outside", i,
                             x->name, shape_text(&x->shape, from), (long long)n, (long long)begin, (long long)step);
    }
    return 0;
}

int rule_pad(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    char text[SHAPE_TEXT_BYTES];

    out->shape = x->shape;
    for (size_t i = 0; i < x->shape.rank; i++) {
        int64_t begin = node->attr.pad.begin[i], end = node->attr.pad.end[i], in = x->shape.dims[i];

        if (begin < 0 || end < 0 || begin > GRAPH_MAX_EXTENT || end > GRAPH_MAX_EXTENT)
            return error_set(err, EX_DATAERR, "axis %zu: pads %lld and %lld are negative or too large", i,
                             (long long)begin, (long long)end);
        /* reflection does not repeat the edge, so it has one element less to offer */
        if ((node->attr.pad.mode == PAD_REFLECT && (begin >= in || end >= in) && begin + end > 0) ||
            (node->attr.pad.mode == PAD_EDGE && in == 0 && begin + end > 0))
            return error_set(err, EX_DATAERR, "axis %zu: pads %lld and %lld want more than \"%s\" of shape %s offers",
                             i, (long long)begin, (long long)end, x->name, shape_text(&x->shape, text));
        out->shape.dims[i] = in + begin + end;
    }
    return 0;
}

/* --- shape arithmetic --- */

int rule_shape(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    (void)err;
    out->dtype = DTYPE_INT64;
    out->shape = (struct shape){.rank = 1, .dims = {(int64_t)node_input(graph, node, 0)->shape.rank}};
    return 0;
}

static int check_indices(const struct graph *graph, const struct node *node, int64_t dim, struct error *err)
{
    struct tensor indices;

    if (!graph_constant(graph, node->inputs[1], &indices))
        return 0; /* not reached: ops.c wants a constant */
    for (int64_t i = 0; i < shape_elements(&indices.shape); i++) {
        int64_t index = tensor_integer(&indices, (size_t)i);

        if (index < -dim || index >= dim)
            return error_set(err, EX_DATAERR, "index %lld lies outside an axis of %lld", (long long)index,
                             (long long)dim);
    }
    return 0;
}

int rule_gather(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *indices = node_input(graph, node, 1);
    size_t axis = (size_t)node->attr.axis;

    if (check_axis(node->attr.axis, x, err) != 0)
        return -1;
    if (dtype_is_real(indices->dtype))
        return error_set(err, EX_DATAERR, "expected integers as indices \"%s\", found %s", indices->name,
                         dtype_name(indices->dtype));
    if (x->shape.rank - 1 + indices->shape.rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "its output would have more than %d axes", TENSOR_MAX_RANK);
    if (check_indices(graph, node, x->shape.dims[axis], err) != 0)
        return -1;
    out->shape.rank = 0;
    for (size_t i = 0; i < axis; i++)
        out->shape.dims[out->shape.rank++] = x->shape.dims[i];
    for (size_t i = 0; i < indices->shape.rank; i++)
        out->shape.dims[out->shape.rank++] = indices->shape.dims[i];
    for (size_t i = axis + 1; i < x->shape.rank; i++)
        out->shape.dims[out->shape.rank++] = x->shape.dims[i];
    return 0;
}

int rule_cast(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    (void)err;
    out->dtype = graph->values[node->outputs[0]].dtype;
    out->shape = node_input(graph, node, 0)->shape;
    return 0;
}

/* Reads a constant vector of extents. */
static int read_extents(const struct graph *graph, const struct node *node, size_t slot, struct shape *out,
                        struct error *err)
{
    const struct value *value = node_input(graph, node, slot);
    struct tensor tensor;
    char text[SHAPE_TEXT_BYTES];

    if (!graph_constant(graph, node->inputs[slot], &tensor) || tensor.shape.rank != 1 || dtype_is_real(tensor.dtype))
        return error_set(err, EX_DATAERR, "expected a list of integers as \"%s\", found %s of shape %s", value->name,
                         dtype_name(value->dtype), shape_text(&value->shape, text));
    if (tensor.shape.dims[0] > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d axes, found %lld", TENSOR_MAX_RANK,
                         (long long)tensor.shape.dims[0]);
    out->rank = (size_t)tensor.shape.dims[0];
    for (size_t i = 0; i < out->rank; i++)
        out->dims[i] = tensor_integer(&tensor, i);
    return 0;
}

int rule_fill(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    out->dtype = node->attr.fill.dtype;
    return read_extents(graph, node, 0, &out->shape, err);
}

int rule_expand(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    struct shape wanted;

    if (read_extents(graph, node, 1, &wanted, err) != 0)
        return -1;
    if (shape_elements(&wanted) < 0)
        return error_set(err, EX_DATAERR, "the shape to expand to is negative or has more than 2^31 elements");
    return shape_broadcast(&node_input(graph, node, 0)->shape, &wanted, &out->shape, err);
}

int rule_where(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *condition = node_input(graph, node, 0), *a = node_input(graph, node, 1),
                       *b = node_input(graph, node, 2);
    struct shape chosen;

    if (dtype_is_real(condition->dtype) || a->dtype != b->dtype)
        return error_set(err, EX_DATAERR, "a choice between %s and %s by %s", dtype_name(a->dtype),
                         dtype_name(b->dtype), dtype_name(condition->dtype));
    out->dtype = a->dtype;
    if (shape_broadcast(&a->shape, &b->shape, &chosen, err) != 0)
        return -1;
    return shape_broadcast(&condition->shape, &chosen, &out->shape, err);
}
