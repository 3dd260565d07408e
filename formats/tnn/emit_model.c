/* emit_model.c — a plan as the two files of a TNN model, in memory.
 *
 * Integer layers carry the prefix "Quantized"; where codes meet floats TNN itself inserts the conversions when it loads
 * the model, given a scale for every blob that an integer layer touches. Known difference to the plan's arithmetic: TNN
 * joins a quantized 1x1 convolution and the Add that follows it, and then does not round between the two.
 */
#include "formats/tnn/emit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void (*const emitters[OP_COUNT])(struct tnn_emit *, const struct node *) = {
    [OP_CONV] = tnn_emit_conv,           [OP_DECONV] = tnn_emit_conv,
    [OP_DENSE] = tnn_emit_dense,         [OP_MATMUL] = tnn_emit_matmul,
    [OP_POOL] = tnn_emit_pool,           [OP_ACTIVATION] = tnn_emit_activation,
    [OP_PRELU] = tnn_emit_prelu,         [OP_BINARY] = tnn_emit_binary,
    [OP_CONCAT] = tnn_emit_concat,       [OP_SOFTMAX] = tnn_emit_softmax,
    [OP_RESHAPE] = tnn_emit_reshape,     [OP_TRANSPOSE] = tnn_emit_transpose,
    [OP_SLICE] = tnn_emit_slice,         [OP_PAD] = tnn_emit_pad,
    [OP_NORMALIZE] = tnn_emit_normalize, [OP_LRN] = tnn_emit_lrn,
    [OP_REDUCE] = tnn_emit_reduce,       [OP_RESIZE] = tnn_emit_resize,
    [OP_IDENTITY] = tnn_emit_reshape,    [OP_LAYER_NORM] = tnn_emit_layer_norm,
};

/* ---- What emitters of operators share */

void tnn_cannot(struct tnn_emit *e, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tnn_writer_fail(&e->writer, EX_UNAVAILABLE, "%s", text);
}

bool tnn_is_integer(const struct tnn_emit *e, const struct node *node)
{
    return e->plan->nodes[tnn_index(e, node)].is_quantized;
}

void tnn_simple_layer(struct tnn_emit *e, const struct node *node, const char *type)
{
    tnn_layer_begin(&e->writer, false, type, tnn_layer_name(e, node), &e->blobs[node->inputs[0]], 1,
                    &e->blobs[node->outputs[0]], 1);
}

/* TNN's tool writes 0 for a channel that was never seen alive. */
static const float *written_scales(struct tnn_emit *e, const struct plan_value *value, struct error *err)
{
    float *scales;

    if (!e->plan->profile->is_tool_exact)
        return value->scale;
    scales = arena_create_array(e->arena, value->n_scales, sizeof *scales, err);
    for (size_t c = 0; scales != NULL && c < value->n_scales; c++)
        scales[c] = value->scale[c] == PLAN_DEAD_SCALE ? 0 : value->scale[c];
    return scales;
}

static void put_scale(struct tnn_emit *e, const struct plan_value *value, const char *blob)
{
    struct error err = {0};
    char *name = arena_format(e->arena, &err, "%s" TNN_SCALE_SUFFIX, blob);
    const float *scales = name == NULL ? NULL : written_scales(e, value, &err);

    if (scales == NULL) {
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
        return;
    }
    tnn_resource_begin(&e->writer, "BlobScale", name);
    tnn_put_zeros(&e->writer, TNN_INT8, value->n_scales); /* zero points */
    tnn_put_raw(&e->writer, TNN_FLOAT32, scales, value->n_scales, NULL);
    tnn_put_zeros(&e->writer, TNN_INT32, value->n_scales); /* a bias that nobody uses */
}

void tnn_put_scale_as(struct tnn_emit *e, int value, const char *blob)
{
    const struct plan_value *v = &e->plan->values[value];

    if (!v->is_quantized || v->n_scales == 0)
        tnn_writer_fail(&e->writer, EX_SOFTWARE, "it is computed on integers, but the plan has no scale for \"%s\"",
                        e->graph->values[value].name);
    else if (blob != e->blobs[value])
        put_scale(e, v, blob);
    else if (!e->has_scale[e->owner[value]]) {
        e->has_scale[e->owner[value]] = true;
        put_scale(e, v, blob);
    }
}

void tnn_put_scale(struct tnn_emit *e, int value)
{
    tnn_put_scale_as(e, value, e->blobs[value]);
}

const char *tnn_output_before(struct tnn_emit *e, const struct node *node, bool expressed)
{
    const char *output = e->blobs[node->outputs[0]];

    return expressed || node->fused.kind == ACTIVATION_NONE ? output : tnn_fresh_name(e, output, "before");
}

/* The activation shares the scale of the integer layer before it: clipping codes is clipping values then. */
void tnn_finish_activation(struct tnn_emit *e, const struct node *node, const char *blob)
{
    const char *output = e->blobs[node->outputs[0]];
    bool is_integer = tnn_is_integer(e, node) && node->fused.kind == ACTIVATION_RELU;

    if (blob == output)
        return;
    tnn_put_activation(e, node->fused, is_integer, tnn_fresh_name(e, tnn_layer_name(e, node), "activation"), blob,
                       output);
    if (is_integer)
        tnn_put_scale(e, node->outputs[0]);
}

/* ---- Before writing */

static bool same_scale(const struct plan_value *a, const struct plan_value *b)
{
    if (a->is_quantized != b->is_quantized)
        return false;
    return !a->is_quantized ||
           (a->n_scales == b->n_scales && memcmp(a->scale, b->scale, a->n_scales * sizeof *a->scale) == 0);
}

bool tnn_feeds_only_dense(const struct graph *graph, int value)
{
    if (graph_is_output(graph, value))
        return false;
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] == value && graph->nodes[n].op != OP_DENSE)
                return false;
    return true;
}

/* An inner product flattens by itself, so the reshape before it needs no layer; as a float layer it would only cost two
 * conversions. */
static bool is_flattened_anyway(const struct tnn_emit *e, const struct node *node)
{
    int x = node->inputs[0], y = node->outputs[0];
    const struct shape *from = tnn_value_shape(e, x), *to = tnn_value_shape(e, y);

    return node->op == OP_RESHAPE && !e->graph->values[x].is_constant && to->rank == 2 && from->rank >= 2 &&
           from->dims[0] == to->dims[0] && same_scale(&e->plan->values[x], &e->plan->values[y]) &&
           tnn_feeds_only_dense(e->graph, y);
}

/* TNN has no layer that does nothing. One that an output needs for its name is written as a reshape. */
static bool is_superfluous(const struct tnn_emit *e, const struct node *node)
{
    return node->op == OP_IDENTITY && !graph_is_output(e->graph, node->outputs[0]);
}

/* In the order of execution, so that what reads a shared blob may share it further. */
static void absorb_nodes(struct tnn_emit *e)
{
    for (size_t n = 0; n < e->graph->n_nodes; n++) {
        const struct node *node = &e->graph->nodes[n];

        if (!is_superfluous(e, node) && !is_flattened_anyway(e, node))
            continue;
        e->is_absorbed[n] = true;
        e->owner[node->outputs[0]] = e->owner[node->inputs[0]];
        e->blobs[node->outputs[0]] = e->blobs[node->inputs[0]];
    }
}

/* "name ndims d.. dtype : name ..." */
static char *inputs_record(struct tnn_emit *e, struct error *err)
{
    char *record = arena_copy_string(e->arena, "", err);

    for (size_t i = 0; i < e->graph->n_inputs && record != NULL; i++) {
        const struct shape *shape = &e->graph->values[e->graph->inputs[i]].shape;
        const char *name = e->blobs[e->graph->inputs[i]];

        tnn_add_blob(&e->writer, name);
        record = arena_format(e->arena, err, "%s%s%s %zu", record, i > 0 ? " : " : "", name, shape->rank);
        for (size_t k = 0; k < shape->rank && record != NULL; k++)
            record = arena_format(e->arena, err, "%s %lld", record, (long long)shape->dims[k]);
        if (record != NULL)
            record = arena_format(e->arena, err, "%s %d", record, TNN_FLOAT32);
    }
    return record;
}

static char *outputs_record(struct tnn_emit *e, struct error *err)
{
    char *record = arena_copy_string(e->arena, "", err);

    for (size_t i = 0; i < e->graph->n_outputs && record != NULL; i++)
        record = arena_format(e->arena, err, "%s%s%s", record, i > 0 ? " " : "", e->blobs[e->graph->outputs[i]]);
    return record;
}

/* ---- Writing */

/* TNN merges an activation into the convolution record before it without asking whether it reads its output, provided
 * that no layer does. Convolutions that only feed outputs of the network therefore come last. */
static bool comes_last(const struct tnn_emit *e, const struct node *node)
{
    size_t as_output = 0;

    if (node->op != OP_CONV)
        return false;
    for (size_t i = 0; i < e->graph->n_outputs; i++)
        as_output += e->graph->outputs[i] == node->outputs[0];
    return as_output > 0 && graph_count_consumers(e->graph, node->outputs[0]) == as_output;
}

static int emit_node(struct tnn_emit *e, const struct node *node)
{
    if (e->is_absorbed[tnn_index(e, node)])
        return 0;
    if (emitters[node->op] != NULL)
        emitters[node->op](e, node);
    else
        tnn_cannot(e, "%s has no form in TNN", op_name(node->op));
    return e->writer.has_failed ? error_in(e->writer.err, "node \"%s\" (%s)", node->name, node->type) : 0;
}

static int emit_nodes(struct tnn_emit *e)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t n = 0; n < e->graph->n_nodes; n++)
            if (comes_last(e, &e->graph->nodes[n]) == (pass == 1) && emit_node(e, &e->graph->nodes[n]) != 0)
                return -1;
    return 0;
}

static int build(struct tnn_emit *e, struct buffer *proto, struct buffer *model, struct error *err)
{
    const struct graph *graph = e->graph;
    const char *inputs, *outputs;

    e->blobs = arena_create_array(e->arena, graph->n_values, sizeof *e->blobs, err);
    e->owner = arena_create_array(e->arena, graph->n_values, sizeof *e->owner, err);
    e->layers = arena_create_array(e->arena, graph->n_nodes, sizeof *e->layers, err);
    e->is_absorbed = arena_create_array(e->arena, graph->n_nodes, sizeof *e->is_absorbed, err);
    e->has_scale = arena_create_array(e->arena, graph->n_values, sizeof *e->has_scale, err);
    if (e->blobs == NULL || e->owner == NULL || e->layers == NULL || e->is_absorbed == NULL || e->has_scale == NULL ||
        tnn_choose_names(e, err) != 0)
        return -1;
    for (size_t i = 0; i < graph->n_values; i++)
        e->owner[i] = (int)i;
    absorb_nodes(e);
    inputs = inputs_record(e, err);
    outputs = inputs == NULL ? NULL : outputs_record(e, err);
    if (outputs == NULL || emit_nodes(e) != 0)
        return -1;
    return tnn_writer_finish(&e->writer, inputs, outputs, proto, model);
}

int tnn_write_model(const struct plan *plan, struct buffer *proto, struct buffer *model, struct error *err)
{
    struct tnn_emit e = {.plan = plan, .graph = plan->graph, .arena = arena_create(err)};
    int rc = -1;

    *proto = *model = (struct buffer){0};
    tnn_writer_init(&e.writer, err);
    if (e.arena != NULL)
        rc = build(&e, proto, model, err);
    tnn_writer_fini(&e.writer);
    arena_destroy(e.arena);
    return rc;
}
