/* emit_shape.c — operators that move elements. */
#include "formats/tnn/emit.h"

#include <stdio.h>

enum { CHANNELS = 1, ROWS = 2, COLUMNS = 3 }; /* axes of an image */

static void put_list(struct tnn_emit *e, const int64_t *items, size_t n)
{
    tnn_param(&e->writer, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        tnn_param(&e->writer, items[i]);
}

void tnn_emit_concat(struct tnn_emit *e, const struct node *node)
{
    const char *output = e->blobs[node->outputs[0]], **inputs;
    bool is_integer = tnn_is_integer(e, node);
    struct error err = {0};

    inputs = arena_create_array(e->arena, node->n_inputs, sizeof *inputs, &err);
    if (inputs == NULL) {
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct value *x = &e->graph->values[node->inputs[i]];
        char what[32];

        if (x->is_constant && is_integer) {
            tnn_cannot(e, "joining codes with a constant is not written");
            return;
        }
        snprintf(what, sizeof what, "const%zu", i);
        inputs[i] = x->is_constant ? tnn_put_const(e, tnn_layer_name(e, node), what, &x->shape, x->data)
                                   : e->blobs[node->inputs[i]];
        if (inputs[i] == NULL)
            return;
        if (is_integer)
            tnn_put_scale(e, node->inputs[i]);
    }
    tnn_layer_begin(&e->writer, is_integer, "Concat", tnn_layer_name(e, node), inputs, node->n_inputs, &output, 1);
    tnn_param(&e->writer, node->attr.axis);
    tnn_layer_end(&e->writer);
    if (is_integer)
        tnn_put_scale(e, node->outputs[0]);
}

/* axis, num_axes, n, d_1..d_n, NCHW; an extent 0 is kept. */
static void put_shape(struct tnn_emit *e, const struct shape *y)
{
    tnn_param(&e->writer, 0);
    tnn_param(&e->writer, (int64_t)y->rank);
    put_list(e, y->dims, y->rank);
    tnn_param(&e->writer, 0);
    tnn_layer_end(&e->writer);
}

void tnn_put_reshape(struct tnn_emit *e, const char *name, const char *from, const char *to, const struct shape *y)
{
    struct shape open = *y;

    open.dims[0] = 0;
    tnn_layer_begin(&e->writer, false, "Reshape", name, &from, 1, &to, 1);
    put_shape(e, &open);
}

void tnn_emit_reshape(struct tnn_emit *e, const struct node *node)
{
    const struct shape *x = tnn_value_shape(e, node->inputs[0]);
    struct shape y = *tnn_value_shape(e, node->outputs[0]);

    if (y.rank > 0 && x->rank > 0 && y.dims[0] == x->dims[0])
        y.dims[0] = 0;
    tnn_simple_layer(e, node, "Reshape");
    put_shape(e, &y);
}

void tnn_emit_transpose(struct tnn_emit *e, const struct node *node)
{
    tnn_simple_layer(e, node, "Permute");
    put_list(e, node->attr.perm, tnn_value_shape(e, node->inputs[0])->rank);
    tnn_layer_end(&e->writer);
}

/* Begins, ends, axes, strides: of the axes that are cut, and at least of one. */
void tnn_emit_slice(struct tnn_emit *e, const struct node *node)
{
    const struct shape *x = tnn_value_shape(e, node->inputs[0]), *y = tnn_value_shape(e, node->outputs[0]);
    int64_t begins[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    size_t n = 0;

    for (size_t i = 0; i < x->rank; i++) {
        int64_t begin = node->attr.slice.begin[i], step = node->attr.slice.step[i];

        if (step < 1) {
            tnn_cannot(e, "slices with step %lld are not written", (long long)step);
            return;
        }
        if (y->dims[i] == x->dims[i] && !(n == 0 && i + 1 == x->rank))
            continue;
        begins[n] = begin;
        ends[n] = begin + (y->dims[i] - 1) * step + 1;
        axes[n] = (int64_t)i;
        strides[n++] = step;
    }
    tnn_simple_layer(e, node, "StridedSliceV2");
    put_list(e, begins, n);
    put_list(e, ends, n);
    put_list(e, axes, n);
    put_list(e, strides, n);
    tnn_layer_end(&e->writer);
}

/* ---- Padding */

static void put_pad(struct tnn_emit *e, const int64_t *begin, const int64_t *end, enum pad_mode mode, float value)
{
    static const size_t axes[] = {ROWS, COLUMNS, CHANNELS};

    tnn_param(&e->writer, 0);
    tnn_param(&e->writer, 0);
    for (size_t i = 0; i < 3; i++) {
        tnn_param(&e->writer, begin[axes[i]]);
        tnn_param(&e->writer, end[axes[i]]);
    }
    tnn_param(&e->writer, mode == PAD_CONSTANT ? 0 : mode == PAD_REFLECT ? 1 : 2);
    tnn_param_real(&e->writer, value);
    tnn_layer_end(&e->writer);
}

void tnn_put_image_pad(struct tnn_emit *e, const char *name, const char *from, const char *to, const struct window *w,
                       float value)
{
    const int64_t begin[4] = {0, 0, w->pad_begin[0], w->pad_begin[1]}, end[4] = {0, 0, w->pad_end[0], w->pad_end[1]};

    tnn_layer_begin(&e->writer, false, "Pad", name, &from, 1, &to, 1);
    put_pad(e, begin, end, PAD_CONSTANT, value);
}

void tnn_emit_pad(struct tnn_emit *e, const struct node *node)
{
    size_t rank = tnn_value_shape(e, node->inputs[0])->rank;

    if (rank == 4 && node->attr.pad.begin[0] == 0 && node->attr.pad.end[0] == 0) {
        tnn_simple_layer(e, node, "Pad");
        put_pad(e, node->attr.pad.begin, node->attr.pad.end, node->attr.pad.mode, node->attr.pad.value);
        return;
    }
    tnn_simple_layer(e, node, "PadV2");
    put_list(e, node->attr.pad.begin, rank);
    for (size_t i = 0; i < rank; i++)
        tnn_param(&e->writer, node->attr.pad.end[i]);
    tnn_param(&e->writer, node->attr.pad.mode == PAD_CONSTANT ? 0 : node->attr.pad.mode == PAD_REFLECT ? 1 : 2);
    tnn_param_real(&e->writer, node->attr.pad.value);
    tnn_layer_end(&e->writer);
}

/* ---- Resizing */

/* TNN maps coordinates by the ratio of sizes: nearest by floor(y in / out), bilinear by half pixels or aligned corners.
 * Half pixels rounded down at the middle are the same as the former where sizes are multiples. */
static bool is_expressible(const struct node *node, const struct shape *x, const struct shape *y)
{
    bool is_multiple = y->dims[ROWS] % x->dims[ROWS] == 0 && y->dims[COLUMNS] % x->dims[COLUMNS] == 0;

    for (size_t k = 0; k < 2; k++) {
        float ratio = (float)((double)y->dims[ROWS + k] / (double)x->dims[ROWS + k]);

        if (node->attr.resize.coordinates != RESIZE_ALIGN_CORNERS && node->attr.resize.scale[k] != ratio)
            return false;
    }
    if (node->attr.resize.mode == RESIZE_LINEAR)
        return node->attr.resize.coordinates == RESIZE_HALF_PIXEL ||
               node->attr.resize.coordinates == RESIZE_ALIGN_CORNERS;
    if (node->attr.resize.mode != RESIZE_NEAREST)
        return false;
    if (node->attr.resize.coordinates == RESIZE_ASYMMETRIC)
        return node->attr.resize.rounding == RESIZE_FLOOR;
    return is_multiple && node->attr.resize.coordinates == RESIZE_HALF_PIXEL &&
           (node->attr.resize.rounding == RESIZE_PREFER_FLOOR || node->attr.resize.rounding == RESIZE_PREFER_CEIL);
}

void tnn_emit_resize(struct tnn_emit *e, const struct node *node)
{
    const struct shape *x = tnn_value_shape(e, node->inputs[0]), *y = tnn_value_shape(e, node->outputs[0]);

    if (x->rank != 4 || !is_expressible(node, x, y)) {
        tnn_cannot(e, "its way of mapping coordinates has no form in TNN");
        return;
    }
    tnn_simple_layer(e, node, "Upsample");
    tnn_param(&e->writer, node->attr.resize.mode == RESIZE_NEAREST ? 1 : 2);
    for (size_t k = 0; k < 2; k++)
        tnn_param_real(&e->writer, (float)((double)y->dims[ROWS + k] / (double)x->dims[ROWS + k]));
    tnn_param(&e->writer, node->attr.resize.coordinates == RESIZE_ALIGN_CORNERS);
    tnn_param(&e->writer, y->dims[ROWS]);
    tnn_param(&e->writer, y->dims[COLUMNS]);
    tnn_layer_end(&e->writer);
}
