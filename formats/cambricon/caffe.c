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
static Caffe__BlobDataType **put_type(struct caffe_writer *w, const struct plan *plan, float step)
{
    Caffe__BlobDataType *type = caffe_put_message(w, &caffe__blob_data_type__descriptor), **list;
    int exponent;
    float fraction = frexpf(step, &exponent); /* [1/2, 1) x 2^exponent */

    if (type == NULL || (list = arena_create_array(w->arena, 1, sizeof *list, &w->err)) == NULL ||
        (type->position = arena_create_array(w->arena, 1, sizeof *type->position, &w->err)) == NULL ||
        (type->scale = arena_create_array(w->arena, 1, sizeof *type->scale, &w->err)) == NULL)
        return NULL;
    type->has_type = true;
    type->type = cambricon_bits(plan) == 8 ? CAFFE__BASE_DATA_TYPE__DT_INT8 : CAFFE__BASE_DATA_TYPE__DT_INT16;
    type->n_position = type->n_scale = 1;
    type->position[0] = fraction == 0.5f ? exponent - 1 : exponent;
    type->scale[0] = fraction == 0.5f ? 1 : (float)(1.0 / (double)fraction);
    list[0] = type;
    return list;
}

/* One step for the whole tensor: that of its only scale, or the least that clips no weight. (The widest of a channel's
 * would be 1 where a channel is all zero.) */
static float tensor_step(const struct plan *plan, const struct plan_node *p, const Caffe__BlobProto *weights)
{
    float largest = 0;

    if (p->n_weight_scales == 1)
        return p->weight_scale[0];
    for (size_t i = 0; i < weights->n_data; i++)
        largest = fmaxf(largest, fabsf(weights->data[i]));
    return largest > 0 ? largest / (float)plan->profile->weight_limit : 1;
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

static void put_types(struct caffe_writer *w, const struct plan *plan)
{
    for (size_t i = 0; i < w->net.n_layer && w->err.code == 0; i++) {
        Caffe__LayerParameter *layer = w->net.layer[i];
        const struct node *node = w->sources[i];

        if (runs_on_host(w, plan, i)) {
            layer->has_engine = true;
            layer->engine = CAFFE__LAYER_PARAMETER__ENGINE__CAFFE;
            continue;
        }
        if (node == NULL || layer->n_blobs == 0 || plan->nodes[node - w->graph->nodes].n_weight_scales == 0)
            continue;
        layer->bottom_mlu_dtype = put_type(w, plan, plan->values[node->inputs[0]].scale[0]);
        layer->blobs_dtype =
            put_type(w, plan, tensor_step(plan, &plan->nodes[node - w->graph->nodes], layer->blobs[0]));
        layer->n_bottom_mlu_dtype = layer->n_blobs_dtype = 1;
    }
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

static int write_files(struct caffe_writer *w, const struct plan *plan, const char *base, struct output *output,
                       struct error *err)
{
    if (caffe_write_weights(w, base, ".caffemodel", output, err) != 0)
        return -1;
    put_types(w, plan);
    if (w->err.code != 0)
        return error_set(err, w->err.code, "%s", w->err.text);
    if (caffe_write_text(w, base, ".prototxt", output, err) != 0)
        return -1;
    put_single_floats(w);
    return caffe_write_text(w, base, "_fp32.prototxt", output, err);
}

int cambricon_write_caffe(const struct plan *plan, const struct graph *graph, const char *base, struct output *output,
                          struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err);

    if (rc == 0)
        rc = write_files(&writer, plan, base, output, err);
    caffe_writer_fini(&writer);
    return rc;
}
