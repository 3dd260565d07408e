/* export.c — the exporter tensorflow: <base>.pb, a frozen graph that stock TensorFlow runs on a CPU. */
#include "formats/exporter.h"
#include "formats/tensorflow/tf_write.h"

enum form { PLAIN, LAST, EITHER };

/* How an operator is written, and in which form of its values: see tf_write.h. */
static const struct {
    tf_write_node *write;
    enum form form;
} writers[OP_COUNT] = {
    [OP_CONV] = {tf_write_conv, LAST},
    [OP_DECONV] = {tf_write_deconv, LAST},
    [OP_DENSE] = {tf_write_dense, PLAIN},
    [OP_MATMUL] = {tf_write_matmul, PLAIN},
    [OP_POOL] = {tf_write_pool, LAST},
    [OP_ACTIVATION] = {tf_write_activation, EITHER},
    [OP_PRELU] = {tf_write_prelu, EITHER},
    [OP_BINARY] = {tf_write_binary, EITHER},
    [OP_CONCAT] = {tf_write_concat, EITHER},
    [OP_SOFTMAX] = {tf_write_softmax, EITHER},
    [OP_RESHAPE] = {tf_write_reshape, EITHER},
    [OP_TRANSPOSE] = {tf_write_transpose, EITHER},
    [OP_SLICE] = {tf_write_slice, EITHER},
    [OP_PAD] = {tf_write_pad, EITHER},
    [OP_NORMALIZE] = {tf_write_normalize, EITHER},
    [OP_LRN] = {tf_write_lrn, LAST},
    [OP_REDUCE] = {tf_write_reduce, EITHER},
    [OP_RESIZE] = {tf_write_resize, LAST},
    [OP_IDENTITY] = {tf_write_identity, EITHER},
    [OP_GATHER] = {tf_write_gather, EITHER},
    [OP_LAYER_NORM] = {tf_write_layer_norm, EITHER},
};

static bool is_output(const struct tf_writer *w, int v)
{
    for (size_t i = 0; i < w->graph->n_outputs; i++)
        if (w->graph->outputs[i] == v)
            return true;
    return false;
}

/* Is it an input, handed on? */
static bool is_input(const struct tf_writer *w, const struct node *node, const char *name)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct tf_forms *x = node->inputs[i] == GRAPH_NONE ? NULL : &w->forms[node->inputs[i]];

        if (x != NULL && (x->plain == name || x->last == name))
            return true;
    }
    return false;
}

/* The result of a node, in the form w->is_last. */
static void keep_value(struct tf_writer *w, int v, const char *name)
{
    bool is_last = w->is_last && tf_has_channels_last(w->graph->values[v].shape.rank);

    *(is_last ? &w->forms[v].last : &w->forms[v].plain) = is_output(w, v) ? name : tf_name_result(w, v, name);
}

/* Images come with channels last; sequences as the graph has them: which axis is which, only their reader knows. */
static void write_inputs(struct tf_writer *w)
{
    for (size_t i = 0; i < w->graph->n_inputs; i++) {
        int v = w->graph->inputs[i];
        struct shape shape;

        w->is_last = w->graph->values[v].shape.rank == 4;
        shape = tf_file_shape(w, &w->graph->values[v].shape);
        *(w->is_last ? &w->forms[v].last : &w->forms[v].plain) =
            tf_put(w, "Placeholder", w->err.code != 0 ? "" : tf_take_name(w, v), NULL, 0);
        tf_put_type(w, "dtype", TF_FLOAT);
        tf_put_shape(w, "shape", &shape);
    }
}

/* Outputs are the last nodes, in their order, which nothing reads: so importers find them. They have the graph's own
 * order of axes: what reads them shall not notice. */
static void write_outputs(struct tf_writer *w)
{
    for (size_t i = 0; i < w->graph->n_outputs; i++) {
        int v = w->graph->outputs[i];
        const char *y = tf_plain(w, v);

        if (w->err.code == 0 && w->wanted[v] != NULL)
            w->forms[v].plain = tf_name_result(w, v, y);
    }
}

const char *tf_input_name(const struct tf_writer *w, size_t input)
{
    const struct tf_forms *forms = &w->forms[w->graph->inputs[input]];

    return w->graph->values[w->graph->inputs[input]].shape.rank == 4 ? forms->last : forms->plain;
}

const char *tf_output_name(const struct tf_writer *w, size_t output)
{
    return w->forms[w->graph->outputs[output]].plain;
}

/* The form that the first value has which is computed. */
static bool has_last(const struct tf_writer *w, const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != GRAPH_NONE && !w->graph->values[node->inputs[i]].is_constant)
            return w->forms[node->inputs[i]].last != NULL;
    return false;
}

static int write_nodes(struct tf_writer *w)
{
    for (size_t n = 0; n < w->graph->n_nodes && w->err.code == 0; n++) {
        const struct node *node = &w->graph->nodes[n];
        const char *y;

        w->begin[n] = w->n_nodes;
        w->is_last = writers[node->op].form == LAST || (writers[node->op].form == EITHER && has_last(w, node));
        if (writers[node->op].write == NULL || node->n_outputs != 1)
            tf_cannot(w, "%s has no form in the exporter", op_name(node->op));
        else {
            y = tf_activate(w, node->fused, writers[node->op].write(w, node, node->name), node->name);
            if (is_input(w, node, y))
                y = tf_step(w, "Identity", node->name, TF_INPUTS(y));
            keep_value(w, node->outputs[0], y);
        }
        if (w->err.code != 0)
            return error_in(&w->err, "node \"%s\" (%s)", node->name, node->type);
    }
    w->begin[w->graph->n_nodes] = w->n_nodes;
    return w->err.code == 0 ? 0 : -1;
}

int tf_write_graph(struct tf_writer *w, const struct graph *graph, const float *const *biases, struct error *err)
{
    if (tf_writer_init(w, graph, err) != 0)
        return -1;
    w->biases = biases;
    write_inputs(w);
    if (write_nodes(w) == 0)
        write_outputs(w);
    if (w->err.code == 0)
        return 0;
    *err = w->err;
    return error_in(err, "tensorflow");
}

static int write(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct tf_writer w;
    const ProtobufCMessage *file;
    int rc = tf_write_graph(&w, graph, NULL, err);

    if (rc == 0) {
        file = tf_writer_finish(&w, err);
        rc = file == NULL ? error_in(err, "tensorflow") : exporter_write_message(output, base, ".pb", file, err);
    }
    tf_writer_fini(&w);
    return rc;
}

const struct exporter exporter_tensorflow = {
    .name = "tensorflow",
    .summary = "TensorFlow frozen GraphDef, channels last: <name>.pb",
    .write = write,
};
