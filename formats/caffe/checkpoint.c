/* checkpoint.c — a layer's blobs from a PyTorch checkpoint; see build.h.
 *
 * Layers are matched with modules by name. BatchNorm and Scale are one module in PyTorch: a Scale layer that has no
 * tensors of its own takes those of the BatchNorm layer before it.
 */
#include "formats/caffe/build.h"

#include <string.h>

/* The last part of the name of each blob's tensor, for layers that do not have a weight and a bias. */
static const struct {
    const char *type;
    const char *parts[3];
} layouts[] = {
    {"BatchNorm", {"running_mean", "running_var", NULL}}, /* no third blob: sums are divided already */
    {"Bias", {"bias"}},
};

static const char *part_of(const char *type, size_t index)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(layouts[i].type, type) == 0)
            return layouts[i].parts[index];
    return index == 0 ? "weight" : "bias";
}

static const char *tensor_name(const struct caffe_import *in, const struct caffe_layer *layer, const char *part,
                               struct error *err)
{
    const char *name = arena_format(in->graph->arena, err, "%s.%s", layer->name, part);
    int producer = in->graph->values[layer->bottoms[0]].producer;
    const struct node *before = producer == GRAPH_NONE ? NULL : &in->graph->nodes[producer];

    if (name == NULL || torch_weights_has(in->checkpoint, name) || before == NULL ||
        strcmp(layer->type, "Scale") != 0 || strcmp(before->type, "BatchNorm") != 0)
        return name;
    return arena_format(in->graph->arena, err, "%s.%s", before->name, part);
}

int caffe_checkpoint_values(const struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                            const struct shape *shape, const float **values, struct error *err)
{
    const char *part = part_of(layer->type, index), *name;
    float *one;

    if (part == NULL) { /* the factor of a BatchNorm's sums */
        one = arena_create_array(in->graph->arena, 1, sizeof *one, err);
        if (one == NULL)
            return caffe_error_in(layer, err);
        *one = 1;
        *values = one;
        return 0;
    }
    name = tensor_name(in, layer, part, err);
    if (name == NULL || torch_weights_read(in->checkpoint, name, shape, in->graph->arena, values, err) != 0)
        return caffe_error_in(layer, err);
    return 0;
}
