/* ops_space.c — blocks of pixels into channels and back, repetition, triangles. */
#include "formats/onnx/onnx_import.h"

#include <stdlib.h>

/* --- DepthToSpace, SpaceToDepth --- */

/* x seen as `split`, its axes permuted, joined to `joined`. */
static int add_shuffle(struct onnx_import *in, const struct onnx_node *node, const struct shape *split,
                       const int64_t perm[6], const struct shape *joined, struct error *err)
{
    int x = onnx_put_reshape(in, node, onnx_input(node, 0), split, "split", err);
    struct node draft = {.op = OP_TRANSPOSE, .inputs = &x, .n_inputs = 1};

    for (size_t i = 0; i < split->rank; i++)
        draft.attr.perm[i] = perm[i];
    if (x < 0)
        return -1;
    x = onnx_add_step(in, node, &draft, "permuted", err);
    return onnx_put_reshape(in, node, x, joined, NULL, err) < 0 ? -1 : 0;
}

static int read_block(const struct onnx_import *in, const struct onnx_node *node, int64_t *block, struct error *err)
{
    const struct shape *x = onnx_shape(in, onnx_input(node, 0));

    if (onnx_int(node, "blocksize", 0, block, err) != 0)
        return -1;
    if (x->rank != 4 || *block < 1 || *block > INT16_MAX)
        return error_set(err, EX_DATAERR, "expected N x C x H x W and a positive block, found %zu axes and %lld",
                         x->rank, (long long)*block);
    return 0;
}

int onnx_build_depth_to_space(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const modes[] = {"DCR", "CRD", NULL}; /* depth, column, row: what lies outside in the channels */
    static const int64_t perms[2][6] = {{0, 3, 4, 1, 5, 2}, {0, 1, 4, 2, 5, 3}};
    const struct shape x = *onnx_shape(in, onnx_input(node, 0));
    struct shape split, joined;
    int64_t b, depth;
    int mode;

    if (read_block(in, node, &b, err) != 0 || onnx_choice(node, "mode", modes, 0, &mode, err) != 0)
        return -1;
    if (x.dims[1] % (b * b) != 0)
        return error_set(err, EX_DATAERR, "%lld channels do not divide into blocks of %lldx%lld", (long long)x.dims[1],
                         (long long)b, (long long)b);
    depth = x.dims[1] / (b * b);
    split = (struct shape){6, {x.dims[0], mode == 0 ? b : depth, b, mode == 0 ? depth : b, x.dims[2], x.dims[3]}};
    joined = (struct shape){4, {x.dims[0], depth, x.dims[2] * b, x.dims[3] * b}};
    return add_shuffle(in, node, &split, perms[mode], &joined, err);
}

int onnx_build_space_to_depth(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const int64_t perm[6] = {0, 3, 5, 1, 2, 4};
    const struct shape x = *onnx_shape(in, onnx_input(node, 0));
    struct shape split, joined;
    int64_t b;

    if (read_block(in, node, &b, err) != 0)
        return -1;
    if (x.dims[2] % b != 0 || x.dims[3] % b != 0)
        return error_set(err, EX_DATAERR, "%lldx%lld pixels do not divide into blocks of %lldx%lld",
                         (long long)x.dims[2], (long long)x.dims[3], (long long)b, (long long)b);
    split = (struct shape){6, {x.dims[0], x.dims[1], x.dims[2] / b, b, x.dims[3] / b, b}};
    joined = (struct shape){4, {x.dims[0], x.dims[1] * b * b, x.dims[2] / b, x.dims[3] / b}};
    return add_shuffle(in, node, &split, perm, &joined, err);
}

/* --- Tile --- */

/* Along each axis that is repeated, the elements are gathered over and over. */
int onnx_build_tile(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[2] = {onnx_input(node, 0)};
    struct node draft = {.op = OP_GATHER, .inputs = inputs, .n_inputs = 2};
    const struct shape x = *onnx_shape(in, inputs[0]);
    int64_t repeats[TENSOR_MAX_RANK];
    size_t n, left = 0;

    if (onnx_constant_ints(in, node, 1, repeats, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n != x.rank)
        return error_set(err, EX_DATAERR, "expected %zu repeats, found %zu", x.rank, n);
    for (size_t i = 0; i < n; i++) {
        left += repeats[i] != 1;
        if (repeats[i] < 1 || (repeats[i] > 1 && x.dims[i] > TENSOR_MAX_ELEMENTS / repeats[i]))
            return error_set(err, EX_UNAVAILABLE, "an axis of %lld repeated %lld times is not supported",
                             (long long)x.dims[i], (long long)repeats[i]);
    }
    if (left == 0)
        return onnx_build_identity(in, node, err);
    for (size_t i = 0; i < n; i++) {
        void *data;

        if (repeats[i] == 1)
            continue;
        inputs[1] = onnx_add_constant(in, node, "repeats", DTYPE_INT64, &(struct shape){1, {x.dims[i] * repeats[i]}},
                                      &data, err);
        for (int64_t k = 0; inputs[1] >= 0 && k < x.dims[i] * repeats[i]; k++)
            ((int64_t *)data)[k] = k % x.dims[i];
        draft.attr.axis = (int64_t)i;
        if (inputs[1] < 0 ||
            (inputs[0] =
                 onnx_add_as(in, node, &draft, &(struct onnx_result){.step = --left > 0 ? "tiled" : NULL}, err)) < 0)
            return -1;
    }
    return 0;
}

/* --- Trilu --- */

/* Times a mask of ones on one side of the diagonal that `k` moves; masks of constants choose among any numbers. */
int onnx_build_trilu(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), mask;
    const struct shape *shape = onnx_shape(in, x);
    struct shape matrix = {.rank = 2};
    enum dtype dtype = in->graph->values[x].dtype;
    bool is_upper;
    int64_t k = 0;
    size_t n = 1;
    void *data;

    if (onnx_flag(node, "upper", true, &is_upper, err) != 0 ||
        (onnx_input(node, 1) != GRAPH_NONE && onnx_constant_ints(in, node, 1, &k, 1, &n, err) != 0))
        return -1;
    if (shape->rank < 2 || n != 1)
        return error_set(err, EX_DATAERR, "expected matrices and one diagonal, found %zu axes and %zu", shape->rank, n);
    matrix.dims[0] = shape->dims[shape->rank - 2];
    matrix.dims[1] = shape->dims[shape->rank - 1];
    mask = onnx_add_constant(in, node, "mask", dtype, &matrix, &data, err);
    for (int64_t i = 0; mask >= 0 && i < matrix.dims[0]; i++)
        for (int64_t j = 0; j < matrix.dims[1]; j++) {
            int64_t above = j - i;
            bool is_kept = is_upper ? above >= k : above <= k;

            if (dtype == DTYPE_FLOAT32)
                ((float *)data)[i * matrix.dims[1] + j] = is_kept;
            else
                ((int64_t *)data)[i * matrix.dims[1] + j] = is_kept;
        }
    return onnx_put_binary(in, node, BINARY_MUL, x, mask, NULL, err) < 0 ? -1 : 0;
}
