/* caffe.c — the network for the vendor's Caffe: see cambricon.h.
 *
 * Source: Cambricon/caffe, caffe.proto and the layers that read its BlobDataType. One scale a tensor: reading several
 * is unfinished there, so weights with one a channel take one that clips none. Position and scale always stand
 * together, because some layers read scale(0) without asking whether it is there.
 */
#include "formats/caffe/net_files.h"
#include "formats/cambricon/cambricon.h"

#include <math.h>
#include <string.h>

/* q = round(x scale / 2^position): position = ceil(log2 step), and 1 <= scale < 2 makes the step exact. */
static Caffe__BlobDataType **put_type(struct caffe_writer *w, int bits, float step)
{
    Caffe__BlobDataType *type = caffe_put_message(w, &caffe__blob_data_type__descriptor), **list;
    int exponent;
    float fraction = frexpf(step, &exponent); /* [1/2, 1) x 2^exponent */

    if (type == NULL || (list = arena_create_array(w->arena, 1, sizeof *list, &w->err)) == NULL ||
        (type->position = arena_create_array(w->arena, 1, sizeof *type->position, &w->err)) == NULL ||
        (type->scale = arena_create_array(w->arena, 1, sizeof *type->scale, &w->err)) == NULL)
        return NULL;
    type->has_type = true;
    type->type = bits == 8 ? CAFFE__BASE_DATA_TYPE__DT_INT8 : CAFFE__BASE_DATA_TYPE__DT_INT16;
    type->n_position = type->n_scale = 1;
    type->position[0] = fraction == 0.5f ? exponent - 1 : exponent;
    type->scale[0] = fraction == 0.5f ? 1 : (float)(1.0 / (double)fraction);
    list[0] = type;
    return list;
}

/* Convolutions that only pad or pick, which no node of the network is, and LRN, of whose squares the plan knows no
 * scale: the chip has them with integers only. */
static bool runs_on_host(const struct caffe_writer *w, const struct plan *plan, size_t i)
{
    const Caffe__LayerParameter *layer = w->net.layer[i];
    const struct node *node = w->sources[i];
    bool has_window = layer->convolution_param != NULL || layer->inner_product_param != NULL;

    return layer->lrn_param != NULL || (has_window && (node == NULL || strcmp(layer->name, node->name) != 0 ||
                                                       plan->nodes[node - w->graph->nodes].n_weight_scales == 0));
}

static void put_types(struct caffe_writer *w, const struct cambricon *c)
{
    for (size_t i = 0; i < w->net.n_layer && w->err.code == 0; i++) {
        Caffe__LayerParameter *layer = w->net.layer[i];
        const struct node *node = w->sources[i];
        const struct plan_node *p = node == NULL ? NULL : &c->plan->nodes[node - w->graph->nodes];

        if (runs_on_host(w, c->plan, i)) {
            layer->has_engine = true;
            layer->engine = CAFFE__LAYER_PARAMETER__ENGINE__CAFFE;
            continue;
        }
        if (p == NULL || layer->n_blobs == 0 || p->n_weight_scales == 0)
            continue;
        layer->bottom_mlu_dtype = put_type(w, c->bits, c->plan->values[node->inputs[0]].scale[0]);
        layer->blobs_dtype =
            put_type(w, c->bits, cambricon_tensor_step(c->plan, p, layer->blobs[0]->data, layer->blobs[0]->n_data));
        layer->n_bottom_mlu_dtype = layer->n_blobs_dtype = 1;
    }
}

/* The convolution normalises what it reads: (x - mean) std, std being a factor. */
static int put_firstconv(struct caffe_writer *w, const struct firstconv *first, struct error *err)
{
    const struct node *node = &w->graph->nodes[first->node];
    Caffe__ConvolutionParameter *param;
    size_t i = 0;

    while (w->sources[i] != node)
        i++;
    if (strcmp(w->net.layer[i]->name, node->name) != 0) /* what pads its input stands in front */
        return error_set(err, EX_UNAVAILABLE, "firstconv: node \"%s\" (%s) is two layers in Caffe", node->name,
                         node->type);
    param = w->net.layer[i]->convolution_param;
    param->mean_value = caffe_put_floats(w, first->channels);
    if (param->mean_value == NULL)
        return error_set(err, w->err.code, "%s", w->err.text);
    param->n_mean_value = first->channels;
    for (size_t c = 0; c < first->channels; c++)
        param->mean_value[c] = (float)first->pixels.mean[c];
    param->has_std = true;
    param->std = (float)first->pixels.scale[0];
    return 0;
}

/* The variant whose floats are single, as the vendor's tool marks it. */
static void put_single_floats(struct caffe_writer *w)
{
    for (size_t i = 0; i < w->net.n_layer; i++) {
        Caffe__LayerParameter *layer = w->net.layer[i];

        layer->has_top_mlu_dtype = layer->input_param != NULL || layer->n_blobs_dtype > 0;
        layer->top_mlu_dtype = CAFFE__BASE_DATA_TYPE__DT_FLOAT32;
    }
}

static int write_files(struct caffe_writer *w, const struct cambricon *c, struct error *err)
{
    if (c->first != NULL && put_firstconv(w, c->first, err) != 0)
        return -1;
    if (caffe_write_weights(w, c->base, ".caffemodel", c->output, err) != 0)
        return -1;
    put_types(w, c);
    if (w->err.code != 0)
        return error_set(err, w->err.code, "%s", w->err.text);
    if (caffe_write_text(w, c->base, ".prototxt", c->output, err) != 0)
        return -1;
    put_single_floats(w);
    return caffe_write_text(w, c->base, "_fp32.prototxt", c->output, err);
}

int cambricon_write_caffe(const struct cambricon *c, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = c->first == NULL ? 0 : firstconv_check_caffe(c->first, err);

    if (rc == 0)
        rc = caffe_write_net(&writer, c->graph, err);
    if (rc == 0)
        rc = write_files(&writer, c, err);
    caffe_writer_fini(&writer);
    return rc;
}
