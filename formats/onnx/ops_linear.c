/* ops_linear.c — matrix products, and normalisation by statistics fixed in training. */
#include "common/view.h"
#include "formats/onnx/onnx_import.h"

#include <math.h>
#include <string.h>

/* --- Gemm, MatMul --- */

/* The codes of a matrix, of which `to` is the transpose, belong to that as well. */
static int transpose_coding(struct graph *graph, int from, int to, struct error *err)
{
    const struct coding *coding = graph->values[from].coding;
    struct coding *turned = coding == NULL ? NULL : arena_create_array(graph->arena, 1, sizeof *turned, err);

    if (coding == NULL || coding->constant != NULL)
        return 0;
    if (turned == NULL)
        return -1;
    *turned = *coding;
    turned->axis = 1 - coding->axis;
    graph->values[to].coding = turned;
    return 0;
}

/* factor * w, transposed where `is_k_by_o`, as a constant O x K. The constant itself where nothing changes. */
static int add_dense_weights(struct onnx_import *in, const struct onnx_node *node, const struct tensor *w,
                             bool is_k_by_o, float factor, struct error *err)
{
    size_t rows = (size_t)w->shape.dims[0], columns = (size_t)w->shape.dims[1];
    struct shape shape = {.rank = 2, .dims = {w->shape.dims[is_k_by_o], w->shape.dims[!is_k_by_o]}};
    const float *from = w->data;
    void *data;
    int value;

    if (!is_k_by_o && factor == 1)
        return onnx_input(node, 1);
    value = onnx_add_constant(in, node, "weights", DTYPE_FLOAT32, &shape, &data, err);
    if (value >= 0 && is_k_by_o) {
        view_copy_plain(&(struct view){from, 1, columns, rows, columns}, data);
        from = data;
    }
    for (size_t i = 0; value >= 0 && factor != 1 && i < rows * columns; i++)
        ((float *)data)[i] = factor * from[i];
    return value < 0 || factor != 1 || transpose_coding(in->graph, onnx_input(node, 1), value, err) == 0 ? value : -1;
}

/* beta * C as one number an output feature. C broadcasts to 1 x O. */
static int add_dense_bias(struct onnx_import *in, const struct onnx_node *node, int64_t features, float beta,
                          struct error *err)
{
    struct shape shape = {.rank = 1, .dims = {features}};
    struct tensor c;
    char text[SHAPE_TEXT_BYTES];
    int64_t elements;
    void *data;
    int value;

    if (onnx_constant(in, node, 2, &c, err) != 0)
        return -1;
    elements = shape_elements(&c.shape);
    if (c.dtype != DTYPE_FLOAT32 || c.shape.rank > 2 || (elements != 1 && elements != features) ||
        (elements != 1 && c.shape.dims[c.shape.rank - 1] != features))
        return error_set(err, EX_DATAERR, "expected float32 of shape %lld as C, found %s of shape %s",
                         (long long)features, dtype_name(c.dtype), shape_text(&c.shape, text));
    if (c.shape.rank == 1 && elements == features && beta == 1)
        return onnx_input(node, 2);
    value = onnx_add_constant(in, node, "bias", DTYPE_FLOAT32, &shape, &data, err);
    for (int64_t i = 0; value >= 0 && i < features; i++)
        ((float *)data)[i] = beta * ((const float *)c.data)[elements == 1 ? 0 : i];
    return value;
}

static int check_matrix(const struct tensor *w, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (w->dtype == DTYPE_FLOAT32 && w->shape.rank == 2 && shape_elements(&w->shape) > 0)
        return 0;
    return error_set(err, EX_DATAERR, "expected a float32 matrix as input 1, found %s of shape %s",
                     dtype_name(w->dtype), shape_text(&w->shape, text));
}

/* x w^T plus a C that is computed at run time, or is no bias. */
static int add_product_and_sum(struct onnx_import *in, const struct onnx_node *node, const struct node *product,
                               float beta, struct error *err)
{
    int c = onnx_input(node, 2), y = onnx_add_step(in, node, product, "product", err);

    if (beta != 1)
        c = onnx_put_binary(in, node, BINARY_MUL, c, onnx_put_number(in, node, "beta", c, (double)beta, err), "scaled",
                            err);
    return onnx_put_binary(in, node, BINARY_ADD, y, c, NULL, err) < 0 ? -1 : 0;
}

/* A constant that is one number, or one an output feature. */
static bool is_bias(const struct onnx_import *in, int c, int64_t features)
{
    const struct shape *shape = onnx_shape(in, c);
    int64_t elements = shape_elements(shape);

    return in->graph->values[c].is_constant && shape->rank <= 2 &&
           (elements == 1 || (elements == features && shape->dims[shape->rank - 1] == features));
}

/* Rows become columns, which a batch may not. */
static int put_transposed(struct onnx_import *in, const struct onnx_node *node, int x, struct error *err)
{
    struct node draft = {.op = OP_TRANSPOSE, .inputs = &x, .n_inputs = 1};

    if (onnx_has_batch(in, x))
        return error_set(err, EX_UNAVAILABLE, "transA = 1 would move the batch axis");
    if (onnx_shape(in, x)->rank != 2)
        return error_set(err, EX_DATAERR, "expected a matrix as A, found %zu axes", onnx_shape(in, x)->rank);
    draft.attr.perm[0] = 1;
    return onnx_add_step(in, node, &draft, "transposed", err);
}

int onnx_build_gemm(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[3] = {onnx_input(node, 0), GRAPH_NONE, GRAPH_NONE}, c = onnx_input(node, 2);
    struct node draft = {.op = OP_DENSE, .inputs = inputs, .n_inputs = 2};
    float alpha, beta;
    bool transposes_a, transposes_b;
    struct tensor w;

    if (onnx_float(node, "alpha", 1, &alpha, err) != 0 || onnx_float(node, "beta", 1, &beta, err) != 0 ||
        onnx_flag(node, "transA", false, &transposes_a, err) != 0 ||
        onnx_flag(node, "transB", false, &transposes_b, err) != 0)
        return -1;
    if (transposes_a && (inputs[0] = put_transposed(in, node, inputs[0], err)) < 0)
        return -1;
    if (onnx_constant(in, node, 1, &w, err) != 0 || check_matrix(&w, err) != 0)
        return -1;
    inputs[1] = add_dense_weights(in, node, &w, !transposes_b, alpha, err);
    if (inputs[1] < 0)
        return -1;
    if (c != GRAPH_NONE && beta != 0 && !is_bias(in, c, w.shape.dims[transposes_b ? 0 : 1]))
        return add_product_and_sum(in, node, &draft, beta, err);
    if (c != GRAPH_NONE && beta != 0) {
        draft.n_inputs = 3;
        inputs[2] = add_dense_bias(in, node, w.shape.dims[transposes_b ? 0 : 1], beta, err);
        if (inputs[2] < 0)
            return -1;
    }
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* A matrix of features times a constant matrix is a dense layer; everything else stays a product. */
int onnx_build_matmul(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1)};
    struct node draft = {.op = OP_MATMUL, .inputs = inputs, .n_inputs = 2};
    struct tensor w;

    if (onnx_shape(in, inputs[0])->rank == 2 && !in->graph->values[inputs[0]].is_constant &&
        graph_constant(in->graph, inputs[1], &w) && w.shape.rank == 2) {
        draft.op = OP_DENSE;
        if (check_matrix(&w, err) != 0 || (inputs[1] = add_dense_weights(in, node, &w, true, 1, err)) < 0)
            return -1;
    }
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- BatchNormalization, LRN --- */

/* Inputs 1 to 4: one float32 a channel. */
static int read_channels(const struct onnx_import *in, const struct onnx_node *node, const float *out[5],
                         int64_t *channels, struct error *err)
{
    static const char *const names[] = {"", "scale", "B", "mean", "var"};
    const struct shape *x = onnx_shape(in, onnx_input(node, 0));
    struct tensor tensor;
    char text[SHAPE_TEXT_BYTES];

    if (x->rank < 2)
        return error_set(err, EX_DATAERR, "an input of shape %s has no channels", shape_text(x, text));
    *channels = x->dims[1];
    for (size_t i = 1; i <= 4; i++) {
        if (onnx_constant(in, node, i, &tensor, err) != 0)
            return -1;
        if (tensor.dtype != DTYPE_FLOAT32 || tensor.shape.rank != 1 || tensor.shape.dims[0] != *channels)
            return error_set(err, EX_DATAERR, "%s: expected %lld of float32, found %s of shape %s", names[i],
                             (long long)*channels, dtype_name(tensor.dtype), shape_text(&tensor.shape, text));
        out[i] = tensor.data;
    }
    return 0;
}

int onnx_build_normalize(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[3] = {onnx_input(node, 0)};
    struct node draft = {.op = OP_NORMALIZE, .inputs = inputs, .n_inputs = 3};
    const float *from[5];
    float epsilon;
    bool is_training, is_spatial;
    int64_t channels = 0;
    void *scale, *shift;

    if (onnx_float(node, "epsilon", 1e-5F, &epsilon, err) != 0 ||
        onnx_flag(node, "training_mode", false, &is_training, err) != 0 ||
        onnx_flag(node, "spatial", true, &is_spatial, err) != 0)
        return -1;
    if (is_training || !is_spatial)
        return error_set(err, EX_UNAVAILABLE, "%s is not supported", is_training ? "training_mode 1" : "spatial 0");
    if (read_channels(in, node, from, &channels, err) != 0 ||
        (inputs[1] = onnx_add_constant(in, node, "scale", DTYPE_FLOAT32, &(struct shape){1, {channels}}, &scale, err)) <
            0 ||
        (inputs[2] = onnx_add_constant(in, node, "shift", DTYPE_FLOAT32, &(struct shape){1, {channels}}, &shift, err)) <
            0)
        return -1;
    for (int64_t c = 0; c < channels; c++) { /* in double: the folded weights are rounded once */
        double factor = (double)from[1][c] / sqrt((double)from[4][c] + (double)epsilon);

        if (!isfinite(factor))
            return error_set(err, EX_DATAERR, "channel %lld: scale %g with variance %g is not finite", (long long)c,
                             (double)from[1][c], (double)from[4][c]);
        ((float *)scale)[c] = (float)factor;
        ((float *)shift)[c] = (float)((double)from[2][c] - (double)from[3][c] * factor);
    }
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_lrn(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_LRN, .inputs = &x, .n_inputs = 1};

    if (!onnx_has(node, "size"))
        return error_set(err, EX_DATAERR, "attribute \"size\" is missing");
    if (onnx_int(node, "size", 0, &draft.attr.lrn.size, err) != 0 ||
        onnx_float(node, "alpha", 1e-4F, &draft.attr.lrn.alpha, err) != 0 ||
        onnx_float(node, "beta", 0.75F, &draft.attr.lrn.beta, err) != 0 ||
        onnx_float(node, "bias", 1, &draft.attr.lrn.k, err) != 0)
        return -1;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
