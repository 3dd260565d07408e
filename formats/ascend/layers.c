/* layers.c — the layers of a record in a GraphDef; see ascend.h. */
#include "formats/ascend/ascend.h"

#include "common/suggest.h"

#include <string.h>

/* Weights are [h][w][I][O]; depthwise [h][w][C][M], whose outputs are C x M; transposed [h][w][O][I]; products [K][O],
 * of which the vendor's tool takes one scale only. */
static const struct ascend_operator operators[] = {
    {"Conv2D", 0, 1, 4, 3, 1}, {"DepthwiseConv2dNative", 0, 1, 4, 2, 2},   {"Conv2DBackpropInput", 2, 1, 4, 2, 1},
    {"MatMul", 0, 1, 2, 2, 0}, {"AvgPool", 0, ASCEND_NO_WEIGHTS, 0, 0, 0},
};

const struct ascend_operator *ascend_operator_find(const char *type)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].type, type) == 0)
            return &operators[i];
    return NULL;
}

/* ---- the layer's own attributes ---- */

static bool is_true(const Tensorflow__NodeDef *node, const char *key)
{
    const Tensorflow__AttrValue *value = tf_attribute(node, key);

    return value != NULL && value->value_case == TENSORFLOW__ATTR_VALUE__VALUE_B && value->b;
}

static bool is_of_float(const Tensorflow__NodeDef *node, const char *key)
{
    const Tensorflow__AttrValue *value = tf_attribute(node, key);

    return value != NULL && value->value_case == TENSORFLOW__ATTR_VALUE__VALUE_TYPE &&
           value->type == TENSORFLOW__DATA_TYPE__DT_FLOAT;
}

static bool is_dilated(const Tensorflow__NodeDef *node)
{
    const Tensorflow__AttrValue *value = tf_attribute(node, "dilations");

    for (size_t i = 0; value != NULL && value->value_case == TENSORFLOW__ATTR_VALUE__VALUE_LIST && i < value->list->n_i;
         i++)
        if (value->list->i[i] != 1)
            return true;
    return false;
}

static int check_node(const struct ascend_operator *kind, const Tensorflow__NodeDef *node, struct error *err)
{
    if (kind == NULL)
        return error_set(err, EX_UNAVAILABLE, "%s takes no scales", tf_text(node->op));
    if (node->n_input <= kind->data || (kind->weights != ASCEND_NO_WEIGHTS && node->n_input <= kind->weights))
        return error_set(err, EX_DATAERR, "%s with %zu inputs", node->op, node->n_input);
    if (!is_of_float(node, "T"))
        return error_set(err, EX_UNAVAILABLE, "it does not compute in float32");
    if (is_true(node, "transpose_a") || is_true(node, "transpose_b"))
        return error_set(err, EX_UNAVAILABLE, "a product that transposes takes no scales");
    if (strcmp(node->op, "Conv2DBackpropInput") == 0 && is_dilated(node))
        return error_set(err, EX_UNAVAILABLE, "a dilated transposed convolution takes no scales");
    return 0;
}

/* ---- its weights ---- */

/* From the layer's input back to a Const, through Identity; all of it for this layer alone. */
static int find_filter(const struct tf_writer *w, struct ascend_layers *found, struct ascend_layer *layer,
                       struct error *err)
{
    const char *input = w->nodes[layer->node]->input[layer->kind->weights];
    size_t mark = (size_t)(layer - found->layers) + 1;
    struct tf_edge edge;

    for (size_t steps = 0; steps <= w->n_nodes; steps++) { /* a file may go in circles */
        const Tensorflow__NodeDef *node;

        if (!tf_names_find(&found->names, input, &edge) || edge.is_control || edge.port != 0)
            break;
        node = w->nodes[edge.node];
        if (found->readers[edge.node] != 1)
            return error_set(err, EX_UNAVAILABLE, "its weights \"%s\" are not for it alone", node->name);
        found->of_filter[edge.node] = mark;
        layer->filter = edge.node;
        if (strcmp(node->op, "Const") == 0)
            return 0;
        if (strcmp(node->op, "Identity") != 0 || node->n_input != 1)
            break;
        input = node->input[0];
    }
    return error_set(err, EX_UNAVAILABLE, "its weights \"%s\" are not constant", input);
}

static int read_shape(const Tensorflow__TensorProto *tensor, struct shape *shape, struct error *err)
{
    const Tensorflow__TensorShapeProto *dims = tensor->tensor_shape;

    *shape = (struct shape){.rank = dims == NULL ? 0 : dims->n_dim};
    if (shape->rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "weights with %zu axes", shape->rank);
    for (size_t i = 0; i < shape->rank; i++)
        shape->dims[i] = dims->dim[i]->has_size ? dims->dim[i]->size : 0;
    return 0;
}

/* The elements where they are: as bytes, or as a list. */
static int read_filter(const struct tf_writer *w, struct ascend_layer *layer, struct error *err)
{
    const Tensorflow__AttrValue *value = tf_attribute(w->nodes[layer->filter], "value");
    const Tensorflow__TensorProto *tensor =
        value != NULL && value->value_case == TENSORFLOW__ATTR_VALUE__VALUE_TENSOR ? value->tensor : NULL;
    char text[SHAPE_TEXT_BYTES];
    int64_t n;

    if (tensor == NULL || !is_of_float(w->nodes[layer->filter], "dtype") ||
        tensor->dtype != TENSORFLOW__DATA_TYPE__DT_FLOAT)
        return error_set(err, EX_UNAVAILABLE, "its weights are not of float32");
    if (read_shape(tensor, &layer->shape, err) != 0)
        return -1;
    n = shape_elements(&layer->shape);
    if (layer->shape.rank != layer->kind->rank || n <= 0)
        return error_set(err, EX_DATAERR, "expected weights with %zu axes, found shape %s", layer->kind->rank,
                         shape_text(&layer->shape, text));
    if (tensor->has_tensor_content && tensor->tensor_content.len == (size_t)n * sizeof(float))
        layer->weights = tensor->tensor_content.data;
    else if (tensor->n_float_val == (size_t)n)
        layer->weights = tensor->float_val;
    else
        return error_set(err, EX_UNAVAILABLE, "its weights of shape %s are not written out",
                         shape_text(&layer->shape, text));
    return 0;
}

/* How the record's scales lie along the weights. */
static int match_scales(struct ascend_layer *layer, struct error *err)
{
    const struct ascend_operator *kind = layer->kind;
    size_t n = layer->scales->n_scale_w, outputs = 1;

    for (size_t i = kind->first; i < kind->first + kind->n_along; i++)
        outputs *= (size_t)layer->shape.dims[i];
    if (n != 1 && n != outputs)
        return error_set(err, EX_DATAERR, "expected %s%.0zu scales of weights, found %zu",
                         outputs == 1 ? "one" : "one or ", outputs == 1 ? 0 : outputs, n);
    if (n == 1)
        return 0;
    layer->channels = outputs;
    for (size_t i = kind->first + kind->n_along; i < kind->rank; i++)
        layer->inner *= (size_t)layer->shape.dims[i];
    return 0;
}

/* ---- all of them ---- */

static void count_readers(const struct tf_writer *w, struct ascend_layers *found)
{
    struct tf_edge edge;

    for (size_t i = 0; i < w->n_nodes; i++)
        for (size_t k = 0; k < w->nodes[i]->n_input; k++)
            if (tf_names_find(&found->names, w->nodes[i]->input[k], &edge))
                found->readers[edge.node]++;
}

/* Marks the nodes that the record names. */
static int mark_nodes(const Ascend__ScaleOffsetRecord *record, struct ascend_layers *found, struct error *err)
{
    struct tf_edge edge;

    for (size_t i = 0; i < record->n_record; i++) {
        const char *key = record->record[i]->key;

        if (!tf_names_find(&found->names, key, &edge) || edge.is_control || edge.port != 0)
            return error_set(err, EX_DATAERR, "layer \"%s\": the model has no such node; the nearest is \"%s\"", key,
                             found->names.n == 0 ? ""
                                                 : suggest_nearest(key, &found->names.sorted->name, found->names.n,
                                                                   sizeof *found->names.sorted));
        if (found->of_node[edge.node] != 0)
            return error_set(err, EX_DATAERR, "layer \"%s\" is there twice", key);
        found->of_node[edge.node] = i + 1;
    }
    return 0;
}

static int find_layer(const struct tf_writer *w, struct ascend_layers *found, struct ascend_layer *layer,
                      struct error *err)
{
    layer->channels = layer->inner = 1;
    layer->kind = ascend_operator_find(tf_text(w->nodes[layer->node]->op));
    if (check_node(layer->kind, w->nodes[layer->node], err) != 0)
        return -1;
    if (layer->kind->weights == ASCEND_NO_WEIGHTS)
        return layer->scales->n_scale_w == 0 ? 0 : error_set(err, EX_DATAERR, "a pool has no scales of weights");
    if (find_filter(w, found, layer, err) != 0 || read_filter(w, layer, err) != 0)
        return -1;
    return match_scales(layer, err);
}

static int reserve(struct tf_writer *w, size_t n_layers, struct ascend_layers *found, struct error *err)
{
    found->layers = arena_create_array(w->arena, n_layers, sizeof *found->layers, err);
    if (found->layers == NULL)
        return -1;
    found->of_node = arena_create_array(w->arena, w->n_nodes, sizeof *found->of_node, err);
    found->of_filter = arena_create_array(w->arena, w->n_nodes, sizeof *found->of_filter, err);
    found->readers = arena_create_array(w->arena, w->n_nodes, sizeof *found->readers, err);
    return found->of_node == NULL || found->of_filter == NULL || found->readers == NULL ? -1 : 0;
}

int ascend_layers_find(struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, struct ascend_layers *found,
                       struct error *err)
{
    Tensorflow__GraphDef file = TENSORFLOW__GRAPH_DEF__INIT;

    *found = (struct ascend_layers){0};
    file.n_node = w->n_nodes;
    file.node = w->nodes;
    if (tf_names_create(&file, &found->names, err) != 0 || reserve(w, record->n_record, found, err) != 0)
        return -1;
    count_readers(w, found);
    if (mark_nodes(record, found, err) != 0)
        return -1;
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct ascend_layer *layer = &found->layers[found->n];

        if (found->of_node[i] == 0)
            continue;
        layer->node = i;
        layer->scales = record->record[found->of_node[i] - 1]->value;
        found->of_node[i] = ++found->n;
        if (find_layer(w, found, layer, err) != 0)
            return error_in(err, "layer \"%s\"", w->nodes[i]->name);
    }
    return 0;
}

void ascend_layers_fini(struct ascend_layers *layers)
{
    tf_names_free(&layers->names);
}
