/* layers_dense.c — products of matrices: InnerProduct and MatMul. */
#include "formats/caffe/build.h"

#include <string.h>

/* ---- InnerProduct */

/* Whether the file has [K][O] rather than [O][K]. PyTorch has [O][K] always. */
static bool is_turned(const struct caffe_import *in, const Caffe__InnerProductParameter *param)
{
    return param->transpose && in->checkpoint == NULL;
}

static struct shape stored_shape(bool is_transposed, int64_t outputs, int64_t features)
{
    return is_transposed ? (struct shape){2, {features, outputs}} : (struct shape){2, {outputs, features}};
}

/* Blob 0, of shape [rows][columns], as a constant [columns][rows]. */
static int turned_weights(struct caffe_import *in, const struct caffe_layer *layer, const struct shape *stored,
                          struct error *err)
{
    const int64_t rows = stored->dims[0], columns = stored->dims[1];
    const struct shape turned = {2, {columns, rows}};
    const float *from;
    float *to;
    int constant;

    if (caffe_blob_values(in, layer, 0, stored, &from, err) < 0)
        return -1;
    constant = caffe_constant(in, layer, "weight", &turned, &to, err);
    if (constant < 0)
        return -1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
    return constant;
}

/* The bottom with its axes from `axis` on as one of K features: Caffe flattens in C, H, W order, which is how the
 * values lie anyway. *flat is its shape then. */
static int flattened(struct caffe_import *in, const struct caffe_layer *layer, size_t axis, struct shape *flat,
                     struct error *err)
{
    const struct shape x = *caffe_bottom_shape(in, layer, 0);
    int value;

    *flat = (struct shape){.rank = axis + 1};
    memcpy(flat->dims, x.dims, axis * sizeof *x.dims);
    flat->dims[axis] = 1;
    for (size_t i = axis; i < x.rank; i++)
        flat->dims[axis] *= x.dims[i];
    if (x.rank == flat->rank)
        return layer->bottoms[0];
    value = caffe_inner(in, layer, "flatten", flat, err);
    return value < 0 || caffe_add_reshape(in, layer, layer->bottoms[0], value, err) < 0 ? -1 : value;
}

/* [1, K] to [1, O]. */
static int add_dense(struct caffe_import *in, const struct caffe_layer *layer,
                     const Caffe__InnerProductParameter *param, int x, int64_t features, struct error *err)
{
    const struct shape weight = stored_shape(is_turned(in, param), param->num_output, features);
    const struct shape bias = {1, {param->num_output}};
    int inputs[3] = {x, GRAPH_NONE, GRAPH_NONE}, output, node;

    inputs[1] = is_turned(in, param) ? turned_weights(in, layer, &weight, err)
                                     : caffe_blob_constant(in, layer, 0, "weight", &weight, err);
    if (inputs[1] < 0)
        return -1;
    if (param->bias_term && (inputs[2] = caffe_blob_constant(in, layer, 1, "bias", &bias, err)) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    node = output < 0 ? -1 : caffe_add_node(in, layer, OP_DENSE, inputs, param->bias_term ? 3 : 2, output, err);
    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

/* [..., K] to [..., O], one product for each position along the axes in front: what OP_DENSE does not do. */
static int add_positionwise(struct caffe_import *in, const struct caffe_layer *layer,
                            const Caffe__InnerProductParameter *param, int x, int64_t features, struct error *err)
{
    const struct shape weight = stored_shape(is_turned(in, param), param->num_output, features);
    const struct shape bias = {1, {param->num_output}};
    int inputs[2] = {x, GRAPH_NONE}, shift = GRAPH_NONE, output, product, node;

    inputs[1] = is_turned(in, param) ? caffe_blob_constant(in, layer, 0, "weight", &weight, err)
                                     : turned_weights(in, layer, &weight, err);
    if (inputs[1] < 0)
        return -1;
    if (param->bias_term && (shift = caffe_blob_constant(in, layer, 1, "bias", &bias, err)) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    product = output < 0 || !param->bias_term ? output : caffe_inner(in, layer, "product", NULL, err);
    node = product < 0 ? -1 : caffe_add_node(in, layer, OP_MATMUL, inputs, 2, product, err);
    if (node < 0 || caffe_finish_node(in, node, err) < 0)
        return -1;
    return param->bias_term ? caffe_add_binary(in, layer, BINARY_ADD, product, shift, output, err) : 0;
}

int caffe_inner_product(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__InnerProductParameter *param = layer->param->inner_product_param;
    struct shape flat;
    size_t axis;
    int x;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (param == NULL || param->num_output == 0)
        return caffe_error(layer, err, EX_DATAERR, "it has no num_output");
    if (caffe_axis(layer, param->axis, caffe_bottom_shape(in, layer, 0)->rank, &axis, err) < 0)
        return -1;
    if (axis == 0)
        return caffe_error(layer, err, EX_UNAVAILABLE, "axis 0 joins the records of a batch");
    if (caffe_expect_blobs(in, layer, param->bias_term ? 2 : 1, err) < 0)
        return -1;
    x = flattened(in, layer, axis, &flat, err);
    if (x < 0)
        return -1;
    return axis == 1 ? add_dense(in, layer, param, x, flat.dims[1], err)
                     : add_positionwise(in, layer, param, x, flat.dims[axis], err);
}

/* ---- MatMul (Sophon's fork): y[dim_1][dim_3] = a[dim_1][dim_2] b[dim_3][dim_2]^T; dim_1 counts records */

static int reshaped_bottom(struct caffe_import *in, const struct caffe_layer *layer, size_t index, const char *what,
                           const struct shape *shape, struct error *err)
{
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    int value;

    if (shape_elements(caffe_bottom_shape(in, layer, index)) != shape_elements(shape))
        return caffe_error(layer, err, EX_DATAERR, "bottom %zu: expected the elements of %s, found shape %s", index,
                           shape_text(shape, to), shape_text(caffe_bottom_shape(in, layer, index), from));
    value = caffe_inner(in, layer, what, shape, err);
    return value < 0 || caffe_add_reshape(in, layer, layer->bottoms[index], value, err) < 0 ? -1 : value;
}

int caffe_matmul(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__MatMulParameter defaults = CAFFE__MAT_MUL_PARAMETER__INIT;
    const Caffe__MatMulParameter *param = layer->param->matmul_param != NULL ? layer->param->matmul_param : &defaults;
    const struct shape a = {3, {1, 1, param->dim_2}}, b = {3, {1, param->dim_3, param->dim_2}};
    const struct shape flat = {2, {1, param->dim_3}};
    const int64_t turn[3] = {0, 2, 1};
    int inputs[2], stored, product, output, node;

    if (caffe_expect(layer, 2, 1, err) < 0)
        return -1;
    if (param->dim_1 != 1 && param->dim_1 != in->declared_batch)
        return caffe_error(layer, err, EX_UNAVAILABLE, "dim_1 is supported as the batch only, found %u", param->dim_1);
    output = caffe_top(in, layer, 0, &flat, err);
    inputs[0] = output < 0 ? -1 : reshaped_bottom(in, layer, 0, "rows", &a, err);
    stored = inputs[0] < 0 ? -1 : reshaped_bottom(in, layer, 1, "columns", &b, err);
    inputs[1] = stored < 0 ? -1 : caffe_inner(in, layer, "turned", NULL, err);
    if (inputs[1] < 0 || caffe_add_transpose(in, layer, stored, turn, inputs[1], err) < 0)
        return -1;
    product = caffe_inner(in, layer, "product", NULL, err);
    node = product < 0 ? -1 : caffe_add_node(in, layer, OP_MATMUL, inputs, 2, product, err);
    if (node < 0 || caffe_finish_node(in, node, err) < 0)
        return -1;
    return caffe_add_reshape(in, layer, product, output, err);
}
