/* export.c — the exporter tensorflow: <base>.pb, a frozen graph that stock TensorFlow runs on a CPU. */
#include "formats/exporter.h"
#include "formats/tensorflow/tf_write.h"

#include <stdlib.h>

static tf_write_node *const writers[OP_COUNT] = {
    [OP_CONV] = tf_write_conv,         [OP_DECONV] = tf_write_deconv,   [OP_DENSE] = tf_write_dense,
    [OP_MATMUL] = tf_write_matmul,     [OP_POOL] = tf_write_pool,       [OP_ACTIVATION] = tf_write_activation,
    [OP_PRELU] = tf_write_prelu,       [OP_BINARY] = tf_write_binary,   [OP_CONCAT] = tf_write_concat,
    [OP_SOFTMAX] = tf_write_softmax,   [OP_RESHAPE] = tf_write_reshape, [OP_TRANSPOSE] = tf_write_transpose,
    [OP_SLICE] = tf_write_slice,       [OP_PAD] = tf_write_pad,         [OP_NORMALIZE] = tf_write_normalize,
    [OP_LRN] = tf_write_lrn,           [OP_REDUCE] = tf_write_reduce,   [OP_RESIZE] = tf_write_resize,
    [OP_IDENTITY] = tf_write_identity, [OP_GATHER] = tf_write_gather,
};

static void write_inputs(struct tf_writer *w)
{
    for (size_t i = 0; i < w->graph->n_inputs; i++) {
        int v = w->graph->inputs[i];
        struct shape shape = tf_file_shape(&w->graph->values[v].shape);

        w->value[v] = tf_put(w, "Placeholder", tf_unique_name(w, w->graph->values[v].name), NULL, 0);
        tf_put_type(w, "dtype", TF_FLOAT);
        tf_put_shape(w, "shape", &shape);
    }
}

/* Outputs bear the user's names, so these are taken before any other; each is an Identity of what gives the value, in
 * the graph's own order of axes: what reads them shall not notice. */
static const char **take_output_names(struct tf_writer *w)
{
    const char **names =
        w->err.code != 0 ? NULL : arena_create_array(w->arena, w->graph->n_outputs, sizeof *names, &w->err);

    for (size_t i = 0; names != NULL && i < w->graph->n_outputs; i++) {
        const struct value *v = &w->graph->values[w->graph->outputs[i]];

        if (v->producer != GRAPH_NONE)
            names[i] = tf_unique_name(w, v->name);
    }
    return names;
}

static void write_outputs(struct tf_writer *w, const char *const *names)
{
    for (size_t i = 0; names != NULL && i < w->graph->n_outputs; i++)
        if (names[i] != NULL) {
            tf_put(w, "Identity", names[i], TF_INPUTS(tf_plain(w, w->graph->outputs[i])));
            tf_put_type(w, "T", TF_FLOAT);
        }
}

static int write_nodes(struct tf_writer *w)
{
    for (size_t n = 0; n < w->graph->n_nodes; n++) {
        const struct node *node = &w->graph->nodes[n];

        if (writers[node->op] == NULL || node->n_outputs != 1)
            tf_cannot(w, "%s has no form in the exporter", op_name(node->op));
        else
            w->value[node->outputs[0]] =
                tf_activate(w, node->fused, writers[node->op](w, node, node->name), node->name);
        if (w->err.code != 0)
            return error_in(&w->err, "node \"%s\" (%s)", node->name, node->type);
    }
    return 0;
}

static int write(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct tf_writer w;
    const char **names;
    uint8_t *bytes = NULL;
    size_t size;
    int rc = tf_writer_init(&w, graph, err);

    if (rc == 0) {
        write_inputs(&w);
        names = take_output_names(&w);
        if (write_nodes(&w) == 0)
            write_outputs(&w, names);
        rc = tf_writer_finish(&w, &bytes, &size, err) == 0 ? 0 : error_in(err, "tensorflow");
    }
    tf_writer_fini(&w);
    if (rc == 0)
        rc = exporter_write_file(output, base, ".pb", bytes, size, err);
    free(bytes);
    return rc;
}

const struct exporter exporter_tensorflow = {
    .name = "tensorflow",
    .summary = "TensorFlow frozen GraphDef, channels last: <name>.pb",
    .write = write,
};
