/* weights.c — the numbers of a network of codes, layer by layer as they are packed; see sophon.h. Of a large network
 * there is no room for them all beside the plan's. */
#include "formats/sophon/sophon.h"

#include "common/memory.h"
#include "formats/caffe/net_files.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FULL_SCALE = 127, SELECTION_SHIFT = 6, WEIGHTS = 1, MAX_BLOBS = 2 /* weights and bias */ };

/* Of caffe_fill. The layer that it is given has the writer's blobs, which stay as they are: copies are filled. */
struct filler {
    const struct sophon_net *net;
    void *numbers; /* of the layer that is being packed */
    Caffe__BlobProto copies[MAX_BLOBS], *blobs[MAX_BLOBS];
};

/* ---- Codes of a blob */

/* Are the layer's blobs codes of its node? A node may be several layers, of which one bears its name. */
static bool has_codes(const struct sophon_net *net, const Caffe__LayerParameter *layer, int node)
{
    return net->plan->nodes[node].weight_codes != NULL && strcmp(layer->name, net->plan->graph->nodes[node].name) == 0;
}

/* Where the codes of a blob are: the plan's own, or floats in the blob. */
struct source {
    const int16_t *codes; /* NULL: in floats */
    const float *floats;
};

static struct source source_of(const struct sophon_net *net, int node, size_t blob, const Caffe__BlobProto *of)
{
    bool is_plain = net->writer.graph->nodes[node].inputs[WEIGHTS] < (int)net->plan->graph->n_values;

    return (struct source){blob == 0 && is_plain ? net->plan->nodes[node].weight_codes : NULL, of->data};
}

static float code_of(const struct source *source, size_t i)
{
    return source->codes != NULL ? source->codes[i] : source->floats[i];
}

bool *sophon_find_restated(const struct plan *plan, struct error *err)
{
    const struct graph *graph = plan->graph;
    bool *is_restated = memory_create(graph->n_nodes, sizeof *is_restated, "nodes", err);
    struct sophon_net net = {0};
    int rc = is_restated == NULL ? -1 : sophon_net_init(&net, plan, graph, err);

    for (size_t i = 0; rc == 0 && i < net.writer.net.n_layer; i++) {
        const Caffe__LayerParameter *layer = net.writer.net.layer[i];
        int node = net.layers[i].node;

        if (node != GRAPH_NONE && layer->n_blobs > 0 && has_codes(&net, layer, node))
            is_restated[node] = layer->blobs[0]->data != graph->values[graph->nodes[node].inputs[WEIGHTS]].data;
    }
    sophon_net_fini(&net);
    if (rc == 0)
        return is_restated;
    free(is_restated);
    return NULL;
}

/* ---- Packing */

/* Blobs of the layer's own, and room for a number for each of theirs, in place of what the layer before it had. */
static void *make_room(struct filler *f, Caffe__LayerParameter *layer, struct error *err)
{
    size_t n = 0;

    assert(layer->n_blobs <= MAX_BLOBS);
    for (size_t k = 0; k < layer->n_blobs; k++) {
        n += layer->blobs[k]->n_data;
        f->copies[k] = *layer->blobs[k];
        f->blobs[k] = &f->copies[k];
    }
    layer->blobs = f->blobs;
    free(f->numbers);
    return f->numbers = memory_create(n, sizeof(float), "the weights of a layer", err);
}

static int write_filled(const struct sophon_net *net, caffe_fill *fill, const char *base, const char *ending,
                        struct output *output, struct error *err)
{
    struct filler filler = {.net = net};
    int rc = caffe_write_filled(&net->writer, fill, &filler, base, ending, output, err);

    free(filler.numbers);
    return rc;
}

/* ---- What the codes stand for */

/* The largest code is made a little less than it is: who looks for the shift at which the largest weight stays below
 * 127 steps finds ours, and rounds it to 127. */
static float real_of(float code, bool is_bias, float scale)
{
    static const float largest = FULL_SCALE - 0.25F;

    return scale * (is_bias ? code : fmaxf(fminf(code, largest), -largest));
}

static int fill_reals(void *context, size_t i, Caffe__LayerParameter *layer, struct error *err)
{
    struct filler *f = context;
    const struct sophon_layer *of = &f->net->layers[i];
    const struct plan_node *planned = of->node == GRAPH_NONE ? NULL : &f->net->plan->nodes[of->node];
    float *reals;

    if (sophon_is_float(f->net->plan, of) || planned == NULL || !has_codes(f->net, layer, of->node))
        return 0;
    if ((reals = make_room(f, layer, err)) == NULL)
        return -1;
    for (size_t k = 0; k < layer->n_blobs; k++) {
        Caffe__BlobProto *blob = layer->blobs[k];
        struct source source = source_of(f->net, of->node, k, blob);
        float scale = k > 0 ? planned->acc_scale[0] : planned->weight_scale[0];

        for (size_t j = 0; j < blob->n_data; j++)
            reals[j] = real_of(code_of(&source, j), k > 0, scale);
        blob->data = reals;
        reals += blob->n_data;
    }
    return 0;
}

int sophon_write_reals(const struct sophon_net *net, const char *base, const char *ending, struct output *output,
                       struct error *err)
{
    return write_filled(net, fill_reals, base, ending, output, err);
}

/* ---- Integers */

/* The right shift that turns accumulators into codes of the output: log2 of a quotient that is a power of two. */
static int shift_of(const struct plan *plan, int node, struct error *err)
{
    float out = plan->values[plan->graph->nodes[node].outputs[0]].scale[0], step = plan->nodes[node].acc_scale[0];
    int exponent;

    if (frexpf(out / step, &exponent) != 0.5f || exponent < 1)
        return error_set(err, EX_SOFTWARE, "node \"%s\": %g accumulator steps to one of the output are no right shift",
                         plan->graph->nodes[node].name, (double)(out / step));
    return exponent - 1;
}

/* codes: room for all of the blob, which takes them. */
static void put_codes(Caffe__BlobProto *blob, const struct source *source, int32_t *codes, bool is_bias, int shift,
                      float scale)
{
    for (size_t i = 0; i < blob->n_data; i++)
        codes[i] = (int32_t)code_of(source, i);
    blob->n_int32_data = blob->n_data;
    blob->int32_data = codes;
    blob->n_data = 0;
    blob->data = NULL;
    blob->has_bit_width = blob->has_dtype = blob->has_scaletofloat = true;
    blob->bit_width =
        is_bias ? CAFFE__BLOB_PROTO__BIT_WIDTH_MODE__bitWidth_16 : CAFFE__BLOB_PROTO__BIT_WIDTH_MODE__bitWidth_8;
    blob->dtype = is_bias ? CAFFE__BLOB_PROTO__DTYPE__INT16 : CAFFE__BLOB_PROTO__DTYPE__INT8;
    blob->scaletofloat = scale;
    blob->has_right_shift_num = !is_bias;
    blob->right_shift_num = shift;
}

/* A convolution that picks codes (a slice with steps has no other form): with one right shift of as many bits as the
 * weight 1 is shifted to the left, a code comes out as it went in. */
static void put_selection(Caffe__BlobProto *blob, int32_t *codes)
{
    put_codes(blob, &(struct source){.floats = blob->data}, codes, false, SELECTION_SHIFT,
              1.0f / (1 << SELECTION_SHIFT));
    for (size_t i = 0; i < blob->n_int32_data; i++)
        codes[i] <<= SELECTION_SHIFT;
}

static int fill_integers(void *context, size_t i, Caffe__LayerParameter *layer, struct error *err)
{
    struct filler *f = context;
    int node = f->net->layers[i].node, shift;
    const struct plan_node *planned = node == GRAPH_NONE ? NULL : &f->net->plan->nodes[node];
    int32_t *codes;

    if (sophon_is_float(f->net->plan, &f->net->layers[i]) || planned == NULL || layer->n_blobs == 0)
        return 0;
    if (!has_codes(f->net, layer, node) && f->net->writer.net.layer[i]->convolution_param == NULL) {
        layer->has_forward_with_float = layer->forward_with_float = true; /* a factor an element, behind a pool */
        return 0;
    }
    if ((codes = make_room(f, layer, err)) == NULL)
        return -1;
    if (!has_codes(f->net, layer, node)) {
        put_selection(layer->blobs[0], codes);
        return 0;
    }
    shift = shift_of(f->net->plan, node, err);
    for (size_t k = 0; shift >= 0 && k < layer->n_blobs; k++) {
        Caffe__BlobProto *blob = layer->blobs[k];
        struct source source = source_of(f->net, node, k, blob);

        put_codes(blob, &source, codes, k > 0, shift, k > 0 ? planned->acc_scale[0] : planned->weight_scale[0]);
        codes += blob->n_int32_data;
    }
    return shift < 0 ? -1 : 0;
}

int sophon_write_integers(const struct sophon_net *net, const char *base, const char *ending, struct output *output,
                          struct error *err)
{
    return write_filled(net, fill_integers, base, ending, output, err);
}
