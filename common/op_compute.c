/* op_compute.c — shape rules of operators that compute on features: dense, matmul, element-wise, reductions. */
#include "common/op_rules.h"

#include <math.h>

static int bad_shape(const char *expected, const struct value *found, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    return error_set(err, EX_DATAERR, "expected %s, found \"%s\" of shape %s", expected, found->name,
                     shape_text(&found->shape, text));
}

int rule_dense(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *w = node_input(graph, node, 1),
                       *b = node_input(graph, node, 2);
    char x_text[SHAPE_TEXT_BYTES], w_text[SHAPE_TEXT_BYTES];

    if (x->shape.rank != 2)
        return bad_shape("an input of N x K", x, err);
    if (w->shape.rank != 2 || shape_elements(&w->shape) == 0)
        return bad_shape("weights of O x K", w, err);
    if (x->shape.dims[1] != w->shape.dims[1])
        return error_set(err, EX_DATAERR, "input \"%s\" of shape %s does not match weights of shape %s", x->name,
                         shape_text(&x->shape, x_text), shape_text(&w->shape, w_text));
    if (b != NULL && rule_check_vector(b, w->shape.dims[0], "bias", err) != 0)
        return -1;
    out->shape = (struct shape){.rank = 2, .dims = {x->shape.dims[0], w->shape.dims[0]}};
    return 0;
}

int rule_matmul(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *a = node_input(graph, node, 0), *b = node_input(graph, node, 1);
    struct shape batch_a = a->shape, batch_b = b->shape;
    char a_text[SHAPE_TEXT_BYTES], b_text[SHAPE_TEXT_BYTES];

    if (a->shape.rank < 2 || b->shape.rank < 2)
        return error_set(err, EX_UNAVAILABLE, "matrix products of vectors (shapes %s and %s) are not supported",
                         shape_text(&a->shape, a_text), shape_text(&b->shape, b_text));
    if (a->shape.dims[a->shape.rank - 1] != b->shape.dims[b->shape.rank - 2])
        return error_set(err, EX_DATAERR, "matrices of shapes %s and %s do not multiply", shape_text(&a->shape, a_text),
                         shape_text(&b->shape, b_text));
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    if (shape_broadcast(&batch_a, &batch_b, &out->shape, err) != 0)
        return -1;
    out->shape.dims[out->shape.rank++] = a->shape.dims[a->shape.rank - 2];
    out->shape.dims[out->shape.rank++] = b->shape.dims[b->shape.rank - 1];
    return 0;
}

int rule_same(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    if (node->op == OP_ACTIVATION && (unsigned)node->attr.activation.kind >= ACTIVATION_COUNT)
        return error_set(err, EX_DATAERR, "unknown activation %d", (int)node->attr.activation.kind);
    out->shape = node_input(graph, node, 0)->shape;
    return 0;
}

int rule_prelu(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *slope = node_input(graph, node, 1);

    if (x->shape.rank < 2)
        return bad_shape("an input with channels", x, err);
    if ((slope->shape.rank != 1 || slope->shape.dims[0] != 1) &&
        rule_check_vector(slope, x->shape.dims[1], "slope", err) != 0)
        return -1;
    out->shape = x->shape;
    return 0;
}

int rule_binary(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *a = node_input(graph, node, 0), *b = node_input(graph, node, 1);

    if (a->dtype != b->dtype)
        return error_set(err, EX_DATAERR, "inputs \"%s\" (%s) and \"%s\" (%s) must be of one type", a->name,
                         dtype_name(a->dtype), b->name, dtype_name(b->dtype));
    if ((unsigned)node->attr.binary.kind >= BINARY_COUNT)
        return error_set(err, EX_DATAERR, "unknown operation %d", (int)node->attr.binary.kind);
    if (node->attr.binary.kind >= BINARY_FIRST_FOLDED && !(a->is_constant && b->is_constant))
        return error_set(err, EX_UNAVAILABLE, "it is computed of constants only, and \"%s\" is computed at run time",
                         a->is_constant ? b->name : a->name);
    if (node->attr.binary.kind >= BINARY_EQUAL)
        out->dtype = DTYPE_INT64;
    return shape_broadcast(&a->shape, &b->shape, &out->shape, err);
}

static int along_axis(const struct value *x, int64_t axis, struct inferred *out, struct error *err)
{
    if (axis < 0 || axis >= (int64_t)x->shape.rank)
        return error_set(err, EX_DATAERR, "axis %lld is not an axis of \"%s\" (%zu axes)", (long long)axis, x->name,
                         x->shape.rank);
    out->shape = x->shape;
    return 0;
}

int rule_softmax(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    return along_axis(node_input(graph, node, 0), node->attr.softmax.axis, out, err);
}

int rule_hardmax(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    return along_axis(node_input(graph, node, 0), node->attr.axis, out, err);
}

int rule_layer_norm(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    uint32_t axes = node->attr.layer_norm.axes;

    if (axes == 0 || axes >> x->shape.rank != 0)
        return error_set(err, EX_DATAERR, "expected axes below %zu, found the set 0x%x", x->shape.rank, (unsigned)axes);
    if (!(node->attr.layer_norm.epsilon >= 0) || !isfinite(node->attr.layer_norm.epsilon))
        return error_set(err, EX_DATAERR, "expected an epsilon of 0 or more, found %g",
                         (double)node->attr.layer_norm.epsilon);
    for (size_t i = 1; i < 3; i++) {
        const struct value *operand = node_input(graph, node, i);
        struct shape both;

        if (operand == NULL)
            continue;
        if (shape_broadcast(&x->shape, &operand->shape, &both, err) != 0 || !shape_equal(&both, &x->shape))
            return bad_shape("a scale and a shift that broadcast to the input's shape", operand, err);
    }
    out->shape = x->shape;
    return 0;
}

int rule_normalize(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);

    if (x->shape.rank < 2)
        return bad_shape("an input with channels", x, err);
    if (rule_check_vector(node_input(graph, node, 1), x->shape.dims[1], "scale", err) != 0 ||
        rule_check_vector(node_input(graph, node, 2), x->shape.dims[1], "shift", err) != 0)
        return -1;
    out->shape = x->shape;
    return 0;
}

int rule_lrn(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);

    if (x->shape.rank < 2)
        return bad_shape("an input with channels", x, err);
    if (node->attr.lrn.size < 1 || node->attr.lrn.size > GRAPH_MAX_EXTENT)
        return error_set(err, EX_DATAERR, "expected a positive window, found %lld", (long long)node->attr.lrn.size);
    if (!isfinite(node->attr.lrn.alpha) || !isfinite(node->attr.lrn.beta) || !isfinite(node->attr.lrn.k))
        return error_set(err, EX_DATAERR, "expected finite alpha, beta and k, found %g, %g and %g",
                         (double)node->attr.lrn.alpha, (double)node->attr.lrn.beta, (double)node->attr.lrn.k);
    out->shape = x->shape;
    return 0;
}

int rule_reduce(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct shape *x = &node_input(graph, node, 0)->shape;
    uint32_t axes = node->attr.reduce.axes;

    if (axes >> x->rank != 0)
        return error_set(err, EX_DATAERR, "expected axes below %zu, found the set 0x%x", x->rank, (unsigned)axes);
    if ((unsigned)node->attr.reduce.kind >= REDUCE_COUNT)
        return error_set(err, EX_DATAERR, "unknown reduction %d", (int)node->attr.reduce.kind);
    if (node->attr.reduce.kind >= REDUCE_FIRST_FOLDED) {
        if (!node_input(graph, node, 0)->is_constant)
            return error_set(err, EX_UNAVAILABLE,
                             "it is computed of constants only, and \"%s\" is computed at run time",
                             node_input(graph, node, 0)->name);
        if (axes == 0 || (axes & (axes - 1)) != 0)
            return error_set(err, EX_DATAERR, "expected one axis, found the set 0x%x", (unsigned)axes);
        out->dtype = DTYPE_INT64;
    }
    out->shape.rank = 0;
    for (size_t i = 0; i < x->rank; i++) {
        if ((axes >> i & 1) == 0)
            out->shape.dims[out->shape.rank++] = x->dims[i];
        else if (node->attr.reduce.keep_dims)
            out->shape.dims[out->shape.rank++] = 1;
    }
    return 0;
}
