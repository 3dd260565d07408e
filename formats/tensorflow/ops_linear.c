/* ops_linear.c — matrix products, biases, and normalisation by statistics fixed in training. */
#include "formats/tensorflow/tf_import.h"

#include <math.h>

/* --- MatMul, BatchMatMul --- */

/* Input `slot` as a matrix (or a batch of them) with rows before columns, transposed where `is_transposed`. */
static int matrix(struct tf_import *in, const struct tf_node *node, size_t slot, bool is_transposed, struct error *err)
{
    struct tf_tensor tensor = node->inputs[slot];
    size_t rank = tf_rank(in, &tensor);
    int64_t perm[TENSOR_MAX_RANK];
    char text[SHAPE_TEXT_BYTES];
    struct shape shape = tf_shape(in, &tensor);

    if (rank < 2)
        return error_set(err, EX_DATAERR, "expected a matrix as input %zu, found shape %s", slot,
                         shape_text(&shape, text));
    for (size_t i = 0; i < rank; i++)
        perm[i] = (int64_t)i;
    if (is_transposed) {
        perm[rank - 2] = (int64_t)rank - 1;
        perm[rank - 1] = (int64_t)rank - 2;
    }
    tensor = tf_transposed(&tensor, perm, rank);
    return tf_arrange(in, node, &tensor, tf_plain_order(), err);
}

/* A matrix of features times a constant matrix is a dense layer; everything else stays a product. The attributes are
 * transpose_a and transpose_b of MatMul, or (variant 1) adj_x and adj_y of BatchMatMul. */
int tf_build_matmul(struct tf_import *in, struct tf_node *node, struct error *err)
{
    bool is_batch = node->row->variant != 0, transposes_a, transposes_b, is_dense;
    int inputs[2];
    struct node draft = {.op = OP_MATMUL, .inputs = inputs, .n_inputs = 2};

    if (tf_flag(node, is_batch ? "adj_x" : "transpose_a", false, &transposes_a, err) != 0 ||
        tf_flag(node, is_batch ? "adj_y" : "transpose_b", false, &transposes_b, err) != 0)
        return -1;
    is_dense = tf_rank(in, &node->inputs[0]) == 2 && tf_rank(in, &node->inputs[1]) == 2 &&
               !tf_is_constant(in, node, 0) && tf_is_constant(in, node, 1);
    if (is_dense && transposes_a)
        return error_set(err, EX_UNAVAILABLE, "transpose_a would move the batch axis");
    /* weights of a dense layer are O x K */
    if ((inputs[0] = matrix(in, node, 0, transposes_a, err)) < 0 ||
        (inputs[1] = matrix(in, node, 1, transposes_b != is_dense, err)) < 0)
        return -1;
    if (is_dense)
        draft.op = OP_DENSE;
    return tf_finish(in, node, &draft, NULL, err);
}

/* --- BiasAdd --- */

int tf_build_bias(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    struct shape shape = tf_shape(in, x), spread = {.rank = shape.rank};
    int inputs[2] = {x->value};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_ADD};
    struct tensor bias;
    bool is_channels_last;
    size_t axis;

    if (tf_is_channels_last(node->proto, &is_channels_last, err) != 0 || tf_constant(in, node, 1, &bias, err) != 0)
        return -1;
    axis = is_channels_last ? shape.rank - 1 : 1;
    if (shape.rank < 2 || bias.shape.rank != 1 || bias.shape.dims[0] != shape.dims[axis])
        return error_set(err, EX_DATAERR, "expected %lld biases, found %lld",
                         shape.rank < 2 ? 0LL : (long long)shape.dims[axis], (long long)shape_elements(&bias.shape));
    for (size_t i = 0; i < shape.rank; i++)
        spread.dims[x->order.axis[i]] = i == axis ? shape.dims[axis] : 1;
    inputs[1] = tf_add_reshape(in, node, node->inputs[1].value, &spread, "bias", 0, err);
    return inputs[1] < 0 ? -1 : tf_finish(in, node, &draft, &x->order, err);
}

/* --- batch normalisation, fused --- */

/* Where the four parameters of an operator are among its inputs. */
struct parameters {
    size_t scale, offset, mean, variance;
    bool has_scale; /* else the scale is there, but does not count */
    float epsilon;
};

/* One float32 a channel. */
static int read_channels(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t channels,
                         const float **out, struct error *err)
{
    struct tensor tensor;
    char text[SHAPE_TEXT_BYTES];

    if (tf_constant(in, node, slot, &tensor, err) != 0)
        return -1;
    if (tensor.dtype != DTYPE_FLOAT32 || tensor.shape.rank != 1 || tensor.shape.dims[0] != channels)
        return error_set(err, EX_DATAERR, "expected %lld of float32 as input %zu, found %s of shape %s",
                         (long long)channels, slot, dtype_name(tensor.dtype), shape_text(&tensor.shape, text));
    *out = tensor.data;
    return 0;
}

static int normalize(struct tf_import *in, struct tf_node *node, const struct parameters *p, bool is_channels_last,
                     struct error *err)
{
    int inputs[3] = {tf_image(in, node, 0, is_channels_last, err)};
    struct node draft = {.op = OP_NORMALIZE, .inputs = inputs, .n_inputs = 3};
    struct shape vector = {.rank = 1};
    struct tf_order order = tf_image_order(4, is_channels_last);
    const float *scales, *offsets, *means, *variances;
    void *scale, *shift;

    if (inputs[0] < 0)
        return -1;
    vector.dims[0] = in->graph->values[inputs[0]].shape.dims[1];
    if (read_channels(in, node, p->scale, vector.dims[0], &scales, err) != 0 ||
        read_channels(in, node, p->offset, vector.dims[0], &offsets, err) != 0 ||
        read_channels(in, node, p->mean, vector.dims[0], &means, err) != 0 ||
        read_channels(in, node, p->variance, vector.dims[0], &variances, err) != 0 ||
        (inputs[1] = tf_add_constant(in, node, "scale", DTYPE_FLOAT32, &vector, &scale, err)) < 0 ||
        (inputs[2] = tf_add_constant(in, node, "shift", DTYPE_FLOAT32, &vector, &shift, err)) < 0)
        return -1;
    for (int64_t c = 0; c < vector.dims[0]; c++) { /* in double: the folded weights are rounded once */
        double factor = (p->has_scale ? (double)scales[c] : 1) / sqrt((double)variances[c] + (double)p->epsilon);

        if (!isfinite(factor))
            return error_set(err, EX_DATAERR, "channel %lld: scale %g with variance %g is not finite", (long long)c,
                             (double)scales[c], (double)variances[c]);
        ((float *)scale)[c] = (float)factor;
        ((float *)shift)[c] = (float)((double)offsets[c] - (double)means[c] * factor);
    }
    return tf_finish(in, node, &draft, &order, err);
}

/* FusedBatchNorm. The three versions differ in their further outputs, which only training needs. */
int tf_build_normalize(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct parameters p = {.scale = 1, .offset = 2, .mean = 3, .variance = 4, .has_scale = true};
    bool is_training, is_channels_last;

    if (tf_float(node, "epsilon", 1e-4F, &p.epsilon, err) != 0 ||
        tf_flag(node, "is_training", true, &is_training, err) != 0 ||
        tf_is_channels_last(node->proto, &is_channels_last, err) != 0)
        return -1;
    if (is_training) /* also where the attribute is absent */
        return error_set(err, EX_UNAVAILABLE,
                         "is_training is true: it normalises by the batch at hand, not by fixed "
                         "numbers; freeze the network for inference");
    return normalize(in, node, &p, is_channels_last, err);
}

/* BatchNormWithGlobalNormalization, of graphs from 2015: t, m, v, beta, gamma. */
int tf_build_old_normalize(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct parameters p = {.mean = 1, .variance = 2, .offset = 3, .scale = 4};

    if (tf_float(node, "variance_epsilon", 0, &p.epsilon, err) != 0 ||
        tf_flag(node, "scale_after_normalization", false, &p.has_scale, err) != 0)
        return -1;
    return normalize(in, node, &p, true, err);
}

/* --- LRN --- */

/* alpha counts once a neighbour here, once a window in our graph. */
int tf_build_lrn(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x = tf_image(in, node, 0, true, err);
    struct node draft = {.op = OP_LRN, .inputs = &x, .n_inputs = 1};
    struct tf_order order = tf_image_order(4, true);
    int64_t radius;
    float alpha;

    if (x < 0 || tf_int(node, "depth_radius", 5, &radius, err) != 0 || tf_float(node, "alpha", 1, &alpha, err) != 0 ||
        tf_float(node, "beta", 0.5F, &draft.attr.lrn.beta, err) != 0 ||
        tf_float(node, "bias", 1, &draft.attr.lrn.k, err) != 0)
        return -1;
    if (radius < 0 || radius > INT16_MAX)
        return error_set(err, EX_DATAERR, "attribute \"depth_radius\" is %lld", (long long)radius);
    draft.attr.lrn.size = 2 * radius + 1;
    draft.attr.lrn.alpha = alpha * (float)draft.attr.lrn.size;
    return tf_finish(in, node, &draft, &order, err);
}
