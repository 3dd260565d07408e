/* layers_extent.c — layers that change extents: padding, slicing, resizing. */
#include "formats/tnn/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS = 1, ROWS = 2, COLUMNS = 3 }; /* axes of an image */

/* ---- Padding */

/* `mode` and `value` at parameter `index`, and the node. */
static int add_pad(struct tnn_import *in, const struct tnn_layer *layer, size_t index, int x, const int64_t *begin,
                   const int64_t *end, struct error *err)
{
    int64_t mode;
    struct node *n;
    float value;
    int y, node;

    if (tnn_integer(layer, index, 0, &mode, err) != 0 || tnn_real(layer, index + 1, 0, &value, err) != 0)
        return -1;
    if (mode < 0 || mode > 2)
        return tnn_error(layer, err, EX_UNAVAILABLE, "its pad mode %lld is not known", (long long)mode);
    for (size_t i = 0; i < TENSOR_MAX_RANK; i++)
        if (begin[i] < 0 || end[i] < 0)
            return tnn_error(layer, err, EX_UNAVAILABLE, "pads that cut away are not supported");
    if ((y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_PAD, &x, 1, y, err)) < 0)
        return -1;
    n = &in->graph->nodes[node];
    n->attr.pad.mode = mode == 0 ? PAD_CONSTANT : mode == 1 ? PAD_REFLECT : PAD_EDGE;
    n->attr.pad.value = value;
    memcpy(n->attr.pad.begin, begin, sizeof n->attr.pad.begin);
    memcpy(n->attr.pad.end, end, sizeof n->attr.pad.end);
    return tnn_finish_node(in, layer, node, err);
}

/* Two numbers that are not used, top, bottom, left, right, first and last channels, mode, value. */
int tnn_pad(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    static const size_t axes[] = {ROWS, COLUMNS, CHANNELS};
    int64_t begin[TENSOR_MAX_RANK] = {0}, end[TENSOR_MAX_RANK] = {0};
    int x;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_expect_rank(in, layer, x, 4, err) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (tnn_integer(layer, 2 + 2 * i, 0, &begin[axes[i]], err) != 0 ||
            tnn_integer(layer, 3 + 2 * i, 0, &end[axes[i]], err) != 0)
            return -1;
    return add_pad(in, layer, 8, x, begin, end, err);
}

/* The number of axes, as many begins, as many ends, mode, value. */
int tnn_pad_v2(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t begin[TENSOR_MAX_RANK] = {0}, end[TENSOR_MAX_RANK] = {0};
    size_t n, next;
    int x;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integers(layer, 0, begin, &n, &next, err) != 0)
        return -1;
    if (n != tnn_shape(in, x)->rank)
        return tnn_error(layer, err, EX_DATAERR, "it pads %zu axes of an input of %zu", n, tnn_shape(in, x)->rank);
    for (size_t i = 0; i < n; i++)
        if (tnn_integer(layer, next + i, 0, &end[i], err) != 0)
            return -1;
    return add_pad(in, layer, next + n, x, begin, end, err);
}

/* ---- Slicing */

/* y = x[begin + i step] with y's shape; `what` as for tnn_add_node. */
static int add_slice(struct tnn_import *in, const struct tnn_layer *layer, const char *what, int x,
                     const int64_t *begin, const int64_t *step, int y, struct error *err)
{
    int node = tnn_add_node(in, layer, what, OP_SLICE, &x, 1, y, err);

    if (node < 0)
        return -1;
    memcpy(in->graph->nodes[node].attr.slice.begin, begin, sizeof in->graph->nodes[node].attr.slice.begin);
    memcpy(in->graph->nodes[node].attr.slice.step, step, sizeof in->graph->nodes[node].attr.slice.step);
    return tnn_finish_node(in, layer, node, err);
}

/* axis, n, size_1..size_n: one output each. */
int tnn_split(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t axis, n, size, at = 0;
    size_t counted;
    int x;

    (void)unused;
    if (layer->inputs.n != 1)
        return tnn_expect_inputs(layer, 1, err);
    if ((x = tnn_input(in, layer, 0, err)) < 0 || tnn_integer(layer, 0, 1, &axis, err) != 0 ||
        tnn_axis(layer, axis, tnn_shape(in, x)->rank, &counted, err) != 0 || tnn_integer(layer, 1, 0, &n, err) != 0)
        return -1;
    if (n != (int64_t)layer->outputs.n || layer->params.n < 2 + layer->outputs.n)
        return tnn_error(layer, err, EX_DATAERR, "expected as many sizes as its %zu outputs, found %lld",
                         layer->outputs.n, (long long)n);
    for (size_t i = 0; i < layer->outputs.n; i++) {
        int64_t begin[TENSOR_MAX_RANK] = {0}, step[TENSOR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
        struct shape shape = *tnn_shape(in, x);
        char what[32];
        int y;

        if (tnn_integer(layer, 2 + i, 0, &size, err) != 0)
            return -1;
        begin[counted] = at;
        shape.dims[counted] = size;
        at += size;
        snprintf(what, sizeof what, "%zu", i);
        if ((y = tnn_output(in, layer, i, &shape, err)) < 0 ||
            add_slice(in, layer, i == 0 ? NULL : what, x, begin, step, y, err) != 0)
            return -1;
    }
    return 0;
}

/* One axis of a strided slice: begin and end as in Python, except that V1 writes 0 for an end at the end. */
static int resolve_range(const struct tnn_layer *layer, int64_t in, int64_t end_of_all, int64_t *begin, int64_t *end,
                         int64_t step, int64_t *n, struct error *err)
{
    if (step < 1)
        return tnn_error(layer, err, EX_UNAVAILABLE, "slices with step %lld are not supported", (long long)step);
    *begin = *begin < 0 ? *begin + in : *begin;
    *end = *end == end_of_all ? in : *end < 0 ? *end + in : *end > in ? in : *end;
    *n = *end <= *begin ? 0 : (*end - *begin + step - 1) / step;
    if (*begin < 0 || *n == 0)
        return tnn_error(layer, err, EX_DATAERR, "its slice [%lld, %lld) of %lld elements is empty or outside",
                         (long long)*begin, (long long)*end, (long long)in);
    return 0;
}

/* n, begins; n, ends; [n, axes;] n, strides. */
int tnn_slice(struct tnn_import *in, const struct tnn_layer *layer, int has_axes, struct error *err)
{
    int64_t begins[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    int64_t strides[TENSOR_MAX_RANK], begin[TENSOR_MAX_RANK] = {0}, step[TENSOR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    size_t n[4], next = 0;
    struct shape shape;
    int x, y;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integers(layer, next, begins, &n[0], &next, err) != 0 ||
        tnn_integers(layer, next, ends, &n[1], &next, err) != 0 ||
        (has_axes && tnn_integers(layer, next, axes, &n[2], &next, err) != 0) ||
        tnn_integers(layer, next, strides, &n[3], &next, err) != 0)
        return -1;
    if (n[1] != n[0] || (has_axes && n[2] != n[0]) || n[3] != n[0])
        return tnn_error(layer, err, EX_DATAERR, "its begins, ends and strides are not equally many");
    shape = *tnn_shape(in, x);
    for (size_t i = 0; i < n[0]; i++) {
        size_t axis;

        if (tnn_axis(layer, axes[i], shape.rank, &axis, err) != 0 ||
            resolve_range(layer, tnn_shape(in, x)->dims[axis], has_axes ? INT64_MAX : 0, &begins[i], &ends[i],
                          strides[i], &shape.dims[axis], err) != 0)
            return -1;
        begin[axis] = begins[i];
        step[axis] = strides[i];
    }
    if ((y = tnn_output(in, layer, 0, &shape, err)) < 0)
        return -1;
    return add_slice(in, layer, NULL, x, begin, step, y, err);
}

/* ---- Resizing */

/* mode (1 nearest, 2 bilinear, 3 cubic), scales of rows and columns, align_corners [, rows, columns]. */
int tnn_upsample(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t mode, aligns, size[2];
    struct shape shape;
    struct node *n;
    float scale[2];
    int x, y, node;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_expect_rank(in, layer, x, 4, err) != 0 || tnn_integer(layer, 0, 1, &mode, err) != 0 ||
        tnn_real(layer, 1, 1, &scale[0], err) != 0 || tnn_real(layer, 2, 1, &scale[1], err) != 0 ||
        tnn_integer(layer, 3, 0, &aligns, err) != 0 || tnn_integer(layer, 4, 0, &size[0], err) != 0 ||
        tnn_integer(layer, 5, 0, &size[1], err) != 0)
        return -1;
    if (mode < 1 || mode > 3)
        return tnn_error(layer, err, EX_UNAVAILABLE, "its mode %lld is not known", (long long)mode);
    shape = *tnn_shape(in, x);
    for (size_t k = 0; k < 2; k++) {
        double extent = size[k] > 0 ? (double)size[k] : floor((double)shape.dims[ROWS + k] * (double)scale[k] + 0.5);

        if (!(extent >= 1 && extent <= INT32_MAX))
            return tnn_error(layer, err, EX_DATAERR, "its output would have an extent of %g", extent);
        scale[k] = (float)(extent / (double)shape.dims[ROWS + k]);
        shape.dims[ROWS + k] = (int64_t)extent;
    }
    if ((y = tnn_output(in, layer, 0, &shape, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_RESIZE, &x, 1, y, err)) < 0)
        return -1;
    n = &in->graph->nodes[node];
    n->attr.resize.mode = mode == 1 ? RESIZE_NEAREST : mode == 2 ? RESIZE_LINEAR : RESIZE_CUBIC;
    n->attr.resize.cubic_a = -0.75f;
    n->attr.resize.coordinates = mode == 1 ? RESIZE_ASYMMETRIC : aligns != 0 ? RESIZE_ALIGN_CORNERS : RESIZE_HALF_PIXEL;
    n->attr.resize.rounding = RESIZE_FLOOR;
    memcpy(n->attr.resize.scale, scale, sizeof scale);
    return tnn_finish_node(in, layer, node, err);
}
