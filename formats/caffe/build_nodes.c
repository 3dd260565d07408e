/* build_nodes.c — one function an operator that layers are often made of; see build.h. */
#include "formats/caffe/build.h"

#include <string.h>

int caffe_add_binary(struct caffe_import *in, const struct caffe_layer *layer, enum binary_kind kind, int a, int b,
                     int output, struct error *err)
{
    int inputs[] = {a, b};
    int node = caffe_add_node(in, layer, OP_BINARY, inputs, 2, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.binary.kind = kind;
    return caffe_finish_node(in, node, err);
}

int caffe_add_activation(struct caffe_import *in, const struct caffe_layer *layer, struct activation activation, int x,
                         int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_ACTIVATION, &x, 1, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.activation = activation;
    return caffe_finish_node(in, node, err);
}

int caffe_add_reshape(struct caffe_import *in, const struct caffe_layer *layer, int x, int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_RESHAPE, &x, 1, output, err);

    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

/* Per channel, so that it folds into a neighbouring convolution like any normalisation. */
static int add_uniform_normalize(struct caffe_import *in, const struct caffe_layer *layer, int x, float scale,
                                 float shift, int output, struct error *err)
{
    const int64_t channels = in->graph->values[x].shape.dims[1];
    const struct shape vector = {.rank = 1, .dims = {channels}};
    float *scales, *shifts;
    int inputs[3] = {x, -1, -1}, node;

    inputs[1] = caffe_constant(in, layer, "scale", &vector, &scales, err);
    if (inputs[1] < 0)
        return -1;
    inputs[2] = caffe_constant(in, layer, "shift", &vector, &shifts, err);
    if (inputs[2] < 0)
        return -1;
    for (int64_t c = 0; c < channels; c++) {
        scales[c] = scale;
        shifts[c] = shift;
    }
    node = caffe_add_node(in, layer, OP_NORMALIZE, inputs, 3, output, err);
    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

/* Where there is no channel axis: two element-wise nodes with scalars. */
static int add_scalar_affine(struct caffe_import *in, const struct caffe_layer *layer, int x, float scale, float shift,
                             int output, struct error *err)
{
    const struct shape scalar = {.rank = 0};
    float *value;
    int constant, product = output;

    if (shift != 0 && (product = caffe_inner(in, layer, "scaled", NULL, err)) < 0)
        return -1;
    constant = caffe_constant(in, layer, "scale", &scalar, &value, err);
    if (constant < 0)
        return -1;
    *value = scale;
    if (caffe_add_binary(in, layer, BINARY_MUL, x, constant, product, err) < 0)
        return -1;
    if (shift == 0)
        return 0;
    constant = caffe_constant(in, layer, "shift", &scalar, &value, err);
    if (constant < 0)
        return -1;
    *value = shift;
    return caffe_add_binary(in, layer, BINARY_ADD, product, constant, output, err);
}

int caffe_add_affine(struct caffe_import *in, const struct caffe_layer *layer, int x, float scale, float shift,
                     int output, struct error *err)
{
    return in->graph->values[x].shape.rank >= 2 ? add_uniform_normalize(in, layer, x, scale, shift, output, err)
                                                : add_scalar_affine(in, layer, x, scale, shift, output, err);
}

/* ---- Moving and joining */

int caffe_add_slice(struct caffe_import *in, const struct caffe_layer *layer, int x, const int64_t *begin, int output,
                    struct error *err)
{
    const size_t rank = in->graph->values[x].shape.rank;
    int node = caffe_add_node(in, layer, OP_SLICE, &x, 1, output, err);

    if (node < 0)
        return -1;
    for (size_t i = 0; i < rank; i++) {
        in->graph->nodes[node].attr.slice.begin[i] = begin[i];
        in->graph->nodes[node].attr.slice.step[i] = 1;
    }
    return caffe_finish_node(in, node, err);
}

int caffe_add_concat(struct caffe_import *in, const struct caffe_layer *layer, const int *inputs, size_t n, size_t axis,
                     int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_CONCAT, inputs, n, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.axis = (int64_t)axis;
    return caffe_finish_node(in, node, err);
}

int caffe_add_transpose(struct caffe_import *in, const struct caffe_layer *layer, int x, const int64_t *perm,
                        int output, struct error *err)
{
    const size_t rank = in->graph->values[x].shape.rank;
    int node = caffe_add_node(in, layer, OP_TRANSPOSE, &x, 1, output, err);

    if (node < 0)
        return -1;
    memcpy(in->graph->nodes[node].attr.perm, perm, rank * sizeof *perm);
    return caffe_finish_node(in, node, err);
}

/* ---- Reducing */

int caffe_add_reduce(struct caffe_import *in, const struct caffe_layer *layer, enum reduce_kind kind, size_t first_axis,
                     size_t end_axis, bool keep_dims, int x, int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_REDUCE, &x, 1, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.reduce.kind = kind;
    in->graph->nodes[node].attr.reduce.keep_dims = keep_dims;
    for (size_t i = first_axis; i < end_axis; i++)
        in->graph->nodes[node].attr.reduce.axes |= UINT32_C(1) << i;
    return caffe_finish_node(in, node, err);
}
