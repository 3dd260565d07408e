/* write_net.c — a whole graph as a Caffe network: inputs, nodes in order, outputs; see write.h.
 *
 * Caffe's outputs are the blobs that no layer reads, in the order of the file. Where that gives others than the
 * graph's, each output is written under another name, and copied to its own at the end of the file.
 */
#include "formats/caffe/write.h"

#include <stdlib.h>

static void (*const write_op[OP_COUNT])(struct caffe_writer *) = {
    [OP_CONV] = caffe_write_conv,         [OP_DECONV] = caffe_write_conv,     [OP_DENSE] = caffe_write_dense,
    [OP_MATMUL] = caffe_write_matmul,     [OP_POOL] = caffe_write_pool,       [OP_ACTIVATION] = caffe_write_activation,
    [OP_PRELU] = caffe_write_prelu,       [OP_BINARY] = caffe_write_binary,   [OP_CONCAT] = caffe_write_concat,
    [OP_SOFTMAX] = caffe_write_softmax,   [OP_RESHAPE] = caffe_write_reshape, [OP_TRANSPOSE] = caffe_write_transpose,
    [OP_SLICE] = caffe_write_slice,       [OP_PAD] = caffe_write_pad,         [OP_NORMALIZE] = caffe_write_normalize,
    [OP_LRN] = caffe_write_lrn,           [OP_REDUCE] = caffe_write_reduce,   [OP_RESIZE] = caffe_write_resize,
    [OP_IDENTITY] = caffe_write_identity,
};

/* ---- Outputs */

static bool is_listed_twice(const struct graph *graph, size_t output)
{
    for (size_t i = 0; i < output; i++)
        if (graph->outputs[i] == graph->outputs[output])
            return true;
    return false;
}

/* Are the outputs what Caffe takes for them? */
static bool outputs_are_unread_and_in_order(const struct graph *graph)
{
    int latest = GRAPH_NONE;

    for (size_t i = 0; i < graph->n_outputs; i++) {
        int producer = graph->values[graph->outputs[i]].producer;

        if (producer <= latest || graph_count_consumers(graph, graph->outputs[i]) > 1)
            return false;
        latest = producer;
    }
    return true;
}

static void rename_outputs(struct caffe_writer *w)
{
    for (size_t i = 0; i < w->graph->n_outputs && w->err.code == 0; i++) {
        const struct value *value = &w->graph->values[w->graph->outputs[i]];

        if (value->producer == GRAPH_NONE || is_listed_twice(w->graph, i))
            error_set(&w->err, EX_UNAVAILABLE, "output \"%s\": one that %s has no form in Caffe", value->name,
                      value->producer == GRAPH_NONE ? "is an input" : "is listed twice");
        w->blobs[w->graph->outputs[i]] = caffe_fresh_name(w, value->name, "copied");
    }
}

static void put_copies(struct caffe_writer *w)
{
    for (size_t i = 0; i < w->graph->n_outputs; i++) {
        const char *name = w->graph->values[w->graph->outputs[i]].name;

        caffe_put_simple(w, "Split", caffe_fresh_name(w, name, "copy"), w->blobs[w->graph->outputs[i]], name);
    }
}

/* ---- Layers */

static void put_input(struct caffe_writer *w, const char *top, const struct shape *x, int64_t batch)
{
    bool is_free = graph_find_node(w->graph, top) == GRAPH_NONE;
    Caffe__LayerParameter *layer =
        caffe_put_layer(w, "Input", is_free ? top : caffe_fresh_name(w, top, "input"), NULL, 0, &top, 1);
    Caffe__InputParameter *param = caffe_put_message(w, &caffe__input_parameter__descriptor);
    Caffe__BlobShape *shape = caffe_put_message(w, &caffe__blob_shape__descriptor);

    if (shape == NULL)
        return;
    param->shape = arena_create_array(w->arena, 1, sizeof *param->shape, &w->err);
    shape->dim = arena_create_array(w->arena, x->rank, sizeof *shape->dim, &w->err);
    if (w->err.code != 0)
        return;
    for (size_t i = 0; i < x->rank; i++)
        shape->dim[shape->n_dim++] = i == 0 ? batch : x->dims[i];
    param->shape[param->n_shape++] = shape;
    layer->input_param = param;
}

/* One input a record of the batch, "<name>_0", ..., and their join under the name. */
static void put_separate_inputs(struct caffe_writer *w, int value)
{
    const struct value *input = &w->graph->values[value];
    size_t n = (size_t)w->graph->batch;
    const char **records = arena_create_array(w->arena, n, sizeof *records, &w->err);

    for (size_t i = 0; i < n && w->err.code == 0; i++) {
        records[i] = arena_format(w->arena, &w->err, "%s_%zu", input->name, i);
        if (records[i] == NULL)
            return;
        if (graph_find_value(w->graph, records[i]) != GRAPH_NONE) {
            error_set(&w->err, EX_UNAVAILABLE, "input \"%s\" cannot be split: the network has a value \"%s\"",
                      input->name, records[i]);
            return;
        }
        put_input(w, records[i], &input->shape, 1);
    }
    caffe_put_concat(w, caffe_fresh_name(w, input->name, "batch"), records, n, w->blobs[value], 0);
}

static void put_inputs(struct caffe_writer *w)
{
    for (size_t i = 0; i < w->graph->n_inputs && w->err.code == 0; i++) {
        int value = w->graph->inputs[i];

        if (w->graph->values[value].is_separate)
            put_separate_inputs(w, value);
        else
            put_input(w, w->blobs[value], caffe_shape_of(w, value), w->graph->batch > 0 ? w->graph->batch : 1);
    }
}

static bool has_window(enum op op)
{
    return op == OP_CONV || op == OP_DECONV || op == OP_POOL;
}

/* Caffe's windows are over images: a sequence becomes one of a single row, and a sequence again behind them. */
static void put_sequence(struct caffe_writer *w, const struct shape *x)
{
    const char *to = w->to;
    struct shape y;

    w->x = (struct shape){4, {x->dims[0], x->dims[1], 1, x->dims[2]}};
    caffe_put_reshape(w, caffe_inner_name(w, "row"), w->from, caffe_inner_name(w, "row"), x, &w->x);
    w->from = caffe_inner_name(w, "row");
    w->to = caffe_inner_name(w, "result");
    write_op[w->node->op](w);
    y = *caffe_shape_of(w, w->node->outputs[0]);
    caffe_put_reshape(w, caffe_inner_name(w, "sequence"), w->to, to, &w->x, &y);
    w->to = to;
}

static void put_node(struct caffe_writer *w, const struct node *node)
{
    const char *top = w->blobs[node->outputs[0]];
    struct activation fused = node->fused;

    w->node = node;
    w->x = *caffe_shape_of(w, node->inputs[0]);
    w->from = w->blobs[node->inputs[0]];
    w->to = fused.kind == ACTIVATION_NONE || caffe_is_in_place(fused.kind) ? top : caffe_inner_name(w, "linear");
    if (write_op[node->op] == NULL)
        caffe_cannot(w, "%s has no form in Caffe", op_name(node->op));
    else if (has_window(node->op) && w->x.rank == 3)
        put_sequence(w, caffe_shape_of(w, node->inputs[0]));
    else
        write_op[node->op](w);
    if (fused.kind != ACTIVATION_NONE)
        caffe_put_activation(w, fused, caffe_inner_name(w, activation_name(fused.kind)), w->to, top);
}

enum { BUDGET_FACTOR = 64, BUDGET_NUMBERS = (64 << 20) / sizeof(float) };

static void start(struct caffe_writer *w)
{
    w->budget_numbers = BUDGET_NUMBERS;
    for (size_t i = 0; i < w->graph->n_values; i++) {
        const struct value *value = &w->graph->values[i];

        w->blobs[i] = value->name;
        if (value->is_constant) /* each is in memory, so the sum is far from overflowing */
            w->budget_numbers += BUDGET_FACTOR * (size_t)shape_elements(&value->shape);
    }
}

static void put_all(struct caffe_writer *w)
{
    const struct graph *graph = w->graph;
    bool are_plain = outputs_are_unread_and_in_order(graph);

    start(w);
    if (!are_plain)
        rename_outputs(w);
    put_inputs(w);
    for (size_t i = 0; i < graph->n_nodes && w->err.code == 0; i++)
        if (!w->is_put[i])
            put_node(w, &graph->nodes[i]);
    w->node = NULL;
    if (!are_plain)
        put_copies(w);
}

int caffe_write_net(struct caffe_writer *writer, const struct graph *graph, struct error *err)
{
    writer->graph = graph;
    caffe__net_parameter__init(&writer->net);
    writer->arena = arena_create(&writer->err);
    if (writer->arena != NULL) {
        writer->net.name = arena_copy_string(writer->arena, graph->name, &writer->err);
        writer->blobs = arena_create_array(writer->arena, graph->n_values, sizeof *writer->blobs, &writer->err);
        writer->is_put = arena_create_array(writer->arena, graph->n_nodes, sizeof *writer->is_put, &writer->err);
        if (writer->net.name != NULL && writer->blobs != NULL && writer->is_put != NULL)
            put_all(writer);
    }
    if (writer->err.code == 0)
        return 0;
    *err = writer->err;
    return -1;
}

void caffe_writer_fini(struct caffe_writer *writer)
{
    free(writer->net.layer);
    free(writer->sources);
    arena_destroy(writer->arena);
}
