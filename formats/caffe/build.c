/* build.c — see build.h. */
#include "formats/caffe/build.h"

#include "formats/caffe/codes.h"
#include "formats/caffe/wiring.h"
#include "formats/import_graph.h"

#include <stdarg.h>

/* ---- Errors */

int caffe_error_in(const struct caffe_layer *layer, struct error *err)
{
    return error_in(err, "layer \"%s\" (%s)", layer->name, layer->type);
}

int caffe_error(const struct caffe_layer *layer, struct error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_setv(err, code, format, args);
    va_end(args);
    return caffe_error_in(layer, err);
}

static int expect_count(const struct caffe_layer *layer, const char *what, int expected, size_t found,
                        struct error *err)
{
    size_t least = (size_t)(expected < 0 ? -expected : expected);

    if (expected < 0 ? found >= least : found == least)
        return 0;
    return caffe_error(layer, err, EX_DATAERR, "expected %s%zu %s, found %zu", expected < 0 ? "at least " : "", least,
                       what, found);
}

int caffe_expect(const struct caffe_layer *layer, int bottoms, int tops, struct error *err)
{
    return expect_count(layer, "bottoms", bottoms, layer->n_bottoms, err) < 0 ||
                   expect_count(layer, "tops", tops, layer->n_tops, err) < 0
               ? -1
               : 0;
}

/* ---- Shapes and values */

const struct shape *caffe_bottom_shape(const struct caffe_import *in, const struct caffe_layer *layer, size_t index)
{
    return &in->graph->values[layer->bottoms[index]].shape;
}

int caffe_axis(const struct caffe_layer *layer, int64_t axis, size_t rank, size_t *out, struct error *err)
{
    return import_axis(axis, rank, out, err) < 0 ? caffe_error_in(layer, err) : 0;
}

int caffe_copy_shape(const struct caffe_layer *layer, const Caffe__BlobShape *from, struct shape *to, struct error *err)
{
    if (from->n_dim == 0 || from->n_dim > TENSOR_MAX_RANK)
        return caffe_error(layer, err, EX_DATAERR, "expected a shape of 1 to %d axes, found %zu", TENSOR_MAX_RANK,
                           from->n_dim);
    to->rank = from->n_dim;
    for (size_t i = 0; i < from->n_dim; i++)
        to->dims[i] = from->dim[i];
    return 0;
}

static bool is_blob(const void *wiring, const char *name)
{
    return caffe_wiring_find(wiring, name) != GRAPH_NONE;
}

static const char *free_value_name(struct caffe_import *in, const char *base, struct error *err)
{
    const struct import_names names = {is_blob, in->wiring};

    return import_value_name(in->graph, &names, base, err);
}

static const char *inner_name(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                              struct error *err)
{
    const char *base = arena_format(in->graph->arena, err, "%s.%s", layer->name, what);

    return free_value_name(in, base, err);
}

/* Names of versions: see wiring.h. */
static const char *top_name(struct caffe_import *in, const struct caffe_blob *blob, struct error *err)
{
    const char *base;

    if (blob->name_is_input ? blob->version == 1 : blob->is_last)
        return blob->name;
    base = arena_format(in->graph->arena, err, "%s#%zu", blob->name, blob->version);
    return free_value_name(in, base, err);
}

int caffe_top(struct caffe_import *in, const struct caffe_layer *layer, size_t index, const struct shape *shape_or_null,
              struct error *err)
{
    struct caffe_blob *blob = &in->wiring->blobs[layer->tops[index]];
    const char *name = top_name(in, blob, err);
    int value = name == NULL ? -1 : graph_add_value(in->graph, name, DTYPE_FLOAT32, shape_or_null, err);

    if (value < 0)
        return caffe_error_in(layer, err);
    blob->value = value;
    return value;
}

int caffe_top_constant(struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                       const struct shape *shape, float **data, struct error *err)
{
    struct caffe_blob *blob = &in->wiring->blobs[layer->tops[index]];
    const char *name = top_name(in, blob, err);
    void *created = NULL;
    int value = name == NULL ? -1 : graph_create_constant(in->graph, name, DTYPE_FLOAT32, shape, &created, err);

    if (value < 0)
        return caffe_error_in(layer, err);
    *data = created;
    blob->value = value;
    return value;
}

int caffe_inner(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                const struct shape *shape_or_null, struct error *err)
{
    const char *name = inner_name(in, layer, what, err);
    int value = name == NULL ? -1 : graph_add_value(in->graph, name, DTYPE_FLOAT32, shape_or_null, err);

    return value < 0 ? caffe_error_in(layer, err) : value;
}

/* ---- Weights and constants */

static int find_blob(const struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                     struct caffe_stored_blob *out, struct error *err)
{
    struct error unused;

    if (in->weights == NULL)
        return caffe_error(layer, err, EX_CONFIG,
                           "it has weights, but no weights file is given: name the .caffemodel under model.weights");
    *out = (struct caffe_stored_blob){.index = index};
    if (caffe_weights_find(in->weights, layer->name, &out->layer, &unused) == 0 ||
        caffe_sharing_find(in->sharing, layer->param, index, out))
        return 0;
    caffe_weights_find(in->weights, layer->name, &out->layer, err);
    return caffe_error_in(layer, err);
}

int caffe_expect_blobs(const struct caffe_import *in, const struct caffe_layer *layer, size_t n, struct error *err)
{
    struct caffe_stored_blob blob;
    struct error unused;

    if (in->checkpoint != NULL) /* each is looked up by name */
        return 0;
    for (size_t i = 0; i < n; i++)
        if (find_blob(in, layer, i, &blob, err) < 0)
            return -1;
    if (caffe_weights_find(in->weights, layer->name, &blob.layer, &unused) < 0)
        return 0; /* all of them are others' */
    if (caffe_weights_claim(in->weights, layer->name, err) < 0)
        return caffe_error_in(layer, err);
    if (caffe_weights_count(blob.layer) != n)
        return caffe_error(layer, err, EX_DATAERR, "expected %zu blobs of weights, found %zu in %s", n,
                           caffe_weights_count(blob.layer), in->request->weights);
    return 0;
}

int caffe_blob_values(const struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                      const struct shape *shape, const float **values, struct error *err)
{
    struct caffe_stored_blob blob;

    if (in->checkpoint != NULL)
        return caffe_checkpoint_values(in, layer, index, shape, values, err);
    if (find_blob(in, layer, index, &blob, err) < 0)
        return -1;
    if (caffe_holds_codes(in, layer, &blob))
        return caffe_coded_values(in, layer, &blob, shape, values, err);
    if (caffe_weights_read(in->weights, blob.layer, blob.index, shape, in->graph->arena, values, err) < 0)
        return caffe_error_in(layer, err);
    return 0;
}

int caffe_blob_constant(struct caffe_import *in, const struct caffe_layer *layer, size_t index, const char *what,
                        const struct shape *shape, struct error *err)
{
    struct tensor tensor = {.dtype = DTYPE_FLOAT32, .shape = *shape};
    const char *name = inner_name(in, layer, what, err);
    const float *values;
    int constant;

    if (name == NULL)
        return caffe_error_in(layer, err);
    if (caffe_blob_values(in, layer, index, shape, &values, err) < 0)
        return -1;
    tensor.data = values;
    constant = graph_add_constant(in->graph, name, &tensor, err);
    return constant < 0 ? caffe_error_in(layer, err) : constant;
}

int caffe_constant(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                   const struct shape *shape, float **data, struct error *err)
{
    const char *name = inner_name(in, layer, what, err);
    void *created = NULL;
    int constant = name == NULL ? -1 : graph_create_constant(in->graph, name, DTYPE_FLOAT32, shape, &created, err);

    *data = created;
    return constant < 0 ? caffe_error_in(layer, err) : constant;
}

/* ---- Nodes */

/* The node that writes the first top bears the layer's name; one that writes another top, "<layer>.<top>"; one in
 * between, the name of its value, which is "<layer>.<what>". */
static const char *node_name(struct caffe_import *in, const struct caffe_layer *layer, int output, struct error *err)
{
    const char *base = in->graph->values[output].name;

    for (size_t i = 0; i < layer->n_tops; i++) {
        const struct caffe_blob *blob = &in->wiring->blobs[layer->tops[i]];

        if (blob->value != output)
            continue;
        base = i == 0 ? layer->name : arena_format(in->graph->arena, err, "%s.%s", layer->name, blob->name);
        break;
    }
    return base == NULL ? NULL : import_node_name(in->graph, base, err);
}

int caffe_add_node(struct caffe_import *in, const struct caffe_layer *layer, enum op op, const int *inputs,
                   size_t n_inputs, int output, struct error *err)
{
    const char *name = node_name(in, layer, output, err);
    int node = name == NULL ? -1 : graph_add_node(in->graph, op, name, layer->type, inputs, n_inputs, &output, 1, err);

    return node < 0 ? caffe_error_in(layer, err) : node;
}

int caffe_finish_node(struct caffe_import *in, int node, struct error *err)
{
    return graph_fold_node(in->graph, node, err);
}
