/* tensorflow.c — the network for the vendor's TensorFlow: see cambricon.h.
 *
 *   <name>_tf.pb       in float, stock TensorFlow runs it; input of the vendor's fppb_to_intpb
 *   <base>_tf.pb       what that tool would make of it: Int8Conv2D and so on, or Int16..., with integers as weights
 *   fppb_to_intpb.ini  for whoever wants the vendor's tool to calibrate instead
 *
 * Source: fppb_to_intpb and its camb_quantize.QuantizeGraph. The tool does not copy `dilations` and has no place for a
 * scale a column of a product: so dilated convolutions stay in float here, and products have one scale. Depthwise and
 * transposed convolutions and LRN stay in float, too.
 */
#include "formats/cambricon/cambricon.h"
#include "formats/exporter.h"
#include "formats/tensorflow/tf_import.h"
#include "formats/tensorflow/tf_write.h"
#include "formats/text_file.h"

#include <stdlib.h>
#include <string.h>

/* ---- The layers that become ones of integers */

/* An operator that has a form with integers, without and with a bias. */
static const struct form {
    const char *op, *plain, *with_bias; /* behind "Int8" or "Int16" */
    bool is_convolution;
} forms[] = {
    {"Conv2D", "Conv2D", "Conv2DBias", true},
    {"MatMul", "MatMul", "MLP", false},
};

enum { NO_NODE = -1 };

/* What a node of the float file becomes. */
struct fate {
    enum { IS_KEPT, IS_DROPPED, IS_FILTER, IS_LAYER } kind;
    const struct layer *layer; /* FILTER, LAYER */
};

struct layer {
    const struct form *form;
    const struct plan_value *input;
    size_t node, filter; /* in the float file */
    long bias;           /* the BiasAdd that joins it; NO_NODE: none */
    struct shape shape;  /* of its weights, output channels last */
    const float *weights;
    size_t n_scales;
    const float *steps; /* [n_scales] of the weights */
};

struct rewriter {
    const struct cambricon *target;
    struct tf_writer *w;
    Tensorflow__NodeDef **nodes; /* of the float file */
    size_t n_nodes;
    struct fate *fates;
};

static const struct form *find_form(const char *op)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].op, op) == 0)
            return &forms[i];
    return NULL;
}

/* Of the nodes [begin, end) the one of that name. */
static long find_node(const struct rewriter *r, size_t begin, size_t end, const char *name)
{
    for (size_t i = begin; i < end; i++)
        if (strcmp(r->nodes[i]->name, name) == 0)
            return (long)i;
    return NO_NODE;
}

/* The BiasAdd right behind a layer. */
static long find_bias(const struct rewriter *r, size_t layer, size_t end)
{
    for (size_t i = layer + 1; i < end; i++)
        if (strcmp(r->nodes[i]->op, "BiasAdd") == 0 && strcmp(r->nodes[i]->input[0], r->nodes[layer]->name) == 0)
            return (long)i;
    return NO_NODE;
}

static void read_weights(struct layer *layer, const Tensorflow__NodeDef *constant)
{
    const Tensorflow__TensorProto *tensor = tf_attribute(constant, "value")->tensor;

    layer->weights = (const float *)(const void *)tensor->tensor_content.data; /* the writer's own: aligned */
    layer->shape.rank = tensor->tensor_shape->n_dim;
    for (size_t i = 0; i < layer->shape.rank; i++)
        layer->shape.dims[i] = tensor->tensor_shape->dim[i]->size;
}

/* `group`: which of a node's convolutions it is, each with its share of the scales. */
static int choose_steps(const struct rewriter *r, const struct plan_node *p, size_t group, struct layer *layer,
                        struct error *err)
{
    size_t n = (size_t)layer->shape.dims[layer->shape.rank - 1];
    float *step;

    if (p->n_weight_scales > 1 && layer->form->is_convolution) {
        layer->n_scales = n;
        layer->steps = p->weight_scale + group * n;
        return 0;
    }
    step = arena_create_array(r->w->arena, 1, sizeof *step, err);
    if (step == NULL)
        return -1;
    *step = cambricon_tensor_step(r->target->plan, p, layer->weights, (size_t)shape_elements(&layer->shape));
    layer->n_scales = 1;
    layer->steps = step;
    return 0;
}

static int add_layer(struct rewriter *r, size_t n, size_t at, size_t group, struct error *err)
{
    const struct plan *plan = r->target->plan;
    struct layer *layer = arena_create_array(r->w->arena, 1, sizeof *layer, err);
    long filter = find_node(r, r->w->begin[n], at, r->nodes[at]->input[1]);

    if (layer == NULL)
        return -1;
    if (filter == NO_NODE || strcmp(r->nodes[filter]->op, "Const") != 0)
        return 0; /* a matrix that is computed */
    *layer = (struct layer){.form = find_form(r->nodes[at]->op),
                            .input = &plan->values[plan->graph->nodes[n].inputs[0]],
                            .node = at,
                            .filter = (size_t)filter,
                            .bias = find_bias(r, at, r->w->begin[n + 1])};
    read_weights(layer, r->nodes[filter]);
    if (choose_steps(r, &plan->nodes[n], group, layer, err) != 0)
        return -1;
    r->fates[filter] = (struct fate){IS_FILTER, layer};
    r->fates[at] = (struct fate){layer->bias == NO_NODE ? IS_LAYER : IS_DROPPED, layer};
    if (layer->bias != NO_NODE)
        r->fates[layer->bias] = (struct fate){IS_LAYER, layer};
    return 0;
}

static bool has_integers(const struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    const int64_t *dilation = node->attr.conv.window.dilation;

    return plan->nodes[n].n_weight_scales > 0 &&
           (node->op == OP_DENSE || (node->op == OP_CONV && dilation[0] == 1 && dilation[1] == 1));
}

static int find_layers(struct rewriter *r, struct error *err)
{
    r->fates = arena_create_array(r->w->arena, r->n_nodes, sizeof *r->fates, err);
    if (r->fates == NULL)
        return -1;
    for (size_t n = 0; n < r->target->plan->graph->n_nodes; n++) {
        size_t group = 0;

        for (size_t i = r->w->begin[n]; i < r->w->begin[n + 1] && has_integers(r->target->plan, n); i++)
            if (find_form(r->nodes[i]->op) != NULL && add_layer(r, n, i, group++, err) != 0)
                return -1;
    }
    return 0;
}

/* ---- The file with them */

/* The codes that the simulation has. */
static void put_filter(struct rewriter *r, const struct layer *layer, const char *name)
{
    struct tf_writer *w = r->w;
    size_t n = (size_t)shape_elements(&layer->shape), channels = layer->n_scales;
    size_t run = channels == 1 ? n : 1, item = (size_t)r->target->bits / 8;
    int32_t limit = r->target->plan->profile->weight_limit;
    int16_t *codes = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *codes, &w->err);
    int8_t *bytes = codes == NULL ? NULL : arena_create_array(w->arena, n, sizeof *bytes, &w->err);

    if (bytes == NULL)
        return;
    for (size_t i = 0; i < n; i += run)
        quantize_symmetric(&layer->weights[i], run, layer->steps[i % channels], limit, &codes[i]);
    for (size_t i = 0; i < n && item == 1; i++)
        bytes[i] = (int8_t)codes[i];
    tf_const_data(w, name, item == 1 ? TF_INT8 : TF_INT16, &layer->shape, item == 1 ? (const void *)bytes : codes,
                  n * item);
}

static void put_filter_scales(struct rewriter *r, const struct layer *layer)
{
    struct tf_writer *w = r->w;
    float *factors = w->err.code != 0 ? NULL : arena_create_array(w->arena, layer->n_scales, sizeof *factors, &w->err);

    for (size_t i = 0; factors != NULL && i < layer->n_scales; i++)
        factors[i] = cambricon_factor(layer->steps[i]);
    if (factors != NULL && layer->n_scales > 1)
        tf_put_floats(w, "filter_scales", factors, layer->n_scales);
    else if (factors != NULL)
        tf_put_float(w, "filter_scale", factors[0]);
}

/* Under the name of what it replaces: the BiasAdd's, where that joins it. */
static void put_layer(struct rewriter *r, const struct layer *layer)
{
    static const char *const kept[] = {"strides", "padding", "data_format"}, *const turns[] = {"transpose_a",
                                                                                               "transpose_b"};
    static const int64_t no_pads[4] = {0}; /* top, bottom, left, right; a Pad in front stays a node of its own */
    struct tf_writer *w = r->w;
    const Tensorflow__NodeDef *node = r->nodes[layer->node],
                              *bias = layer->bias == NO_NODE ? NULL : r->nodes[layer->bias];
    const char *inputs[3] = {node->input[0], node->input[1], bias == NULL ? NULL : bias->input[1]};
    int32_t type = r->target->bits == 8 ? TF_INT8 : TF_INT16;
    char op[32];

    snprintf(op, sizeof op, "Int%d%s", r->target->bits, bias == NULL ? layer->form->plain : layer->form->with_bias);
    tf_put(w, op, bias == NULL ? node->name : bias->name, inputs, bias == NULL ? 2 : 3);
    tf_put_float(w, "input_scale", cambricon_factor(layer->input->scale[0]));
    put_filter_scales(r, layer);
    if (!layer->form->is_convolution) {
        tf_put_type(w, "T", TF_FLOAT);
        tf_put_type(w, "T1", type);
        for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
            tf_put_same(w, turns[i], node);
        return;
    }
    tf_put_type(w, "FilterT", type);
    tf_put_type(w, "InT", TF_FLOAT);
    tf_put_type(w, "OutT", TF_FLOAT);
    tf_put_ints(w, "paddings", no_pads, 4);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        tf_put_same(w, kept[i], node);
}

static int rewrite(struct rewriter *r, struct error *err)
{
    struct tf_writer *w = r->w;

    if (find_layers(r, err) != 0)
        return -1;
    w->nodes = NULL;
    w->n_nodes = w->capacity = 0;
    for (size_t i = 0; i < r->n_nodes; i++)
        switch (r->fates[i].kind) {
        case IS_KEPT:
            tf_put_node(w, r->nodes[i]);
            break;
        case IS_DROPPED:
            break;
        case IS_FILTER:
            put_filter(r, r->fates[i].layer, r->nodes[i]->name);
            break;
        case IS_LAYER:
            put_layer(r, r->fates[i].layer);
            break;
        }
    free(r->nodes);
    return w->err.code == 0 ? 0 : error_set(err, w->err.code, "%s", w->err.text);
}

/* ---- The vendor's own tool */

static void put_names(FILE *out, const char *key, const struct tf_writer *w,
                      const char *(*name)(const struct tf_writer *w, size_t i), size_t n)
{
    fprintf(out, "%s = ", key);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s:0", i > 0 ? ", " : "", name(w, i));
    fputc('\n', out);
}

/* What data it reads, and how, only its user can say. */
static int write_ini(const struct tf_writer *w, const struct cambricon *c, struct error *err)
{
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out,
            "; For fppb_to_intpb, where the vendor's tool shall calibrate. Complete [data] and [preprocess]: images,\n"
            "; their reader, mean and std as the tool has them (io.json says what this calibration did).\n"
            "[model]\noriginal_models_path = %s_tf.pb\nsave_model_path = %s_int%d_tf_by_vendor.pb\n",
            c->info->model_name, c->info->model_name, c->bits);
    put_names(file.out, "input_tensor_names", w, tf_input_name, c->graph->n_inputs);
    put_names(file.out, "output_tensor_names", w, tf_output_name, c->graph->n_outputs);
    fprintf(file.out,
            "\n[data]\nnum_runs =\nbatch_size = 1\ndata_path =\n\n[preprocess]\ncalibration =\nmean =\nstd =\n"
            "color_mode =\ncrop =\n\n[config]\nquantization_type = int%d\nint_op_list = Conv, FC\n"
            "use_convfirst = False\nchannel_quantization = False\nweight_quantization_alg = naive\n"
            "activation_quantization_alg = naive\ndevice_mode = clean\ndebug = False\n",
            c->bits);
    return text_file_end(&file, c->output, c->folder, "fppb_to_intpb.ini", err);
}

/* What pb_to_cambricon reads beside the graph; build_offline.sh puts its own model_name and batch in. */
static int write_parameters(const struct tf_writer *w, const struct cambricon *c, struct error *err)
{
    const struct graph *graph = c->graph;
    struct text_file file;
    char name[CAMBRICON_NAME_BYTES];

    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out, "model_name:%s_int%d_tf.cambricon\nsession_run{\ninput_nodes(%zu):\n", c->info->model_name,
            c->bits, graph->n_inputs);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        struct shape shape = graph->values[graph->inputs[i]].shape;

        if (shape.rank == 4)
            shape = (struct shape){4, {shape.dims[0], shape.dims[2], shape.dims[3], shape.dims[1]}};
        fprintf(file.out, "\"%s\"", tf_input_name(w, i));
        for (size_t k = 0; k < shape.rank; k++)
            fprintf(file.out, ",%lld", (long long)shape.dims[k]);
        fputc('\n', file.out);
    }
    fprintf(file.out, "output_nodes(%zu):\n", graph->n_outputs);
    for (size_t i = 0; i < graph->n_outputs; i++)
        fprintf(file.out, "\"%s\"\n", tf_output_name(w, i));
    fputs("}\n", file.out);
    snprintf(name, sizeof name, "%s_int%d_tf.txt", c->info->model_name, c->bits);
    return text_file_end(&file, c->output, c->folder, name, err);
}

/* ---- All of it */

static int write_graph(struct tf_writer *w, const struct cambricon *c, const char *base, struct error *err)
{
    const ProtobufCMessage *file = tf_writer_finish(w, err);

    return file == NULL ? -1 : exporter_write_message(c->output, base, "_tf.pb", file, err);
}

static int write_graphs(struct tf_writer *w, const struct cambricon *c, struct error *err)
{
    struct rewriter r = {.target = c, .w = w};
    char plain[CAMBRICON_NAME_BYTES];

    snprintf(plain, sizeof plain, "%s/%s", c->folder, c->info->model_name);
    if (write_graph(w, c, plain, err) != 0)
        return -1;
    r.nodes = w->nodes;
    r.n_nodes = w->n_nodes;
    return rewrite(&r, err) != 0 ? -1 : write_graph(w, c, c->base, err);
}

int cambricon_write_tensorflow(const struct cambricon *c, struct error *err)
{
    struct tf_writer w = {0};
    int rc;

    if (c->first != NULL)
        return error_set(err, EX_UNAVAILABLE,
                         "firstconv: whether the std of TensorFlow's multiplies or divides is not published");
    rc = tf_write_graph(&w, c->graph, NULL, err);
    if (rc == 0)
        rc = write_graphs(&w, c, err);
    if (rc == 0)
        rc = write_ini(&w, c, err);
    if (rc == 0)
        rc = write_parameters(&w, c, err);
    tf_writer_fini(&w);
    return rc;
}
