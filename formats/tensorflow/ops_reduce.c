/* ops_reduce.c — softmax and reductions. */
#include "formats/tensorflow/tf_import.h"

/* Softmax, LogSoftmax (variant 1): over the last axis. */
int tf_build_softmax(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *tensor = &node->inputs[0];
    int x = tensor->value;
    struct node draft = {.op = OP_SOFTMAX, .inputs = &x, .n_inputs = 1};
    size_t rank = tf_rank(in, tensor);

    if (rank < 2)
        return error_set(err, EX_UNAVAILABLE, "expected a batch and classes, found %zu axes", rank);
    draft.attr.softmax.axis = tensor->order.axis[rank - 1];
    draft.attr.softmax.is_log = node->row->variant != 0;
    return tf_finish(in, node, &draft, &tensor->order, err);
}

/* Input 1, a list of axes, as bits; none where the list is empty. */
static int read_axes(const struct tf_import *in, const struct tf_node *node, size_t rank, uint32_t *out,
                     struct error *err)
{
    int64_t items[TENSOR_MAX_RANK];
    size_t n, axis = 0;

    if (tf_constant_ints(in, node, 1, items, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (import_axis(items[i], rank, &axis, err) != 0)
            return -1;
        *out |= UINT32_C(1) << axis;
    }
    return 0;
}

/* How the axes that are left lie. */
static struct tf_order without_axes(const struct tf_tensor *x, size_t rank, uint32_t axes)
{
    struct tf_order order = tf_plain_order();
    size_t left = 0;

    for (size_t i = 0; i < rank; i++) {
        size_t place = 0;

        if ((axes >> i & 1) != 0)
            continue;
        for (size_t k = 0; k < rank; k++)
            place += (axes >> k & 1) == 0 && x->order.axis[k] < x->order.axis[i];
        order.axis[left++] = (uint8_t)place;
    }
    return order;
}

/* A mean over rows and columns of an image is a global pool, which chips know, and a reshape. */
static int add_global_pool(struct tf_import *in, struct tf_node *node, uint32_t axes, bool keep_dims, struct error *err)
{
    const struct tf_tensor *tensor = &node->inputs[0];
    int x = tensor->value;
    struct node draft = {.op = OP_POOL, .inputs = &x, .n_inputs = 1};
    struct tf_order order = without_axes(tensor, 4, axes);
    struct shape left = {.rank = 2, .dims = {1, in->graph->values[x].shape.dims[1]}};

    draft.attr.pool.kind = POOL_AVERAGE;
    draft.attr.pool.is_global = true; /* graph_fold_node takes the window from the input */
    if (keep_dims)
        return tf_finish(in, node, &draft, &tensor->order, err);
    x = tf_add_step(in, node, &draft, "pool", err);
    if (x < 0 || (x = tf_add_reshape(in, node, x, &left, NULL, 0, err)) < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = x, .order = order};
    return 0;
}

int tf_build_reduce(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *tensor = &node->inputs[0];
    int x = tensor->value;
    struct node draft = {.op = OP_REDUCE, .inputs = &x, .n_inputs = 1};
    size_t rank = tf_rank(in, tensor);
    uint32_t axes, places = 0;
    struct tf_order order;
    bool keep_dims;

    if (read_axes(in, node, rank, &axes, err) != 0 || tf_flag(node, "keep_dims", false, &keep_dims, err) != 0)
        return -1;
    for (size_t i = 0; i < rank; i++)
        places |= (axes >> i & 1) << tensor->order.axis[i];
    if (node->row->variant == REDUCE_MEAN && rank == 4 && places == 12 && !tf_is_constant(in, node, 0))
        return add_global_pool(in, node, axes, keep_dims, err);
    draft.attr.reduce.kind = (enum reduce_kind)node->row->variant;
    draft.attr.reduce.axes = places;
    draft.attr.reduce.keep_dims = keep_dims;
    if (axes == 0)
        draft.op = OP_IDENTITY;
    order = keep_dims || axes == 0 ? tensor->order : without_axes(tensor, rank, axes);
    return tf_finish(in, node, &draft, &order, err);
}

/* Prod, of a list of extents. */
int tf_build_product(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int64_t items[TENSOR_MAX_RANK], product = 1;
    struct shape shape = {0};
    bool keep_dims;
    size_t n;

    if (!tf_is_constant(in, node, 0))
        return tf_build_reduce(in, node, err);
    if (tf_constant_ints(in, node, 0, items, TENSOR_MAX_RANK, &n, err) != 0 ||
        tf_flag(node, "keep_dims", false, &keep_dims, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, items[i], &product))
            return error_set(err, EX_DATAERR, "the product of %zu integers overflows", n);
    if (keep_dims)
        shape = (struct shape){1, {1}};
    return tf_finish_ints(in, node, &shape, &product, err);
}
