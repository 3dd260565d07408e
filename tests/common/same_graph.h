/* same_graph.h — are two graphs the same network? Whatever the order of their nodes, and the names inside.
 *
 * Outputs are paired in order, inputs by name; from there every value has one partner. Constants are compared bit for
 * bit, attributes by what they mean: a pool by the windows that it really averages, so that pads written another way
 * are no difference.
 */
#ifndef ETALON_TESTS_SAME_GRAPH_H
#define ETALON_TESTS_SAME_GRAPH_H

#include "build_graph.h"

#include <stdio.h>
#include <stdlib.h>

struct comparison {
    const struct graph *a, *b;
    int *partner; /* of a's values among b's; GRAPH_NONE: not met yet */
    char why[256];
};

static inline bool differ(struct comparison *c, const struct node *node, const char *what)
{
    snprintf(c->why, sizeof c->why, "node \"%.80s\" (%s): %s", node->name, op_name(node->op), what);
    return false;
}

static inline bool same_pairs(const int64_t a[2], const int64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

static inline bool same_activation(struct activation a, struct activation b)
{
    static const uint32_t has_alpha = 1u << ACTIVATION_LEAKY_RELU | 1u << ACTIVATION_CLIP | 1u << ACTIVATION_ELU |
                                      1u << ACTIVATION_SWISH | 1u << ACTIVATION_HARD_SIGMOID |
                                      1u << ACTIVATION_HARD_SWISH | 1u << ACTIVATION_POWER |
                                      1u << ACTIVATION_THRESHOLDED_RELU;
    static const uint32_t has_beta =
        1u << ACTIVATION_CLIP | 1u << ACTIVATION_HARD_SIGMOID | 1u << ACTIVATION_HARD_SWISH;

    return a.kind == b.kind && ((has_alpha >> a.kind & 1) == 0 || a.alpha == b.alpha) &&
           ((has_beta >> a.kind & 1) == 0 || a.beta == b.beta);
}

/* Dilation means nothing to a kernel of 1. */
static inline bool same_window(const struct window *a, const struct window *b)
{
    for (size_t k = 0; k < 2; k++)
        if (a->kernel[k] > 1 && a->dilation[k] != b->dilation[k])
            return false;
    return same_pairs(a->kernel, b->kernel) && same_pairs(a->stride, b->stride) &&
           same_pairs(a->pad_begin, b->pad_begin);
}

/* What window `o` of an average along axis k divides by. */
static inline int64_t taps(const struct node *pool, const struct shape *x, size_t k, int64_t o)
{
    const struct window *w = &pool->attr.pool.window;
    int64_t in = x->dims[x->rank - 2 + k], begin = o * w->stride[k] - w->pad_begin[k], end = begin + w->kernel[k];
    int64_t last = pool->attr.pool.count_include_pad ? in + w->pad_end[k] : in;

    if (!pool->attr.pool.count_include_pad && begin < 0)
        begin = 0;
    return (end < last ? end : last) - begin;
}

static inline bool same_pool(const struct node *a, const struct node *b, const struct shape *x)
{
    if (a->attr.pool.kind != b->attr.pool.kind || !same_window(&a->attr.pool.window, &b->attr.pool.window) ||
        !same_pairs(a->attr.pool.output, b->attr.pool.output))
        return false;
    for (size_t k = 0; k < 2 && a->attr.pool.kind == POOL_AVERAGE; k++)
        for (int64_t o = 0; o < a->attr.pool.output[k]; o++)
            if (taps(a, x, k, o) != taps(b, x, k, o))
                return false;
    return true;
}

static inline bool same_pad(const struct node *a, const struct node *b, size_t rank)
{
    return a->attr.pad.mode == b->attr.pad.mode && a->attr.pad.value == b->attr.pad.value &&
           memcmp(a->attr.pad.begin, b->attr.pad.begin, rank * sizeof(int64_t)) == 0 &&
           memcmp(a->attr.pad.end, b->attr.pad.end, rank * sizeof(int64_t)) == 0;
}

static inline bool same_resize(const struct node *a, const struct node *b)
{
    return a->attr.resize.mode == b->attr.resize.mode && a->attr.resize.coordinates == b->attr.resize.coordinates &&
           (a->attr.resize.mode != RESIZE_NEAREST || a->attr.resize.rounding == b->attr.resize.rounding) &&
           memcmp(a->attr.resize.scale, b->attr.resize.scale, sizeof a->attr.resize.scale) == 0;
}

static inline bool same_attributes(const struct node *a, const struct node *b, const struct shape *x)
{
    switch (a->op) {
    case OP_CONV:
    case OP_DECONV:
        return a->attr.conv.group == b->attr.conv.group &&
               same_pairs(a->attr.conv.output_padding, b->attr.conv.output_padding) &&
               same_window(&a->attr.conv.window, &b->attr.conv.window) &&
               same_pairs(a->attr.conv.window.pad_end, b->attr.conv.window.pad_end);
    case OP_POOL:
        return same_pool(a, b, x);
    case OP_ACTIVATION:
        return same_activation(a->attr.activation, b->attr.activation);
    case OP_BINARY:
        return a->attr.binary.kind == b->attr.binary.kind;
    case OP_CONCAT:
        return a->attr.axis == b->attr.axis;
    case OP_SOFTMAX:
        return a->attr.softmax.axis == b->attr.softmax.axis && a->attr.softmax.is_log == b->attr.softmax.is_log;
    case OP_TRANSPOSE:
        return memcmp(a->attr.perm, b->attr.perm, x->rank * sizeof(int64_t)) == 0;
    case OP_SLICE:
        return memcmp(a->attr.slice.begin, b->attr.slice.begin, x->rank * sizeof(int64_t)) == 0;
    case OP_PAD:
        return same_pad(a, b, x->rank);
    case OP_LRN:
        return memcmp(&a->attr.lrn, &b->attr.lrn, sizeof a->attr.lrn) == 0;
    case OP_REDUCE:
        return a->attr.reduce.kind == b->attr.reduce.kind && a->attr.reduce.axes == b->attr.reduce.axes &&
               a->attr.reduce.keep_dims == b->attr.reduce.keep_dims;
    case OP_RESIZE:
        return same_resize(a, b);
    default:
        return true; /* the shapes say it all */
    }
}

static inline bool same_value(struct comparison *c, const struct node *reader, int a, int b);

/* An absent bias and one of GRAPH_NONE are the same. */
static inline bool same_node(struct comparison *c, const struct node *a, const struct node *b)
{
    size_t n = a->n_inputs > b->n_inputs ? a->n_inputs : b->n_inputs;

    if (a->op != b->op || !same_activation(a->fused, b->fused))
        return differ(c, a, a->op != b->op ? "became another operator" : "its fused activation");
    for (size_t i = 0; i < n; i++)
        if (!same_value(c, a, i < a->n_inputs ? a->inputs[i] : GRAPH_NONE, i < b->n_inputs ? b->inputs[i] : GRAPH_NONE))
            return false;
    return same_attributes(a, b, &c->a->values[a->inputs[0]].shape) || differ(c, a, "its attributes");
}

static inline bool same_constant(const struct value *a, const struct value *b)
{
    return a->dtype == b->dtype && a->is_constant && b->is_constant &&
           memcmp(a->data, b->data, (size_t)shape_elements(&a->shape) * dtype_size(a->dtype)) == 0;
}

/* Operands that broadcast may have leading axes of 1 or not. */
static inline bool same_shape(const struct value *a, const struct value *b)
{
    struct shape x = a->shape, y = b->shape;

    while (a->is_constant && x.rank > 0 && x.dims[0] == 1 && x.rank > y.rank)
        memmove(x.dims, x.dims + 1, --x.rank * sizeof *x.dims);
    while (b->is_constant && y.rank > 0 && y.dims[0] == 1 && y.rank > x.rank)
        memmove(y.dims, y.dims + 1, --y.rank * sizeof *y.dims);
    return shape_equal(&x, &y);
}

static inline bool same_value(struct comparison *c, const struct node *reader, int a, int b)
{
    const struct value *x, *y;

    if (a == GRAPH_NONE || b == GRAPH_NONE)
        return a == b || differ(c, reader, "has an input only once");
    x = &c->a->values[a];
    y = &c->b->values[b];
    if (!same_shape(x, y))
        return differ(c, reader, "the shape of an input");
    if (x->is_constant || y->is_constant)
        return same_constant(x, y) || differ(c, reader, "a constant");
    if (c->partner[a] != GRAPH_NONE)
        return c->partner[a] == b || differ(c, reader, "an input comes from elsewhere");
    c->partner[a] = b;
    if (x->producer == GRAPH_NONE || y->producer == GRAPH_NONE)
        return (x->producer == y->producer && strcmp(x->name, y->name) == 0) || differ(c, reader, "a graph input");
    return same_node(c, &c->a->nodes[x->producer], &c->b->nodes[y->producer]);
}

/* false: `why` (256 bytes) says what differs first. */
static inline bool same_graph(const struct graph *a, const struct graph *b, char *why)
{
    struct comparison c = {.a = a, .b = b, .partner = malloc((a->n_values + 1) * sizeof(int))};
    bool is_same = a->n_outputs == b->n_outputs && a->n_nodes == b->n_nodes && a->n_inputs == b->n_inputs;

    assert_non_null(c.partner);
    snprintf(c.why, sizeof c.why, "%zu inputs, %zu nodes, %zu outputs became %zu, %zu, %zu", a->n_inputs, a->n_nodes,
             a->n_outputs, b->n_inputs, b->n_nodes, b->n_outputs);
    for (size_t i = 0; i < a->n_values; i++)
        c.partner[i] = GRAPH_NONE;
    for (size_t i = 0; i < a->n_outputs && is_same; i++) {
        int producer = a->values[a->outputs[i]].producer;

        is_same = same_value(&c, &a->nodes[producer < 0 ? 0 : producer], a->outputs[i], b->outputs[i]);
    }
    free(c.partner);
    memcpy(why, c.why, sizeof c.why);
    return is_same;
}

#endif
