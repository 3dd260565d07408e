/* evaluate.c — operators on constants; see evaluate.h. */
#include "common/evaluate.h"

#include "common/arithmetic.h"
#include "common/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- walking through tensors --- */

enum { MAX_OPERANDS = 3 };

/* Visits every index of `shape` in row-major order and keeps the matching offset, in elements, of each operand. */
struct walk {
    struct shape shape;
    int64_t index[TENSOR_MAX_RANK];
    int64_t stride[MAX_OPERANDS][TENSOR_MAX_RANK];
    int64_t offset[MAX_OPERANDS];
};

static void walk_next(struct walk *walk)
{
    for (size_t i = walk->shape.rank; i-- > 0;) {
        for (size_t k = 0; k < MAX_OPERANDS; k++)
            walk->offset[k] += walk->stride[k][i];
        if (++walk->index[i] < walk->shape.dims[i])
            return;
        for (size_t k = 0; k < MAX_OPERANDS; k++)
            walk->offset[k] -= walk->stride[k][i] * walk->shape.dims[i];
        walk->index[i] = 0;
    }
}

/* Elements between neighbours along each axis. */
static void row_major_strides(const struct shape *shape, int64_t strides[TENSOR_MAX_RANK])
{
    int64_t stride = 1;

    for (size_t i = shape->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= shape->dims[i]; /* only shapes that passed shape_elements come here */
    }
}

/* Strides of `from` seen as `to`, to which it broadcasts: repeated axes stand still. */
static void broadcast_strides(const struct shape *from, const struct shape *to, int64_t strides[TENSOR_MAX_RANK])
{
    int64_t own[TENSOR_MAX_RANK];
    size_t lead = to->rank - from->rank;

    row_major_strides(from, own);
    for (size_t i = 0; i < to->rank; i++)
        strides[i] = i < lead || from->dims[i - lead] == 1 ? 0 : own[i - lead];
}

/* --- elements --- */

static void store_integer(enum dtype dtype, void *data, size_t i, int64_t x) /* wraps, as C and numpy do */
{
    switch (dtype) {
    case DTYPE_INT8:
    case DTYPE_UINT8:
        ((uint8_t *)data)[i] = (uint8_t)x;
        break;
    case DTYPE_BOOL:
        ((uint8_t *)data)[i] = x != 0;
        break;
    case DTYPE_INT16:
    case DTYPE_UINT16:
        ((uint16_t *)data)[i] = (uint16_t)x;
        break;
    case DTYPE_INT32:
        ((uint32_t *)data)[i] = (uint32_t)x;
        break;
    default:
        ((int64_t *)data)[i] = x;
        break;
    }
}

static void store_real(enum dtype dtype, void *data, size_t i, double x)
{
    struct tensor real = {DTYPE_FLOAT64, {0}, &x};

    if (dtype == DTYPE_FLOAT32)
        ((float *)data)[i] = (float)x;
    else if (dtype == DTYPE_FLOAT64)
        ((double *)data)[i] = x;
    else
        store_integer(dtype, data, i, dtype == DTYPE_BOOL ? x != 0 : tensor_integer(&real, 0));
}

static int refuse_half(enum dtype dtype, struct error *err)
{
    return dtype == DTYPE_FLOAT16 || dtype == DTYPE_BFLOAT16
               ? error_set(err, EX_UNAVAILABLE, "constants of type %s are not computed with", dtype_name(dtype))
               : 0;
}

/* --- moving elements --- */

/* out[i] = x[offset + sum index * stride]: slices, transpositions, expansions. */
static void copy_strided(const struct tensor *x, struct walk *walk, void *data)
{
    size_t size = dtype_size(x->dtype), n = (size_t)shape_elements(&walk->shape);
    const char *from = x->data;
    char *to = data;

    for (size_t i = 0; i < n; i++, walk_next(walk))
        memcpy(to + i * size, from + (size_t)walk->offset[0] * size, size);
}

/* Where a transposition of floats only brings the axes from `axis` on in front of the others, it is that of a matrix.
 */
static bool is_matrix_transposition(const struct node *node, const struct tensor *x, size_t *rows, size_t *columns)
{
    size_t rank = x->shape.rank, axis;

    if (node->op != OP_TRANSPOSE || x->dtype != DTYPE_FLOAT32 || rank < 2)
        return false;
    axis = (size_t)node->attr.perm[0];
    *rows = *columns = 1;
    for (size_t i = 0; i < rank; i++) {
        if ((size_t)node->attr.perm[i] != (axis + i) % rank)
            return false;
        *(i < axis ? rows : columns) *= (size_t)x->shape.dims[i];
    }
    return true;
}

static void evaluate_moved(const struct node *node, const struct tensor *x, const struct shape *shape, void *data)
{
    struct walk walk = {.shape = *shape};
    int64_t strides[TENSOR_MAX_RANK];
    size_t rows, columns;

    if (is_matrix_transposition(node, x, &rows, &columns) && rows > 0 && columns > 0) {
        view_copy_plain(&(struct view){x->data, 1, columns, rows, columns}, data);
        return;
    }
    row_major_strides(&x->shape, strides);
    for (size_t i = 0; i < shape->rank; i++) {
        if (node->op == OP_TRANSPOSE) {
            walk.stride[0][i] = strides[node->attr.perm[i]];
        } else if (node->op == OP_SLICE) {
            walk.offset[0] += node->attr.slice.begin[i] * strides[i];
            walk.stride[0][i] = node->attr.slice.step[i] * strides[i];
        }
    }
    if (node->op == OP_EXPAND)
        broadcast_strides(&x->shape, shape, walk.stride[0]);
    copy_strided(x, &walk, data);
}

static void evaluate_concat(const struct graph *graph, const struct node *node, const struct shape *shape, void *data)
{
    size_t axis = (size_t)node->attr.axis, outer = 1, out_bytes = 1, used = 0;

    for (size_t i = 0; i < axis; i++)
        outer *= (size_t)shape->dims[i];
    for (size_t i = axis; i < shape->rank; i++)
        out_bytes *= (size_t)shape->dims[i];
    out_bytes *= dtype_size(node_input(graph, node, 0)->dtype);
    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct value *x = node_input(graph, node, i);
        size_t bytes = out_bytes / (size_t)shape->dims[axis] * (size_t)x->shape.dims[axis];

        for (size_t o = 0; o < outer && bytes > 0; o++)
            memcpy((char *)data + o * out_bytes + used, (const char *)x->data + o * bytes, bytes);
        used += bytes;
    }
}

static void evaluate_gather(const struct node *node, const struct tensor *x, const struct tensor *indices, void *data)
{
    size_t axis = (size_t)node->attr.axis, outer = 1, inner = dtype_size(x->dtype);
    size_t n = (size_t)shape_elements(&indices->shape);
    int64_t dim = x->shape.dims[axis];
    char *to = data;

    for (size_t i = 0; i < axis; i++)
        outer *= (size_t)x->shape.dims[i];
    for (size_t i = axis + 1; i < x->shape.rank; i++)
        inner *= (size_t)x->shape.dims[i];
    for (size_t i = 0; i < n; i++) {
        int64_t index = tensor_integer(indices, i);

        index = index < 0 ? index + dim : index;
        for (size_t o = 0; o < outer; o++)
            memcpy(to + (o * n + i) * inner, (const char *)x->data + (o * (size_t)dim + (size_t)index) * inner, inner);
    }
}

/* Where along an axis of `dim` padded by `begin` the element at `i` comes from; -1: from the pad value. */
static int64_t pad_source(enum pad_mode mode, int64_t i, int64_t begin, int64_t dim)
{
    i -= begin;
    if (i >= 0 && i < dim)
        return i;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return i < 0 ? 0 : dim - 1;
    return i < 0 ? -i : 2 * (dim - 1) - i;
}

static void evaluate_pad(const struct node *node, const struct tensor *x, const struct shape *shape, void *data)
{
    struct walk walk = {.shape = *shape};
    int64_t strides[TENSOR_MAX_RANK];
    size_t size = dtype_size(x->dtype), n = (size_t)shape_elements(shape);

    row_major_strides(&x->shape, strides);
    for (size_t i = 0; i < n; i++, walk_next(&walk)) {
        int64_t offset = 0;

        for (size_t k = 0; k < shape->rank && offset >= 0; k++) {
            int64_t from = pad_source(node->attr.pad.mode, walk.index[k], node->attr.pad.begin[k], x->shape.dims[k]);

            offset = from < 0 ? -1 : offset + from * strides[k];
        }
        if (offset < 0)
            store_real(x->dtype, data, i, (double)node->attr.pad.value);
        else
            memcpy((char *)data + i * size, (const char *)x->data + (size_t)offset * size, size);
    }
}

static void evaluate_fill(const struct tensor *fill, const struct shape *shape, void *data)
{
    size_t size = dtype_size(fill->dtype), n = (size_t)shape_elements(shape);

    for (size_t i = 0; i < n && fill->data != NULL; i++) /* data are zero to begin with */
        memcpy((char *)data + i * size, fill->data, size);
}

static void evaluate_where(const struct tensor *condition, const struct tensor *a, const struct tensor *b,
                           const struct shape *shape, void *data)
{
    struct walk walk = {.shape = *shape};
    size_t size = dtype_size(a->dtype), n = (size_t)shape_elements(shape);

    broadcast_strides(&condition->shape, shape, walk.stride[0]);
    broadcast_strides(&a->shape, shape, walk.stride[1]);
    broadcast_strides(&b->shape, shape, walk.stride[2]);
    for (size_t i = 0; i < n; i++, walk_next(&walk)) {
        bool is_true = tensor_integer(condition, (size_t)walk.offset[0]) != 0;
        const char *from = is_true ? (const char *)a->data + (size_t)walk.offset[1] * size
                                   : (const char *)b->data + (size_t)walk.offset[2] * size;

        memcpy((char *)data + i * size, from, size);
    }
}

static void evaluate_shape(const struct shape *x, void *data)
{
    memcpy(data, x->dims, x->rank * sizeof x->dims[0]);
}

/* --- computing --- */

static void evaluate_cast(const struct tensor *x, enum dtype dtype, void *data)
{
    size_t n = (size_t)shape_elements(&x->shape);

    for (size_t i = 0; i < n; i++) {
        if (dtype_is_real(x->dtype))
            store_real(dtype, data, i, tensor_real(x, i));
        else if (dtype_is_real(dtype))
            store_real(dtype, data, i, (double)tensor_integer(x, i));
        else
            store_integer(dtype, data, i, tensor_integer(x, i));
    }
}

static int evaluate_binary(const struct node *node, const struct tensor *a, const struct tensor *b,
                           const struct shape *shape, void *data, struct error *err)
{
    struct walk walk = {.shape = *shape};
    size_t n = (size_t)shape_elements(shape);
    enum binary_kind kind = node->attr.binary.kind;
    enum dtype dtype = kind >= BINARY_EQUAL ? DTYPE_INT64 : a->dtype;

    broadcast_strides(&a->shape, shape, walk.stride[0]);
    broadcast_strides(&b->shape, shape, walk.stride[1]);
    for (size_t i = 0; i < n; i++, walk_next(&walk)) {
        size_t ia = (size_t)walk.offset[0], ib = (size_t)walk.offset[1];
        int64_t integer = 0;

        if (dtype_is_real(a->dtype)) {
            store_real(dtype, data, i, arithmetic_real(kind, tensor_real(a, ia), tensor_real(b, ib)));
        } else {
            if (arithmetic_integer(kind, tensor_integer(a, ia), tensor_integer(b, ib), &integer, err) != 0)
                return -1;
            store_integer(dtype, data, i, integer);
        }
        if (node->fused.kind != ACTIVATION_NONE && dtype == DTYPE_FLOAT32)
            ((float *)data)[i] = activation_apply(node->fused, ((float *)data)[i]);
    }
    return 0;
}

static double reduce_identity(enum reduce_kind kind)
{
    if (kind == REDUCE_MAX)
        return (double)-INFINITY;
    if (kind == REDUCE_MIN)
        return (double)INFINITY;
    return kind == REDUCE_PROD;
}

static double reduce_step(enum reduce_kind kind, double sum, double value)
{
    switch (kind) {
    case REDUCE_MAX:
        return arithmetic_real(BINARY_MAX, sum, value);
    case REDUCE_MIN:
        return arithmetic_real(BINARY_MIN, sum, value);
    case REDUCE_PROD:
        return sum * value;
    case REDUCE_L2:
        return sum + value * value;
    default:
        return sum + value;
    }
}

static double reduce_end(enum reduce_kind kind, double sum, size_t n)
{
    return kind == REDUCE_MEAN ? sum / (double)n : kind == REDUCE_L2 ? sqrt(sum) : sum;
}

/* Strides of the output seen as the input: reduced axes stand still. */
static void reduced_strides(const struct node *node, const struct shape *x, int64_t strides[TENSOR_MAX_RANK])
{
    int64_t stride = 1;

    for (size_t i = x->rank; i-- > 0;) {
        bool is_reduced = (node->attr.reduce.axes >> i & 1) != 0;

        strides[i] = is_reduced ? 0 : stride;
        stride *= is_reduced ? 1 : x->dims[i];
    }
}

/* Sums in double: integers above 2^53 would round, but shapes are far below. */
static int evaluate_reduce(const struct node *node, const struct tensor *x, const struct shape *shape, void *data,
                           struct error *err)
{
    enum reduce_kind kind = node->attr.reduce.kind;
    struct walk walk = {.shape = x->shape};
    size_t n = (size_t)shape_elements(&x->shape), n_out = (size_t)shape_elements(shape);
    double *sum;

    if (n == 0)
        return error_set(err, EX_UNAVAILABLE, "a reduction of no elements");
    sum = memory_create(n_out, sizeof *sum, "a reduction", err);
    if (sum == NULL)
        return -1;
    reduced_strides(node, &x->shape, walk.stride[0]);
    for (size_t i = 0; i < n_out; i++)
        sum[i] = reduce_identity(kind);
    for (size_t i = 0; i < n; i++, walk_next(&walk))
        sum[walk.offset[0]] = reduce_step(kind, sum[walk.offset[0]], tensor_real(x, i));
    for (size_t i = 0; i < n_out; i++)
        store_real(x->dtype, data, i, reduce_end(kind, sum[i], n / n_out));
    free(sum);
    return 0;
}

/* Where along the axis the extreme is; data are zero, the first position, to begin with. */
static int evaluate_arg(const struct node *node, const struct tensor *x, const struct shape *shape, int64_t *data,
                        struct error *err)
{
    bool is_last = node->attr.reduce.is_last, is_max = node->attr.reduce.kind == REDUCE_ARG_MAX;
    struct walk walk = {.shape = x->shape};
    size_t n = (size_t)shape_elements(&x->shape), n_out = (size_t)shape_elements(shape), axis = 0;
    double *best;

    if (n == 0)
        return error_set(err, EX_UNAVAILABLE, "a reduction of no elements");
    best = memory_create(n_out, sizeof *best, "a reduction", err);
    if (best == NULL)
        return -1;
    while ((node->attr.reduce.axes >> axis & 1) == 0)
        axis++;
    reduced_strides(node, &x->shape, walk.stride[0]);
    for (size_t i = 0; i < n; i++, walk_next(&walk)) {
        size_t to = (size_t)walk.offset[0];
        double value = is_max ? tensor_real(x, i) : -tensor_real(x, i);

        if (walk.index[axis] == 0 || value > best[to] || (is_last && value == best[to])) {
            best[to] = value;
            data[to] = walk.index[axis];
        }
    }
    free(best);
    return 0;
}

static void evaluate_activation(const struct node *node, const struct tensor *x, float *data)
{
    size_t n = (size_t)shape_elements(&x->shape);

    for (size_t i = 0; i < n; i++)
        data[i] = activation_apply(node->attr.activation, ((const float *)x->data)[i]);
}

/* --- dispatch --- */

bool op_can_evaluate(enum op op)
{
    switch (op) {
    case OP_SHAPE:
    case OP_GATHER:
    case OP_CAST:
    case OP_FILL:
    case OP_CONCAT:
    case OP_SLICE:
    case OP_RESHAPE:
    case OP_IDENTITY:
    case OP_TRANSPOSE:
    case OP_EXPAND:
    case OP_PAD:
    case OP_BINARY:
    case OP_REDUCE:
    case OP_ACTIVATION:
    case OP_WHERE:
        return true;
    default:
        return false;
    }
}

static int compute(const struct graph *graph, const struct node *node, const struct inferred *as, void *data,
                   struct error *err)
{
    const struct value *first = node_input(graph, node, 0), *other = node_input(graph, node, 1), *third;
    struct tensor x = {first->dtype, first->shape, first->data}, y = {0};

    if (other != NULL)
        y = (struct tensor){other->dtype, other->shape, other->data};
    if (shape_elements(&as->shape) == 0)
        return 0;
    switch (node->op) {
    case OP_SHAPE:
        evaluate_shape(&first->shape, data);
        return 0;
    case OP_GATHER:
        evaluate_gather(node, &x, &y, data);
        return 0;
    case OP_CAST:
        if (refuse_half(as->dtype, err) != 0)
            return -1;
        evaluate_cast(&x, as->dtype, data);
        return 0;
    case OP_FILL:
        evaluate_fill(&node->attr.fill, &as->shape, data);
        return 0;
    case OP_CONCAT:
        evaluate_concat(graph, node, &as->shape, data);
        return 0;
    case OP_SLICE:
    case OP_TRANSPOSE:
    case OP_EXPAND:
        evaluate_moved(node, &x, &as->shape, data);
        return 0;
    case OP_PAD:
        if (refuse_half(as->dtype, err) != 0)
            return -1;
        evaluate_pad(node, &x, &as->shape, data);
        return 0;
    case OP_BINARY:
        return refuse_half(as->dtype, err) != 0 ? -1 : evaluate_binary(node, &x, &y, &as->shape, data, err);
    case OP_REDUCE:
        if (node->attr.reduce.kind >= REDUCE_FIRST_FOLDED)
            return evaluate_arg(node, &x, &as->shape, data, err);
        return refuse_half(as->dtype, err) != 0 ? -1 : evaluate_reduce(node, &x, &as->shape, data, err);
    case OP_ACTIVATION:
        evaluate_activation(node, &x, data);
        return 0;
    case OP_WHERE:
        third = node_input(graph, node, 2);
        evaluate_where(&x, &y, &(struct tensor){third->dtype, third->shape, third->data}, &as->shape, data);
        return 0;
    default:
        return error_set(err, EX_SOFTWARE, "the evaluator does not know %s", op_name(node->op));
    }
}

int op_evaluate(struct graph *graph, const struct node *node, const struct inferred *as, struct tensor *out,
                struct error *err)
{
    struct tensor result = {as->dtype, as->shape, NULL};
    void *data;

    if (node->op == OP_RESHAPE || node->op == OP_IDENTITY) {
        result.data = node_input(graph, node, 0)->data;
    } else {
        data = graph_create_data(graph, as->dtype, &as->shape, err);
        if (data == NULL || compute(graph, node, as, data, err) != 0)
            return node_error_in(node, err);
        result.data = data;
    }
    *out = result;
    return 0;
}
