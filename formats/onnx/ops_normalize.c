/* ops_normalize.c — normalisation by statistics of each record: layer, instance, group, mean-variance, Lp. */
#include "formats/onnx/onnx_import.h"

#include <string.h>

static int put_layer_norm(struct onnx_import *in, const struct onnx_node *node, uint32_t axes, float epsilon,
                          const int operands[3], const char *step, struct error *err)
{
    struct node draft = {.op = OP_LAYER_NORM, .inputs = (int *)(uintptr_t)operands, .n_inputs = 3};

    draft.attr.layer_norm.axes = axes;
    draft.attr.layer_norm.epsilon = epsilon;
    while (draft.n_inputs > 1 && operands[draft.n_inputs - 1] == GRAPH_NONE)
        draft.n_inputs--;
    return operands[0] < 0 ? -1 : onnx_add_as(in, node, &draft, &(struct onnx_result){.step = step}, err);
}

static uint32_t axes_from(size_t first, size_t rank)
{
    return ((UINT32_C(1) << rank) - 1) & ~((UINT32_C(1) << first) - 1);
}

/* --- LayerNormalization --- */

static bool is_wanted(const struct onnx_node *node, size_t output)
{
    return output < node->proto->n_output && node->proto->output[output][0] != '\0';
}

/* The optional outputs: the mean, and 1 / sqrt(variance + epsilon). */
static int add_statistics(struct onnx_import *in, const struct onnx_node *node, uint32_t axes, float epsilon,
                          struct error *err)
{
    int x = onnx_input(node, 0), mean, y;
    struct node draft = {.op = OP_IDENTITY, .inputs = &mean, .n_inputs = 1};

    mean = onnx_put_reduce(in, node, REDUCE_MEAN, axes, true, x, "mean", err);
    if (mean < 0 || (is_wanted(node, 1) && onnx_add_as(in, node, &draft, &(struct onnx_result){.slot = 1}, err) < 0))
        return -1;
    if (!is_wanted(node, 2))
        return 0;
    y = onnx_put_binary(in, node, BINARY_SUB, x, mean, "deviation", err);
    y = onnx_put_binary(in, node, BINARY_MUL, y, y, "square", err);
    y = onnx_put_reduce(in, node, REDUCE_MEAN, axes, true, y, "variance", err);
    y = onnx_put_binary(in, node, BINARY_ADD, y, onnx_put_number(in, node, "epsilon", y, (double)epsilon, err),
                        "above_zero", err);
    if (y < 0)
        return -1;
    draft = (struct node){.op = OP_ACTIVATION, .inputs = &y, .n_inputs = 1};
    draft.attr.activation = (struct activation){.kind = ACTIVATION_POWER, .alpha = -0.5F};
    return onnx_add_as(in, node, &draft, &(struct onnx_result){.slot = 2}, err) < 0 ? -1 : 0;
}

int onnx_build_layer_norm(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    const int operands[] = {onnx_input(node, 0), onnx_input(node, 1), onnx_input(node, 2)};
    size_t rank = onnx_shape(in, operands[0])->rank, axis;
    int64_t wanted, stash;
    float epsilon;

    if (onnx_int(node, "axis", -1, &wanted, err) != 0 || import_axis(wanted, rank, &axis, err) != 0 ||
        onnx_float(node, "epsilon", 1e-5F, &epsilon, err) != 0 || onnx_int(node, "stash_type", 1, &stash, err) != 0)
        return -1;
    if (put_layer_norm(in, node, axes_from(axis, rank), epsilon, operands, NULL, err) < 0)
        return -1;
    return is_wanted(node, 1) || is_wanted(node, 2) ? add_statistics(in, node, axes_from(axis, rank), epsilon, err) : 0;
}

/* --- InstanceNormalization, GroupNormalization --- */

/* A vector of one number a channel, to be broadcast along axis 1. */
static int put_channels(struct onnx_import *in, const struct onnx_node *node, size_t slot, size_t rank,
                        const char *step, struct error *err)
{
    int value = onnx_input(node, slot);
    struct shape shape = {.rank = rank - 1};

    if (onnx_shape(in, value)->rank != 1)
        return error_set(err, EX_DATAERR, "expected one number a channel as input %zu", slot);
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = i == 0 ? onnx_shape(in, value)->dims[0] : 1;
    return onnx_add_reshape(in, node, value, &shape, step, err);
}

int onnx_build_instance_norm(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int operands[3] = {onnx_input(node, 0)};
    size_t rank = onnx_shape(in, operands[0])->rank;
    float epsilon;

    if (rank < 3)
        return error_set(err, EX_DATAERR, "expected N x C x ... as input 0, found %zu axes", rank);
    if (onnx_float(node, "epsilon", 1e-5F, &epsilon, err) != 0 ||
        (operands[1] = put_channels(in, node, 1, rank, "scale", err)) < 0 ||
        (operands[2] = put_channels(in, node, 2, rank, "shift", err)) < 0)
        return -1;
    return put_layer_norm(in, node, axes_from(2, rank), epsilon, operands, NULL, err) < 0 ? -1 : 0;
}

/* Scale and shift of a group (opset 18) as those of each of its channels, which opset 21 has. */
static int put_group_vector(struct onnx_import *in, const struct onnx_node *node, size_t slot, int64_t groups,
                            int64_t channels, const char *what, struct error *err)
{
    struct tensor given;
    int64_t n;
    void *data;
    int value;

    if (onnx_constant(in, node, slot, &given, err) != 0)
        return -1;
    n = shape_elements(&given.shape);
    if (given.dtype != DTYPE_FLOAT32 || (n != groups && n != channels))
        return error_set(err, EX_DATAERR, "expected %lld or %lld numbers as input %zu, found %lld", (long long)groups,
                         (long long)channels, slot, (long long)n);
    value = onnx_add_constant(in, node, what, DTYPE_FLOAT32, &(struct shape){1, {channels}}, &data, err);
    for (int64_t c = 0; value >= 0 && c < channels; c++)
        ((float *)data)[c] = ((const float *)given.data)[n == channels ? c : c / (channels / groups)];
    return value;
}

/* As [N, groups, channels of a group and pixels], normalised over the last axis. */
int onnx_build_group_norm(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), operands[] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE}, inputs[3];
    const struct shape shape = *onnx_shape(in, x);
    struct node draft = {.op = OP_NORMALIZE, .inputs = inputs, .n_inputs = 3};
    struct shape grouped = {.rank = 3};
    int64_t groups, stash;
    float epsilon;

    if (onnx_int(node, "num_groups", 0, &groups, err) != 0 || onnx_float(node, "epsilon", 1e-5F, &epsilon, err) != 0 ||
        onnx_int(node, "stash_type", 1, &stash, err) != 0)
        return -1;
    if (shape.rank < 2 || groups < 1 || groups > shape.dims[1] || shape.dims[1] % groups != 0)
        return error_set(err, EX_DATAERR, "%lld channels do not divide into %lld groups",
                         shape.rank < 2 ? 0LL : (long long)shape.dims[1], (long long)groups);
    grouped.dims[0] = shape.dims[0];
    grouped.dims[1] = groups;
    grouped.dims[2] = shape_elements(&shape) / shape.dims[0] / groups;
    operands[0] = onnx_put_reshape(in, node, x, &grouped, "grouped", err);
    x = put_layer_norm(in, node, 1U << 2, epsilon, operands, "normalised", err);
    inputs[0] = onnx_put_reshape(in, node, x, &shape, "ungrouped", err);
    if (inputs[0] < 0 || (inputs[1] = put_group_vector(in, node, 1, groups, shape.dims[1], "scale", err)) < 0 ||
        (inputs[2] = put_group_vector(in, node, 2, groups, shape.dims[1], "shift", err)) < 0)
        return -1;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- MeanVarianceNormalization, LpNormalization --- */

int onnx_build_mean_variance(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    const int operands[] = {onnx_input(node, 0), GRAPH_NONE, GRAPH_NONE};
    uint32_t axes;

    if (onnx_axes(in, node, onnx_shape(in, operands[0])->rank, &axes, err) != 0)
        return -1;
    if (!onnx_has(node, "axes"))
        axes = 1U << 0 | 1U << 2 | 1U << 3; /* the default of the standard */
    return put_layer_norm(in, node, axes, 1e-9F, operands, NULL, err) < 0 ? -1 : 0;
}

/* x / |x|_p along one axis. */
int onnx_build_lp_norm(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), size = x;
    int64_t wanted, p;
    size_t axis;

    if (onnx_int(node, "axis", -1, &wanted, err) != 0 ||
        import_axis(wanted, onnx_shape(in, x)->rank, &axis, err) != 0 || onnx_int(node, "p", 2, &p, err) != 0)
        return -1;
    if (p != 1 && p != 2)
        return error_set(err, EX_DATAERR, "attribute \"p\": expected 1 or 2, found %lld", (long long)p);
    if (p == 1)
        size = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_ABS}, x, "size", err);
    size = onnx_put_reduce(in, node, p == 1 ? REDUCE_SUM : REDUCE_L2, UINT32_C(1) << axis, true, size, "norm", err);
    return onnx_put_binary(in, node, BINARY_DIV, x, size, NULL, err) < 0 ? -1 : 0;
}
