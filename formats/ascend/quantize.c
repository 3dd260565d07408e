/* quantize.c — quantization put around the layers of a GraphDef; see ascend.h.
 *
 *   x -> AscendQuant ---------------------------> layer -> AscendDequant -> whoever read the layer
 *   weights (int8) -> AscendWeightQuant(offset) -> layer
 *
 * BiasAdd and all that follows stay as they are, behind AscendDequant. AscendQuant's numbers are integers in float32
 * that are 0 for 0, whatever the offset, so neither pads nor biases need another thought.
 *
 * The plain style has TensorFlow's FakeQuantWithMinMaxVars in place of AscendQuant, and weights int8 -> Cast -> Mul by
 * their scale; the layer then gives reals at once.
 */
#define _GNU_SOURCE /* tdestroy */
#include "formats/ascend/ascend.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Codes of weights as the plan makes them (coordinator/weights.h). */
static const struct code_range weight_codes = {.lo = -127, .hi = 127};
enum { LEAST_CODE = -128, MOST_CODE = 127 };

/* An activation that is quantized already. */
struct quantized {
    const char *input, *output;
    float scale;
    int32_t offset;
};

struct rewriter {
    struct tf_writer *w;
    struct ascend_layers found;
    Tensorflow__NodeDef **nodes; /* of the file that is rewritten */
    size_t n_nodes;
    const char **results; /* [n_nodes] what gives what the node gave; NULL: it does still */
    void *quantized;      /* search tree of struct quantized */
    enum ascend_style style;
};

/* ---- names ---- */

/* "<scope>/<what>", where <scope> is the layer's name up to its last slash; with a number behind it where `op` in there
 * is taken. *name: that of the operator. */
static const char *module(struct tf_writer *w, const char *layer, const char *what, const char *op, const char **name)
{
    const char *slash = strrchr(layer, '/');
    int scope = slash == NULL ? 0 : (int)(slash + 1 - layer);
    char *path = NULL;

    *name = "";
    while (w->err.code == 0) {
        path = path == NULL ? arena_format(w->arena, &w->err, "%.*s%s", scope, layer, what)
                            : arena_format(w->arena, &w->err, "%.*s%s_%zu", scope, layer, what, ++w->n_made_up);
        *name = path == NULL ? "" : arena_format(w->arena, &w->err, "%s/%s", path, op);
        if (w->err.code == 0 && tf_claim_name(w, *name))
            return path;
    }
    return "";
}

static const char *constant(struct tf_writer *w, const char *path, const char *what, int32_t type,
                            const struct shape *shape, const void *data, size_t bytes)
{
    return tf_const_data(w, tf_name_near(w, path, what), type, shape, data, bytes);
}

static const char *scalar(struct tf_writer *w, const char *path, const char *what, double value)
{
    float *copy = w->err.code != 0 ? NULL : arena_create_array(w->arena, 1, sizeof *copy, &w->err);

    if (copy == NULL)
        return "";
    *copy = (float)value;
    return constant(w, path, what, TF_FLOAT, &(struct shape){0}, copy, sizeof *copy);
}

static const Tensorflow__NodeDef *node_of(const struct rewriter *r, const struct ascend_layer *layer)
{
    return r->nodes[layer->node];
}

/* ---- what the layer reads ---- */

static const char *put_quant(struct tf_writer *w, const char *x, const char *layer,
                             const Ascend__SingleLayerRecord *scales)
{
    const char *name;

    module(w, layer, "act_quant", "AscendQuant", &name);
    tf_put(w, "AscendQuant", name, TF_INPUTS(x));
    tf_put_type(w, "T", TF_FLOAT);
    tf_put_int(w, "quant_bits", 8);
    tf_put_float(w, "scale", 1.0F / scales->scale_d);
    tf_put_float(w, "offset", (float)scales->offset_d);
    return name;
}

static const char *put_fake_quant(struct tf_writer *w, const char *x, const char *layer,
                                  const Ascend__SingleLayerRecord *scales)
{
    double step = (double)scales->scale_d;
    const char *name, *path = module(w, layer, "act_quant", "FakeQuantWithMinMaxVars", &name), *low, *high;

    low = scalar(w, path, "min", (LEAST_CODE - scales->offset_d) * step);
    high = scalar(w, path, "max", (MOST_CODE - scales->offset_d) * step);
    tf_put(w, "FakeQuantWithMinMaxVars", name, TF_INPUTS(x, low, high));
    tf_put_int(w, "num_bits", 8);
    tf_put_bool(w, "narrow_range", false);
    return name;
}

static int compare_quantized(const void *a, const void *b)
{
    const struct quantized *x = a, *y = b;
    int order = strcmp(x->input, y->input);

    if (order == 0)
        order = (x->scale > y->scale) - (x->scale < y->scale);
    return order != 0 ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* Layers that read one tensor with one scale share the codes. */
static const char *quantize_input(struct rewriter *r, const struct ascend_layer *layer, const char *x)
{
    struct tf_writer *w = r->w;
    struct quantized *own = w->err.code != 0 ? NULL : arena_create_array(w->arena, 1, sizeof *own, &w->err), **found;

    if (own == NULL)
        return "";
    *own = (struct quantized){x, NULL, layer->scales->scale_d, layer->scales->offset_d};
    found = tsearch(own, &r->quantized, compare_quantized);
    if (found == NULL) {
        error_set(&w->err, EX_OSERR, "cannot allocate a name");
        return "";
    }
    if (*found == own)
        own->output =
            (r->style == ASCEND_PLAIN ? put_fake_quant : put_quant)(w, x, node_of(r, layer)->name, layer->scales);
    return (*found)->output;
}

/* ---- its weights ---- */

static float scale_of(const struct ascend_layer *layer, size_t i)
{
    return layer->scales->scale_w[i / layer->inner % layer->channels];
}

static int8_t *make_codes(struct tf_writer *w, const struct ascend_layer *layer)
{
    size_t n = (size_t)shape_elements(&layer->shape);
    int8_t *codes = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, 1, &w->err);

    for (size_t i = 0; codes != NULL && i < n; i++) {
        float weight;

        memcpy(&weight, (const char *)layer->weights + i * sizeof weight, sizeof weight);
        codes[i] = (int8_t)quantize(weight, scale_of(layer, i), weight_codes, ROUND_HALF_AWAY);
    }
    return codes;
}

/* The Const becomes one of codes, an Identity behind it hands those on. */
static void put_filter(struct rewriter *r, size_t node)
{
    const struct ascend_layer *layer = &r->found.layers[r->found.of_filter[node] - 1];
    const Tensorflow__NodeDef *old = r->nodes[node];

    if (node == layer->filter) {
        tf_const_data(r->w, old->name, TF_INT8, &layer->shape, make_codes(r->w, layer),
                      (size_t)shape_elements(&layer->shape));
        return;
    }
    tf_put(r->w, "Identity", old->name, TF_INPUTS(old->input[0]));
    tf_put_type(r->w, "T", TF_INT8);
}

/* Offsets are 0; their shape tells along which axis of the weights channels lie. Channels of a depthwise layer of
 * several outputs a channel lie along two, so it has a single one. */
static const char *put_weight_quant(struct rewriter *r, const struct ascend_layer *layer, const char *codes)
{
    struct tf_writer *w = r->w;
    struct shape shape = {.rank = 1, .dims = {1}};
    const char *name, *path = module(w, node_of(r, layer)->name, "weight_quant", "AscendWeightQuant", &name), *offsets;
    bool is_along_one = layer->channels > 1 && layer->channels == (size_t)layer->shape.dims[layer->kind->first];
    size_t n = is_along_one ? layer->channels : 1;

    if (is_along_one) {
        shape = (struct shape){4, {1, 1, 1, 1}};
        shape.dims[layer->kind->first] = (int64_t)n;
    }
    offsets = constant(w, path, "offset_w", TF_INT8, &shape,
                       w->err.code != 0 ? NULL : arena_create_array(w->arena, n, 1, &w->err), n);
    tf_put(w, "AscendWeightQuant", name, TF_INPUTS(codes, offsets));
    tf_put_type(w, "T", TF_FLOAT);
    return name;
}

/* codes x scale, which broadcasts from the right. */
static const char *put_weight_scale(struct rewriter *r, const struct ascend_layer *layer, const char *codes)
{
    struct tf_writer *w = r->w;
    const char *name, *path = module(w, node_of(r, layer)->name, "weight_quant", "Mul", &name), *scale, *cast;
    struct shape shape = {0};

    for (size_t i = layer->kind->first; layer->channels > 1 && i < layer->shape.rank; i++)
        shape.dims[shape.rank++] = i < layer->kind->first + layer->kind->n_along ? layer->shape.dims[i] : 1;
    scale = constant(w, path, "scale", TF_FLOAT, &shape, layer->scales->scale_w, layer->channels * sizeof(float));
    cast = tf_put(w, "Cast", tf_name_near(w, path, "Cast"), TF_INPUTS(codes));
    tf_put_type(w, "SrcT", TF_INT8);
    tf_put_type(w, "DstT", TF_FLOAT);
    tf_put(w, "Mul", name, TF_INPUTS(cast, scale));
    tf_put_type(w, "T", TF_FLOAT);
    return name;
}

/* ---- what it gives ---- */

static const Tensorflow__AttrValue__ListValue *list_of(const Tensorflow__NodeDef *node, const char *key)
{
    const Tensorflow__AttrValue *value = tf_attribute(node, key);

    return value != NULL && value->value_case == TENSORFLOW__ATTR_VALUE__VALUE_LIST ? value->list : NULL;
}

/* Of a pool the rows and columns of its window, by whose area the operator multiplies and divides; else 1 and 1. */
static void put_ksize(struct tf_writer *w, const Tensorflow__NodeDef *node, bool is_channels_last)
{
    const Tensorflow__AttrValue__ListValue *window = list_of(node, "ksize");
    int64_t size[2] = {1, 1};

    if (window != NULL && window->n_i == 4)
        memcpy(size, window->i + (is_channels_last ? 1 : 2), sizeof size);
    tf_put_ints(w, "ksize", size, 2);
}

/* A float32 in the lower half; in the upper one a shift and an offset of weights, both 0. */
static const char *put_deq_scale(struct tf_writer *w, const struct ascend_layer *layer, const char *dequant)
{
    struct shape shape = {.rank = 1, .dims = {(int64_t)layer->channels}};
    uint64_t *packed = w->err.code != 0 ? NULL : arena_create_array(w->arena, layer->channels, sizeof *packed, &w->err);

    for (size_t c = 0; packed != NULL && c < layer->channels; c++) {
        float scale = layer->scales->scale_d * (layer->scales->n_scale_w == 0 ? 1 : layer->scales->scale_w[c]);
        uint32_t bits;

        memcpy(&bits, &scale, sizeof bits);
        packed[c] = bits;
    }
    return constant(w, dequant, "deq_scale", TF_UINT64, &shape, packed, layer->channels * sizeof *packed);
}

static void put_dequant(struct rewriter *r, const struct ascend_layer *layer, const char *x, const char *name)
{
    const Tensorflow__NodeDef *node = node_of(r, layer);
    bool is_channels_last = true;

    tf_is_channels_last(node, &is_channels_last, &r->w->err);
    tf_put(r->w, "AscendDequant", name, TF_INPUTS(x, put_deq_scale(r->w, layer, name)));
    tf_put_type(r->w, "T", TF_FLOAT);
    put_ksize(r->w, node, is_channels_last);
    tf_put_text(r->w, "data_format", is_channels_last ? "NHWC" : "NCHW");
}

/* ---- the walk ---- */

/* What a node shall read instead of `input`. */
static const char *redirected(const struct rewriter *r, const char *input)
{
    struct tf_edge edge;

    if (!tf_names_find(&r->found.names, input, &edge) || edge.is_control || r->results[edge.node] == NULL)
        return input;
    return r->results[edge.node];
}

/* The node under `name`, with other inputs where they have moved. The attributes are shared. */
static Tensorflow__NodeDef *copy_node(struct rewriter *r, const Tensorflow__NodeDef *node, const char *name)
{
    struct tf_writer *w = r->w;
    Tensorflow__NodeDef *copy = w->err.code != 0 ? NULL : arena_create_array(w->arena, 1, sizeof *copy, &w->err);

    if (copy == NULL)
        return NULL;
    *copy = *node;
    copy->name = arena_copy_string(w->arena, name, &w->err);
    copy->input = w->err.code != 0 ? NULL : arena_create_array(w->arena, node->n_input, sizeof *copy->input, &w->err);
    for (size_t i = 0; copy->input != NULL && i < node->n_input; i++)
        copy->input[i] = (char *)(uintptr_t)redirected(r, node->input[i]); /* protobuf-c has no const */
    return copy;
}

static void put_layer(struct rewriter *r, const struct ascend_layer *layer)
{
    const Tensorflow__NodeDef *node = node_of(r, layer);
    bool is_plain = r->style == ASCEND_PLAIN;
    const char *result = r->results[layer->node], *name = node->name;
    Tensorflow__NodeDef *copy;

    if (!is_plain && result == NULL) { /* an output of the network keeps its name: the layer gives way */
        name = tf_name_near(r->w, node->name, node->op);
        result = node->name;
    }
    copy = copy_node(r, node, name);
    if (copy == NULL || copy->input == NULL)
        return;
    copy->input[layer->kind->data] = (char *)(uintptr_t)quantize_input(r, layer, copy->input[layer->kind->data]);
    if (layer->kind->weights != ASCEND_NO_WEIGHTS)
        copy->input[layer->kind->weights] = (char *)(uintptr_t)(is_plain ? put_weight_scale : put_weight_quant)(
            r, layer, copy->input[layer->kind->weights]);
    tf_put_node(r->w, copy);
    if (!is_plain)
        put_dequant(r, layer, name, result);
}

/* Before anything is written: the names of what gives the layers' results. */
static int name_results(struct rewriter *r)
{
    struct tf_writer *w = r->w;

    r->results = arena_create_array(w->arena, r->n_nodes, sizeof *r->results, &w->err);
    for (size_t i = 0; i < r->found.n && w->err.code == 0 && r->style == ASCEND_OPERATORS; i++) {
        const struct ascend_layer *layer = &r->found.layers[i];

        if (r->found.readers[layer->node] > 0)
            module(w, node_of(r, layer)->name, "dequant", "AscendDequant", &r->results[layer->node]);
    }
    return w->err.code == 0 ? 0 : -1;
}

static void forget(void *quantized)
{
    (void)quantized; /* the arena's */
}

static void rewrite(struct rewriter *r)
{
    r->w->nodes = NULL;
    r->w->n_nodes = r->w->capacity = 0;
    for (size_t i = 0; i < r->n_nodes && r->w->err.code == 0; i++) {
        if (r->found.of_node[i] != 0)
            put_layer(r, &r->found.layers[r->found.of_node[i] - 1]);
        else if (r->found.of_filter[i] != 0)
            put_filter(r, i);
        else
            tf_put_node(r->w, copy_node(r, r->nodes[i], r->nodes[i]->name));
    }
    free(r->nodes);
}

int ascend_quantize(struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, enum ascend_style style,
                    struct error *err)
{
    struct rewriter r = {.w = w, .nodes = w->nodes, .n_nodes = w->n_nodes, .style = style};
    int rc = ascend_layers_find(w, record, &r.found, err);

    if (rc == 0) {
        tf_release_names(w);
        if (name_results(&r) == 0)
            rewrite(&r);
        if (w->err.code != 0) {
            *err = w->err;
            rc = -1;
        }
    }
    tdestroy(r.quantized, forget);
    ascend_layers_fini(&r.found);
    return rc;
}
