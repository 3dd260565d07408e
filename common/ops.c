/* ops.c — the table of operators: one row each, with name, arity and shape rule. */
#include "common/op_rules.h"

#include <assert.h>

enum {
    TAKES_FLOAT = 1,      /* every input is float32 */
    FUSES = 2,            /* may carry a fused activation */
    SHAPE_ARITHMETIC = 4, /* exists only before graph_fold_constants */
    MANY = 1 << 20,
};

static const struct {
    const char *name;
    size_t min_inputs, max_inputs;
    unsigned constants; /* bit i: input i must be a constant */
    unsigned flags;
    op_rule *rule; /* NULL: becomes another operator before it needs a shape */
} table[OP_COUNT] = {
    [OP_CONV] = {"conv", 2, 3, 6, TAKES_FLOAT | FUSES, rule_conv},
    [OP_DECONV] = {"deconv", 2, 3, 6, TAKES_FLOAT | FUSES, rule_deconv},
    [OP_DENSE] = {"dense", 2, 3, 6, TAKES_FLOAT | FUSES, rule_dense},
    [OP_MATMUL] = {"matmul", 2, 2, 0, TAKES_FLOAT, rule_matmul},
    [OP_POOL] = {"pool", 1, 1, 0, TAKES_FLOAT, rule_pool},
    [OP_ACTIVATION] = {"activation", 1, 1, 0, TAKES_FLOAT, rule_same},
    [OP_PRELU] = {"prelu", 2, 2, 2, TAKES_FLOAT, rule_prelu},
    [OP_BINARY] = {"binary", 2, 2, 0, FUSES, rule_binary},
    [OP_CONCAT] = {"concat", 1, MANY, 0, 0, rule_concat},
    [OP_SOFTMAX] = {"softmax", 1, 1, 0, TAKES_FLOAT, rule_softmax},
    [OP_RESHAPE] = {"reshape", 1, 1, 0, 0, rule_reshape},
    [OP_TRANSPOSE] = {"transpose", 1, 1, 0, 0, rule_transpose},
    [OP_SLICE] = {"slice", 1, 1, 0, 0, rule_slice},
    [OP_PAD] = {"pad", 1, 1, 0, 0, rule_pad},
    [OP_NORMALIZE] = {"normalize", 3, 3, 6, TAKES_FLOAT, rule_normalize},
    [OP_LRN] = {"lrn", 1, 1, 0, TAKES_FLOAT, rule_lrn},
    [OP_REDUCE] = {"reduce", 1, 1, 0, 0, rule_reduce},
    [OP_RESIZE] = {"resize", 1, 1, 0, TAKES_FLOAT, rule_resize},
    [OP_IDENTITY] = {"identity", 1, 1, 0, 0, rule_same},
    [OP_LAYER_NORM] = {"layer_norm", 1, 3, 6, TAKES_FLOAT, rule_layer_norm},
    [OP_HARDMAX] = {"hardmax", 1, 1, 0, TAKES_FLOAT, rule_hardmax},
    [OP_GATHER] = {"gather", 2, 2, 2, 0, rule_gather},
    [OP_SHAPE] = {"shape", 1, 1, 0, SHAPE_ARITHMETIC, rule_shape},
    [OP_CAST] = {"cast", 1, 1, 0, SHAPE_ARITHMETIC, rule_cast},
    [OP_FILL] = {"fill", 1, 1, 1, SHAPE_ARITHMETIC, rule_fill},
    [OP_RESHAPE_TO] = {"reshape_to", 2, 2, 2, SHAPE_ARITHMETIC, NULL},
    [OP_SLICE_TO] = {"slice_to", 3, 5, 30, SHAPE_ARITHMETIC, NULL},
    [OP_PAD_TO] = {"pad_to", 2, 3, 6, SHAPE_ARITHMETIC, NULL},
    [OP_EXPAND] = {"expand", 2, 2, 2, SHAPE_ARITHMETIC, rule_expand},
    [OP_RESIZE_TO] = {"resize_to", 2, 2, 2, SHAPE_ARITHMETIC, NULL},
    [OP_WHERE] = {"where", 3, 3, 7, SHAPE_ARITHMETIC, rule_where},
};

const char *op_name(enum op op)
{
    return (unsigned)op < OP_COUNT ? table[op].name : "unknown";
}

bool op_is_shape_arithmetic(enum op op)
{
    return (table[op].flags & SHAPE_ARITHMETIC) != 0;
}

bool op_may_fuse_activation(enum op op)
{
    return (table[op].flags & FUSES) != 0;
}

int node_error_in(const struct node *node, struct error *err)
{
    return error_in(err, "node \"%s\" (%s)", node->name, node->type);
}

int rule_check_vector(const struct value *vector, int64_t n, const char *what, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (vector->shape.rank == 1 && vector->shape.dims[0] == n)
        return 0;
    return error_set(err, EX_DATAERR, "%s \"%s\": expected shape %lld, found %s", what, vector->name, (long long)n,
                     shape_text(&vector->shape, text));
}

/* One input against its row: present, with a shape, constant and float32 where that is required. */
static int check_input(const struct graph *graph, const struct node *node, size_t slot, struct error *err)
{
    const struct value *value = node_input(graph, node, slot);

    if (value == NULL)
        return slot >= table[node->op].min_inputs ? 0 : error_set(err, EX_DATAERR, "input %zu is missing", slot);
    if (!value->has_shape)
        return error_set(err, EX_DATAERR, "the shape of its input \"%s\" is not known", value->name);
    if (slot < 32 && (table[node->op].constants >> slot & 1) != 0 && !value->is_constant)
        return error_set(err, EX_UNAVAILABLE, "expected a constant as input %zu, found \"%s\", computed at run time",
                         slot, value->name);
    if ((table[node->op].flags & TAKES_FLOAT) != 0 && value->dtype != DTYPE_FLOAT32)
        return error_set(err, EX_UNAVAILABLE, "expected float32 as input \"%s\", found %s", value->name,
                         dtype_name(value->dtype));
    return 0;
}

static int check_inputs(const struct graph *graph, const struct node *node, struct error *err)
{
    size_t min = table[node->op].min_inputs, max = table[node->op].max_inputs;

    if (node->n_inputs < min || node->n_inputs > max)
        return error_set(err, EX_DATAERR, "expected %zu to %zu inputs, found %zu", min, max, node->n_inputs);
    for (size_t i = 0; i < node->n_inputs; i++)
        if (check_input(graph, node, i, err) != 0)
            return -1;
    if (node->n_outputs != 1)
        return error_set(err, EX_DATAERR, "expected one output, found %zu", node->n_outputs);
    if (node->fused.kind != ACTIVATION_NONE && !op_may_fuse_activation(node->op))
        return error_set(err, EX_DATAERR, "a %s cannot carry a fused activation", op_name(node->op));
    if ((unsigned)node->fused.kind >= ACTIVATION_COUNT)
        return error_set(err, EX_DATAERR, "unknown fused activation %d", (int)node->fused.kind);
    return 0;
}

static int apply_rule(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (table[node->op].rule == NULL)
        return error_set(err, EX_UNAVAILABLE, "its parameters are not constants"); /* else it had become static */
    out->dtype = node_input(graph, node, 0)->dtype;
    if (table[node->op].rule(graph, node, out, err) != 0)
        return -1;
    if (shape_elements(&out->shape) < 0)
        return error_set(err, EX_DATAERR, "its output of shape %s is negative or has more than 2^31 elements",
                         shape_text(&out->shape, text));
    return 0;
}

int op_check(const struct graph *graph, const struct node *node, struct error *err)
{
    assert((unsigned)node->op < OP_COUNT);
    return check_inputs(graph, node, err) == 0 ? 0 : node_error_in(node, err);
}

int op_infer(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    if (op_check(graph, node, err) != 0)
        return -1;
    return apply_rule(graph, node, out, err) == 0 ? 0 : node_error_in(node, err);
}

int op_infer_output(struct graph *graph, int node, struct error *err)
{
    const struct node *n = &graph->nodes[node];
    struct value *value;
    struct inferred found;
    char declared_text[SHAPE_TEXT_BYTES], found_text[SHAPE_TEXT_BYTES];

    if (op_infer(graph, n, &found, err) != 0)
        return -1;
    value = &graph->values[n->outputs[0]];
    if (value->has_shape && !shape_equal(&value->shape, &found.shape)) {
        error_set(err, EX_DATAERR, "its output \"%s\" is declared with shape %s, but computed with shape %s",
                  value->name, shape_text(&value->shape, declared_text), shape_text(&found.shape, found_text));
        return node_error_in(n, err);
    }
    value->shape = found.shape;
    value->dtype = found.dtype;
    value->has_shape = true;
    return 0;
}

int graph_infer_shapes(struct graph *graph, struct error *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed && op_infer_output(graph, (int)i, err) != 0)
            return -1;
    return 0;
}
