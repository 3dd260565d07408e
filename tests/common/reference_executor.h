/* reference_executor.h — runs a small graph in double, by the definitions in graph.h and nothing else.
 *
 * Slow on purpose: every operator is a loop over its output's indices. Each value is an array of doubles.
 */
#ifndef ETALON_TESTS_REFERENCE_EXECUTOR_H
#define ETALON_TESTS_REFERENCE_EXECUTOR_H

#include "build_graph.h"

#include <math.h>
#include <stdlib.h>

static inline size_t reference_size(const struct value *value)
{
    return (size_t)shape_elements(&value->shape);
}

/* Row-major offset of index[] in a shape that broadcasts to `rank` axes; extents of 1 stand still. */
static inline size_t reference_offset(const struct shape *shape, const int64_t *index, size_t rank)
{
    size_t offset = 0;

    for (size_t i = 0; i < shape->rank; i++)
        offset = offset * (size_t)shape->dims[i] + (shape->dims[i] == 1 ? 0 : (size_t)index[rank - shape->rank + i]);
    return offset;
}

static inline void reference_index(const struct shape *shape, size_t offset, int64_t *index)
{
    for (size_t i = shape->rank; i-- > 0;) {
        index[i] = (int64_t)(offset % (size_t)shape->dims[i]);
        offset /= (size_t)shape->dims[i];
    }
}

struct reference {
    const struct graph *graph;
    double **data; /* [n_values] */
};

static inline const struct shape *reference_shape(const struct reference *r, int value)
{
    return &r->graph->values[value].shape;
}

static inline double reference_activate(struct activation activation, double x)
{
    return activation.kind == ACTIVATION_NONE ? x : (double)activation_apply(activation, (float)x);
}

/* Images only (rank 4). */
static inline double reference_conv(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]), *w = reference_shape(r, node->inputs[1]);
    const struct window *win = &node->attr.conv.window;
    int64_t per_group = w->dims[0] / node->attr.conv.group, first = at[1] / per_group * w->dims[1];
    double sum = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE ? r->data[node->inputs[2]][at[1]] : 0;

    for (int64_t c = 0; c < w->dims[1]; c++)
        for (int64_t i = 0; i < w->dims[2]; i++)
            for (int64_t j = 0; j < w->dims[3]; j++) {
                int64_t row = at[2] * win->stride[0] + i * win->dilation[0] - win->pad_begin[0];
                int64_t column = at[3] * win->stride[1] + j * win->dilation[1] - win->pad_begin[1];

                if (row >= 0 && row < x->dims[2] && column >= 0 && column < x->dims[3])
                    sum += r->data[node->inputs[0]][((first + c) * x->dims[2] + row) * x->dims[3] + column] *
                           r->data[node->inputs[1]][((at[1] * w->dims[1] + c) * w->dims[2] + i) * w->dims[3] + j];
            }
    return sum;
}

/* Gathers instead of scattering: input (row, column) reaches output row * stride + i * dilation - pad. */
static inline double reference_deconv(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]), *w = reference_shape(r, node->inputs[1]);
    const struct window *win = &node->attr.conv.window;
    int64_t group = at[1] / w->dims[1], o = at[1] % w->dims[1], per_group = w->dims[0] / node->attr.conv.group;
    double sum = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE ? r->data[node->inputs[2]][at[1]] : 0;

    for (int64_t c = group * per_group; c < (group + 1) * per_group; c++)
        for (int64_t i = 0; i < w->dims[2]; i++)
            for (int64_t j = 0; j < w->dims[3]; j++) {
                int64_t row = at[2] + win->pad_begin[0] - i * win->dilation[0];
                int64_t column = at[3] + win->pad_begin[1] - j * win->dilation[1];

                if (row % win->stride[0] != 0 || column % win->stride[1] != 0)
                    continue;
                row /= win->stride[0];
                column /= win->stride[1];
                if (row >= 0 && row < x->dims[2] && column >= 0 && column < x->dims[3])
                    sum += r->data[node->inputs[0]][(c * x->dims[2] + row) * x->dims[3] + column] *
                           r->data[node->inputs[1]][((c * w->dims[1] + o) * w->dims[2] + i) * w->dims[3] + j];
            }
    return sum;
}

static inline double reference_pool(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]);
    const struct window *win = &node->attr.pool.window;
    double sum = 0, max = (double)-INFINITY;
    int64_t n = 0;

    for (int64_t i = 0; i < win->kernel[0]; i++)
        for (int64_t j = 0; j < win->kernel[1]; j++) {
            int64_t row = at[2] * win->stride[0] + i * win->dilation[0] - win->pad_begin[0];
            int64_t column = at[3] * win->stride[1] + j * win->dilation[1] - win->pad_begin[1];
            bool is_inside = row >= 0 && row < x->dims[2] && column >= 0 && column < x->dims[3];
            bool is_padding = row < x->dims[2] + win->pad_end[0] && column < x->dims[3] + win->pad_end[1];
            double value = is_inside ? r->data[node->inputs[0]][(at[1] * x->dims[2] + row) * x->dims[3] + column] : 0;

            n += is_inside || (node->attr.pool.count_include_pad && is_padding);
            sum += value;
            max = is_inside ? fmax(max, value) : max;
        }
    return node->attr.pool.kind == POOL_MAX ? max : sum / (double)n;
}

static inline double reference_binary(enum binary_kind kind, double a, double b)
{
    switch (kind) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_MAX:
        return fmax(a, b);
    default:
        return fmin(a, b);
    }
}

static inline double reference_concat(const struct reference *r, const struct node *node, const int64_t *at)
{
    size_t axis = (size_t)node->attr.axis, input = 0;
    int64_t index[TENSOR_MAX_RANK];
    const struct shape *x;

    memcpy(index, at, sizeof index);
    while (index[axis] >= (x = reference_shape(r, node->inputs[input]))->dims[axis]) {
        index[axis] -= x->dims[axis];
        input++;
    }
    return r->data[node->inputs[input]][reference_offset(x, index, x->rank)];
}

/* log softmax, or softmax, along one axis. */
static inline double reference_softmax(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]);
    size_t axis = (size_t)node->attr.softmax.axis;
    double own = r->data[node->inputs[0]][reference_offset(x, at, x->rank)], sum = 0;
    int64_t index[TENSOR_MAX_RANK];

    memcpy(index, at, sizeof index);
    for (index[axis] = 0; index[axis] < x->dims[axis]; index[axis]++) /* relative to its own: nothing cancels */
        sum += exp(r->data[node->inputs[0]][reference_offset(x, index, x->rank)] - own);
    return node->attr.softmax.is_log ? -log(sum) : 1 / sum;
}

static inline double reference_lrn(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]);
    double own = r->data[node->inputs[0]][reference_offset(x, at, x->rank)], sum = 0;
    int64_t index[TENSOR_MAX_RANK], size = node->attr.lrn.size;

    memcpy(index, at, sizeof index);
    for (index[1] = at[1] - (size - 1) / 2; index[1] <= at[1] + size / 2; index[1]++)
        if (index[1] >= 0 && index[1] < x->dims[1])
            sum += pow(r->data[node->inputs[0]][reference_offset(x, index, x->rank)], 2);
    return own * pow((double)node->attr.lrn.k + (double)node->attr.lrn.alpha / (double)size * sum,
                     -(double)node->attr.lrn.beta);
}

/* Every element of the input whose other coordinates are those of `at`. */
static inline double reference_reduce(const struct reference *r, const struct node *node, const int64_t *at)
{
    const struct shape *x = reference_shape(r, node->inputs[0]);
    double sum = 0, squares = 0, max = (double)-INFINITY, min = (double)INFINITY, n = 0;

    for (size_t i = 0; i < reference_size(&r->graph->values[node->inputs[0]]); i++) {
        double value = r->data[node->inputs[0]][i];
        int64_t index[TENSOR_MAX_RANK];
        bool is_ours = true;

        reference_index(x, i, index);
        for (size_t k = 0, kept = 0; k < x->rank; k++) {
            bool is_reduced = (node->attr.reduce.axes >> k & 1) != 0;

            is_ours = is_ours && (is_reduced || index[k] == at[kept]);
            kept += !is_reduced || node->attr.reduce.keep_dims;
        }
        if (!is_ours)
            continue;
        n++;
        sum += value;
        squares += value * value;
        max = fmax(max, value);
        min = fmin(min, value);
    }
    return (double[]){[REDUCE_MEAN] = sum / n,
                      [REDUCE_SUM] = sum,
                      [REDUCE_MAX] = max,
                      [REDUCE_MIN] = min,
                      [REDUCE_L2] = sqrt(squares)}[node->attr.reduce.kind];
}

/* The mean, then the variance, over the elements that share every index with `at` but those of the axes. */
static inline double reference_layer_norm(const struct reference *r, const struct node *node, const int64_t *at,
                                          size_t number)
{
    const struct shape *x = reference_shape(r, node->inputs[0]);
    const double *data = r->data[node->inputs[0]];
    double n = 0, sum = 0, squares = 0, y;

    for (size_t i = 0; i < reference_size(&r->graph->values[node->inputs[0]]); i++) {
        int64_t index[TENSOR_MAX_RANK] = {0};
        bool is_ours = true;

        reference_index(x, i, index);
        for (size_t k = 0; k < x->rank; k++)
            is_ours = is_ours && ((node->attr.layer_norm.axes >> k & 1) != 0 || index[k] == at[k]);
        n += is_ours;
        sum += is_ours ? data[i] : 0;
        squares += is_ours ? data[i] * data[i] : 0;
    }
    y = (data[number] - sum / n) / sqrt(squares / n - sum / n * (sum / n) + (double)node->attr.layer_norm.epsilon);
    if (node->n_inputs > 1 && node->inputs[1] != GRAPH_NONE)
        y *= r->data[node->inputs[1]][reference_offset(reference_shape(r, node->inputs[1]), at, x->rank)];
    if (node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE)
        y += r->data[node->inputs[2]][reference_offset(reference_shape(r, node->inputs[2]), at, x->rank)];
    return y;
}

/* Element `at` (row-major number `number`) of the node's output. */
static inline double reference_element(const struct reference *r, const struct node *node, const int64_t *at,
                                       size_t number)
{
    const struct shape *x = reference_shape(r, node->inputs[0]), *y = reference_shape(r, node->outputs[0]);
    const double *data = r->data[node->inputs[0]];
    int64_t from[TENSOR_MAX_RANK] = {0};
    double sum = 0;

    switch (node->op) {
    case OP_CONV:
        return reference_conv(r, node, at);
    case OP_DECONV:
        return reference_deconv(r, node, at);
    case OP_POOL:
        return reference_pool(r, node, at);
    case OP_DENSE:
        for (int64_t k = 0; k < x->dims[1]; k++)
            sum += data[k] * r->data[node->inputs[1]][at[1] * x->dims[1] + k];
        return sum + (node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE ? r->data[node->inputs[2]][at[1]] : 0);
    case OP_MATMUL: /* 1 x K by K x O */
        for (int64_t k = 0; k < x->dims[1]; k++)
            sum += data[k] * r->data[node->inputs[1]][k * y->dims[1] + at[1]];
        return sum;
    case OP_ACTIVATION:
        return reference_activate(node->attr.activation, data[number]);
    case OP_BINARY:
        return reference_binary(
            node->attr.binary.kind, data[reference_offset(x, at, y->rank)],
            r->data[node->inputs[1]][reference_offset(reference_shape(r, node->inputs[1]), at, y->rank)]);
    case OP_PRELU:
        return data[number] > 0
                   ? data[number]
                   : data[number] *
                         r->data[node->inputs[1]][reference_shape(r, node->inputs[1])->dims[0] > 1 ? at[1] : 0];
    case OP_SOFTMAX:
        return reference_softmax(r, node, at);
    case OP_LRN:
        return reference_lrn(r, node, at);
    case OP_REDUCE:
        return reference_reduce(r, node, at);
    case OP_LAYER_NORM:
        return reference_layer_norm(r, node, at, number);
    case OP_RESIZE: /* nearest, by whole factors */
        for (size_t i = 0; i < x->rank; i++)
            from[i] = at[i] * x->dims[i] / y->dims[i];
        return data[reference_offset(x, from, x->rank)];
    case OP_NORMALIZE:
        return data[number] * r->data[node->inputs[1]][at[1]] + r->data[node->inputs[2]][at[1]];
    case OP_CONCAT:
        return reference_concat(r, node, at);
    case OP_RESHAPE:
    case OP_IDENTITY:
        return data[number];
    case OP_TRANSPOSE:
        for (size_t i = 0; i < x->rank; i++)
            from[node->attr.perm[i]] = at[i];
        return data[reference_offset(x, from, x->rank)];
    case OP_SLICE:
        for (size_t i = 0; i < x->rank; i++)
            from[i] = node->attr.slice.begin[i] + at[i] * node->attr.slice.step[i];
        return data[reference_offset(x, from, x->rank)];
    case OP_PAD:
        for (size_t i = 0; i < x->rank; i++) {
            from[i] = at[i] - node->attr.pad.begin[i];
            if (from[i] < 0 || from[i] >= x->dims[i])
                return (double)node->attr.pad.value;
        }
        return data[reference_offset(x, from, x->rank)];
    default:
        fail_msg("the reference does not know %s", op_name(node->op));
        return 0;
    }
}

/* Runs the graph on its one input; free with reference_free. */
static inline struct reference reference_run(const struct graph *graph, const double *input)
{
    struct reference r = {graph, calloc(graph->n_values, sizeof(double *))};

    assert_non_null(r.data);
    for (size_t v = 0; v < graph->n_values; v++) {
        struct tensor constant;

        r.data[v] = calloc(reference_size(&graph->values[v]) + 1, sizeof(double));
        assert_non_null(r.data[v]);
        if (graph_constant(graph, (int)v, &constant))
            for (size_t i = 0; i < reference_size(&graph->values[v]); i++)
                r.data[v][i] = tensor_real(&constant, i);
    }
    memcpy(r.data[graph->inputs[0]], input, reference_size(&graph->values[graph->inputs[0]]) * sizeof(double));
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        int64_t at[TENSOR_MAX_RANK] = {0};

        for (size_t i = 0; i < reference_size(&graph->values[node->outputs[0]]); i++) {
            reference_index(reference_shape(&r, node->outputs[0]), i, at);
            r.data[node->outputs[0]][i] = reference_activate(node->fused, reference_element(&r, node, at, i));
        }
    }
    return r;
}

static inline void reference_free(struct reference *r)
{
    for (size_t v = 0; v < r->graph->n_values; v++)
        free(r->data[v]);
    free(r->data);
}

#endif
