/* layers_shape.c — layers that move elements: joining, reshaping. */
#include "formats/tnn/import.h"

#include <string.h>

enum { CHANNELS = 1, ROWS = 2, COLUMNS = 3 }; /* axes of an image */

int tnn_concat(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int *inputs = arena_create_array(in->graph->arena, layer->inputs.n, sizeof *inputs, err), y, node;
    int64_t axis;
    size_t counted;

    (void)unused;
    if (inputs == NULL)
        return -1;
    if (layer->inputs.n == 0 || layer->outputs.n != 1)
        return tnn_expect_inputs(layer, 2, err);
    for (size_t i = 0; i < layer->inputs.n; i++)
        if ((inputs[i] = tnn_input(in, layer, i, err)) < 0)
            return -1;
    if (tnn_integer(layer, 0, 1, &axis, err) != 0 ||
        tnn_axis(layer, axis, tnn_shape(in, inputs[0])->rank, &counted, err) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_CONCAT, inputs, layer->inputs.n, y, err)) < 0)
        return -1;
    in->graph->nodes[node].attr.axis = (int64_t)counted;
    return tnn_finish_node(in, layer, node, err);
}

/* ---- Reshaping */

/* A layer whose whole work is another shape. */
static int reshape_to(struct tnn_import *in, const struct tnn_layer *layer, int x, const struct shape *shape,
                      struct error *err)
{
    int y = tnn_output(in, layer, 0, shape, err);

    return y < 0 ? -1 : tnn_add_reshape(in, layer, NULL, x, y, err);
}

static int64_t product(const struct shape *shape, size_t begin, size_t end)
{
    int64_t n = 1;

    for (size_t i = begin; i < end; i++)
        n *= shape->dims[i]; /* a part of the elements of a shape that is known to be good */
    return n;
}

/* Resolves 0 (keep) and -1 (infer) in dims[0..n) that replace the axes of x from `axis` on. */
static int resolve_shape(const struct tnn_layer *layer, const struct shape *x, size_t axis, const int64_t *dims,
                         size_t n, struct shape *out, struct error *err)
{
    size_t infer = TENSOR_MAX_RANK;
    int64_t known, all = shape_elements(x);

    out->rank = axis + n;
    if (out->rank > TENSOR_MAX_RANK || axis > x->rank)
        return tnn_error(layer, err, EX_DATAERR, "its shape would have %zu axes", out->rank);
    memcpy(out->dims, x->dims, axis * sizeof *out->dims);
    for (size_t i = 0; i < n; i++) {
        out->dims[axis + i] = dims[i] == 0 && axis + i < x->rank ? x->dims[axis + i] : dims[i];
        if (dims[i] == -1) {
            if (infer != TENSOR_MAX_RANK)
                return tnn_error(layer, err, EX_DATAERR, "its shape leaves two extents open");
            infer = axis + i;
            out->dims[infer] = 1;
        }
    }
    known = shape_elements(out);
    if (infer != TENSOR_MAX_RANK && (known <= 0 || all % known != 0))
        return tnn_error(layer, err, EX_DATAERR, "%lld elements do not divide into the %lld of its shape",
                         (long long)all, (long long)known);
    if (infer != TENSOR_MAX_RANK)
        out->dims[infer] = all / known;
    return 0;
}

/* Elements are taken, and put, channels last, although both shapes are N x C x H x W. */
static int reshape_nhwc(struct tnn_import *in, const struct tnn_layer *layer, int x, const struct shape *shape,
                        struct error *err)
{
    static const int64_t last[TENSOR_MAX_RANK] = {0, 2, 3, 1}, first[TENSOR_MAX_RANK] = {0, 3, 1, 2};
    struct shape inner;
    int a, b, y;

    if (tnn_expect_rank(in, layer, x, 4, err) != 0)
        return -1;
    if (shape->rank != 4)
        return tnn_error(layer, err, EX_UNAVAILABLE, "reshaping in NHWC order to %zu axes is not supported",
                         shape->rank);
    inner = (struct shape){4, {shape->dims[0], shape->dims[ROWS], shape->dims[COLUMNS], shape->dims[CHANNELS]}};
    if ((a = tnn_inner(in, layer, "nhwc", NULL, err)) < 0 ||
        tnn_add_transpose(in, layer, "nhwc", x, last, a, err) != 0 ||
        (b = tnn_inner(in, layer, "reshaped", &inner, err)) < 0 ||
        tnn_add_reshape(in, layer, "reshaped", a, b, err) != 0 || (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_transpose(in, layer, NULL, b, first, y, err);
}

/* axis, num_axes, n, d_1..d_n, reshape_type. TNN takes the axes before `axis` from the input, and no others. */
int tnn_reshape(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t axis, dims[TENSOR_MAX_RANK], is_nhwc;
    struct shape shape;
    size_t n, next;
    int x;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integer(layer, 0, 0, &axis, err) != 0 || tnn_integers(layer, 2, dims, &n, &next, err) != 0 ||
        tnn_integer(layer, next, 0, &is_nhwc, err) != 0)
        return -1;
    if (axis < 0 || axis > TENSOR_MAX_RANK ||
        resolve_shape(layer, tnn_shape(in, x), (size_t)axis, dims, n, &shape, err) != 0)
        return axis < 0 || axis > TENSOR_MAX_RANK
                   ? tnn_error(layer, err, EX_DATAERR, "axis %lld does not exist", (long long)axis)
                   : -1;
    return is_nhwc != 0 ? reshape_nhwc(in, layer, x, &shape, err) : reshape_to(in, layer, x, &shape, err);
}

int tnn_flatten(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    const struct shape *from;
    struct shape shape;
    int64_t axis;
    size_t counted;
    int x;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integer(layer, 0, 1, &axis, err) != 0 || tnn_axis(layer, axis, tnn_shape(in, x)->rank, &counted, err) != 0)
        return -1;
    from = tnn_shape(in, x);
    shape = (struct shape){2, {product(from, 0, counted), product(from, counted, from->rank)}};
    return reshape_to(in, layer, x, &shape, err);
}

/* n, axis_1..axis_n: of the input for Squeeze, of the output for Unsqueeze. */
int tnn_squeeze(struct tnn_import *in, const struct tnn_layer *layer, int is_unsqueeze, struct error *err)
{
    int64_t axes[TENSOR_MAX_RANK];
    struct shape shape = {0};
    size_t n, next, rank, from = 0;
    uint32_t listed = 0;
    int x;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integers(layer, 0, axes, &n, &next, err) != 0)
        return -1;
    rank = tnn_shape(in, x)->rank + (is_unsqueeze ? n : 0);
    if (rank > TENSOR_MAX_RANK)
        return tnn_error(layer, err, EX_DATAERR, "its output would have %zu axes", rank);
    for (size_t i = 0; i < n; i++) {
        size_t counted;

        if (tnn_axis(layer, axes[i], rank, &counted, err) != 0)
            return -1;
        listed |= 1u << counted;
    }
    for (size_t i = 0; i < rank; i++) {
        bool is_listed = (listed >> i & 1) != 0;

        if (is_unsqueeze)
            shape.dims[shape.rank++] = is_listed || from >= tnn_shape(in, x)->rank ? 1 : tnn_shape(in, x)->dims[from++];
        else if (!is_listed)
            shape.dims[shape.rank++] = tnn_shape(in, x)->dims[i];
    }
    return reshape_to(in, layer, x, &shape, err); /* whose rule notices a squeezed axis that is not 1 */
}

int tnn_permute(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t order[TENSOR_MAX_RANK] = {0};
    size_t n, next;
    int x, y;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integers(layer, 0, order, &n, &next, err) != 0)
        return -1;
    if (n != tnn_shape(in, x)->rank)
        return tnn_error(layer, err, EX_DATAERR, "it orders %zu axes of an input of %zu", n, tnn_shape(in, x)->rank);
    if ((y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_transpose(in, layer, NULL, x, order, y, err);
}

/* Channels g x (C/g) become (C/g) x g: a reshape, a transpose, a reshape. */
int tnn_shuffle(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    static const int64_t swap[TENSOR_MAX_RANK] = {0, 2, 1, 3, 4};
    struct shape shape, split;
    int64_t groups;
    int x, a, b;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_expect_rank(in, layer, x, 4, err) != 0 || tnn_integer(layer, 0, 1, &groups, err) != 0)
        return -1;
    shape = *tnn_shape(in, x);
    if (groups < 1 || shape.dims[CHANNELS] % groups != 0)
        return tnn_error(layer, err, EX_DATAERR, "%lld channels do not divide into %lld groups",
                         (long long)shape.dims[CHANNELS], (long long)groups);
    split = (struct shape){
        5, {shape.dims[0], groups, shape.dims[CHANNELS] / groups, shape.dims[ROWS], shape.dims[COLUMNS]}};
    if ((a = tnn_inner(in, layer, "split", &split, err)) < 0 || tnn_add_reshape(in, layer, "split", x, a, err) != 0 ||
        (b = tnn_inner(in, layer, "swapped", NULL, err)) < 0 ||
        tnn_add_transpose(in, layer, "swapped", a, swap, b, err) != 0)
        return -1;
    return reshape_to(in, layer, b, &shape, err);
}
