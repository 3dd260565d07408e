/* codes_cambricon.c — position and scale of a prototxt for Cambricon's Caffe, see codes.h.
 *
 * Codes are x scale / 2^position, rounded: with bottom_mlu_dtype of what a layer with weights reads, with blobs_dtype
 * of the weights, which stay floats in the file. Everything else computes on reals, and so do depthwise convolutions,
 * whatever the file says of them: the vendor's Caffe gives these no codes. Source: Cambricon/caffe, caffe.proto and the
 * layers that read its BlobDataType.
 */
#include "formats/caffe/build.h"
#include "formats/caffe/codes.h"
#include "formats/import_graph.h"

#include <math.h>

enum { LARGEST_POSITION = 64 };

static bool is_coded(const Caffe__BlobDataType *type)
{
    return type->type == CAFFE__BASE_DATA_TYPE__DT_INT8 || type->type == CAFFE__BASE_DATA_TYPE__DT_INT16;
}

static struct coding *read_type(struct caffe_import *in, const struct caffe_layer *layer,
                                const Caffe__BlobDataType *type, const char *what, struct error *err)
{
    bool is_short = type->type == CAFFE__BASE_DATA_TYPE__DT_INT16;
    float factor = type->n_scale == 0 ? 1 : type->scale[0], *step;
    int position = type->n_position == 0 ? 0 : type->position[0];
    struct coding *coding;

    if (type->n_position != 1 || type->n_scale > 1) {
        caffe_error(layer, err, EX_UNAVAILABLE, "%s: expected one position and one scale, found %zu and %zu", what,
                    type->n_position, type->n_scale);
        return NULL;
    }
    coding = arena_create_array(in->graph->arena, 1, sizeof *coding, err);
    step = coding == NULL ? NULL : arena_create_array(in->graph->arena, 1, sizeof *step, err);
    if (step == NULL)
        return NULL;
    *step = position > LARGEST_POSITION || position < -LARGEST_POSITION ? 0 : 1 / ldexpf(factor, -position);
    if (!isnormal(*step) || *step < 0 || !isfinite(*step * INT16_MAX)) {
        caffe_error(layer, err, EX_DATAERR, "%s: position %d and scale %g are no step", what, position, (double)factor);
        return NULL;
    }
    *coding = (struct coding){.codes = is_short ? (struct code_range){INT16_MIN, INT16_MAX, 0}
                                                : (struct code_range){INT8_MIN, INT8_MAX, 0},
                              .n_scales = 1,
                              .scale = step};
    return coding;
}

static bool is_depthwise(const struct graph *graph, const struct node *node)
{
    return node->op == OP_CONV && node->attr.conv.group > 1 &&
           node->attr.conv.group == graph->values[node->inputs[0]].shape.dims[1];
}

static int note_layer(struct caffe_import *in, const struct caffe_layer *layer, size_t n, size_t bottom,
                      struct coding *weights, struct error *err)
{
    const Caffe__LayerParameter *param = layer->param;
    Caffe__BlobDataType type = *param->bottom_mlu_dtype[bottom < param->n_bottom_mlu_dtype ? bottom : 0];
    struct coding *input;

    if (!type.has_type) /* then the weights' holds */
        type.type = param->blobs_dtype[0]->type;
    if (!is_coded(&type))
        return 0;
    input = read_type(in, layer, &type, "bottom_mlu_dtype", err);
    if (input == NULL)
        return -1;
    if (input->codes.hi != weights->codes.hi)
        return caffe_error(layer, err, EX_UNAVAILABLE, "its bottom has codes to %d, its weights to %d", input->codes.hi,
                           weights->codes.hi);
    in->graph->values[in->graph->nodes[n].inputs[1]].coding = weights;
    return import_code_input(in->graph, n, input, err) < 0 ? caffe_error_in(layer, err) : 0;
}

int caffe_note_positions(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err)
{
    const uint32_t with_weights = 1U << OP_CONV | 1U << OP_DECONV | 1U << OP_DENSE;
    const Caffe__LayerParameter *param = layer->param;
    size_t end = in->graph->n_nodes, bottom = 0;
    struct coding *weights;

    if (param->n_blobs_dtype == 0 || param->n_bottom_mlu_dtype == 0 || !is_coded(param->blobs_dtype[0]) ||
        param->engine == CAFFE__LAYER_PARAMETER__ENGINE__CAFFE)
        return 0;
    weights = read_type(in, layer, param->blobs_dtype[0], "blobs_dtype", err);
    if (weights == NULL)
        return -1;
    weights->is_to_be_coded = true;
    for (size_t n = first; n < end; n++) {
        const struct node *node = &in->graph->nodes[n];

        if ((with_weights >> node->op & 1) == 0 || is_depthwise(in->graph, node) ||
            !in->graph->values[node->inputs[1]].is_constant)
            continue;
        if (note_layer(in, layer, n, bottom++, weights, err) < 0)
            return -1;
    }
    return 0;
}
