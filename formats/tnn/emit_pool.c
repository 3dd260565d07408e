/* emit_pool.c — pools.
 *
 * TNN pads both ends alike or in TensorFlow's way, and leaves pads out of averages. What is neither is laid around the
 * image by a layer of its own: numbers below all others for a maximum, zeros for an average; an average that is to
 * leave them out is then corrected, by one factor a pixel.
 */
#include "formats/tnn/emit.h"

#include <float.h>
#include <string.h>

enum { ROWS = 2 }; /* first spatial axis of an image */

static bool is_padded(const struct window *w)
{
    return w->pad_begin[0] > 0 || w->pad_end[0] > 0 || w->pad_begin[1] > 0 || w->pad_end[1] > 0;
}

static int64_t same_total(int64_t in, int64_t out, const struct window *w, size_t k)
{
    int64_t total = (out - 1) * w->stride[k] + w->kernel[k] - in;

    return total < 0 ? 0 : total;
}

/* Which of TNN's three ways to state pads gives these begins and sizes? What lies behind the image's end never enters a
 * maximum, nor an average here, so TNN may pad it with as much as it likes. */
static bool find_pad_type(const struct node *node, const struct shape *x, enum tnn_pad_type *type, bool *rounds_up)
{
    const struct window *w = &node->attr.pool.window;
    bool is_floor = true, is_ceil = true, is_same = true;

    for (size_t k = 0; k < 2; k++) {
        int64_t in = x->dims[ROWS + k], out = node->attr.pool.output[k], pad = w->pad_begin[k];
        int64_t room = in + 2 * pad - w->kernel[k], total = same_total(in, out, w, k);
        int64_t down = pool_output_size(in, w->kernel[k], w->stride[k], 1, pad, pad, false, true);
        int64_t up = pool_output_size(in, w->kernel[k], w->stride[k], 1, pad, pad, true, false);

        /* Whether a window beyond the image is dropped shall not matter: that is why `up` must be what it would be. */
        is_floor = is_floor && out == down;
        is_ceil = is_ceil && out == up && (room < 0 || up == (room + w->stride[k] - 1) / w->stride[k] + 1);
        is_same = is_same && out == (in + w->stride[k] - 1) / w->stride[k] && pad == total / 2;
    }
    *type = is_floor || is_ceil ? TNN_PAD_EXPLICIT : TNN_PAD_SAME;
    *rounds_up = is_ceil && !is_floor;
    return is_floor || is_ceil || is_same;
}

/* Lays `value` around the blob, as far as the pool's pads, which it then has no more. */
static const char *put_pads(struct tnn_emit *e, const struct node *node, const char *what, const char *blob,
                            struct window *w, struct shape *x, float value)
{
    const char *padded = tnn_fresh_name(e, tnn_layer_name(e, node), what);

    tnn_put_image_pad(e, padded, blob, padded, w, value);
    for (size_t k = 0; k < 2; k++) {
        x->dims[ROWS + k] += w->pad_begin[k] + w->pad_end[k];
        w->pad_begin[k] = w->pad_end[k] = 0;
    }
    return padded;
}

/* Pads at the end with which rounding down gives the pool's size. */
static void fit_end_pads(struct node *pool, const struct shape *x)
{
    struct window *w = &pool->attr.pool.window;

    for (size_t k = 0; k < 2; k++) {
        int64_t end =
            (pool->attr.pool.output[k] - 1) * w->stride[k] + w->kernel[k] - x->dims[ROWS + k] - w->pad_begin[k];

        w->pad_end[k] = end < 0 ? 0 : end;
    }
}

/* Rows that window `o` along axis k has in an image of `in` rows. */
static int64_t count_rows(const struct window *w, size_t k, int64_t in, int64_t o)
{
    int64_t begin = o * w->stride[k] - w->pad_begin[k], end = begin + w->kernel[k];

    return (end < in ? end : in) - (begin > 0 ? begin : 0);
}

/* y = an average of whole windows, over the share of them that lies in the image x, which `w` pads. */
static void put_correction(struct tnn_emit *e, const struct node *node, const struct window *w, const struct shape *x,
                           const char *from, const char *to)
{
    const int64_t *output = node->attr.pool.output;
    const struct shape image = {4, {1, 1, output[0], output[1]}};
    const size_t n = (size_t)shape_elements(&image);
    const char *name = tnn_fresh_name(e, tnn_layer_name(e, node), "average");
    struct error err = {0};
    float *factors = arena_create_array(e->arena, n, sizeof *factors, &err);

    if (factors == NULL || name == NULL) {
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t rows = count_rows(w, 0, x->dims[ROWS], (int64_t)i / output[1]);
        int64_t columns = count_rows(w, 1, x->dims[ROWS + 1], (int64_t)i % output[1]);

        factors[i] = (float)((double)(w->kernel[0] * w->kernel[1]) / (double)(rows * columns));
    }
    tnn_layer_begin(&e->writer, false, "Mul", name, &from, 1, &to, 1);
    tnn_param(&e->writer, 1); /* the second operand is constant */
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, "Mul", name);
    tnn_put_raw(&e->writer, TNN_FLOAT32, factors, n, &image);
}

static void put_pooling(struct tnn_emit *e, const struct node *node, bool is_integer, const struct node *pool,
                        enum tnn_pad_type pad_type, bool rounds_up, const char *from, const char *to)
{
    const struct window *w = &pool->attr.pool.window;

    tnn_layer_begin(&e->writer, is_integer, "Pooling", tnn_layer_name(e, node), &from, 1, &to, 1);
    tnn_param(&e->writer, pool->attr.pool.kind == POOL_MAX ? 0 : 1);
    tnn_put_pair(e, w->kernel);
    tnn_put_pair(e, w->stride);
    tnn_put_pair(e, w->pad_begin);
    tnn_put_pair(e, (const int64_t[2]){-1, -1}); /* the kernel is not an extent of the input */
    tnn_param(&e->writer, pad_type);
    tnn_param(&e->writer, rounds_up);
    tnn_param(&e->writer, 0); /* not adaptive */
    tnn_put_pair(e, (const int64_t[2]){0, 0});
    tnn_layer_end(&e->writer);
}

void tnn_emit_pool(struct tnn_emit *e, const struct node *node)
{
    bool is_max = node->attr.pool.kind == POOL_MAX, is_integer = tnn_is_integer(e, node) && is_max, rounds_up;
    const struct shape *own = tnn_value_shape(e, node->inputs[0]);
    const char *from, *to = e->blobs[node->outputs[0]], *made, *whole;
    struct shape x = tnn_as_image(own), image;
    struct node pool = *node;
    struct window padded = {0}; /* of an average that is to leave out what was laid around it */
    enum tnn_pad_type pad_type;

    if ((own->rank != 4 && (own->rank != 3 || is_integer)) || node->attr.pool.window.dilation[0] != 1 ||
        node->attr.pool.window.dilation[1] != 1) {
        tnn_cannot(e, "only pools over one or two axes, without dilation, have a form in TNN");
        return;
    }
    from = tnn_image_input(e, node);
    made = whole = tnn_image_output(e, node, to);
    if (!is_max && pool.attr.pool.count_include_pad && is_padded(&pool.attr.pool.window))
        from = put_pads(e, node, "padded", from, &pool.attr.pool.window, &x, 0);
    image = x;
    if (!find_pad_type(&pool, &x, &pad_type, &rounds_up)) {
        fit_end_pads(&pool, &x);
        padded = pool.attr.pool.window;
        from = put_pads(e, node, "filled", from, &pool.attr.pool.window, &x, is_max ? -FLT_MAX : 0);
        pad_type = TNN_PAD_EXPLICIT;
        rounds_up = false;
        if (!is_max)
            whole = tnn_fresh_name(e, tnn_layer_name(e, node), "whole");
    }
    if (is_integer)
        tnn_put_scale_as(e, node->inputs[0], from);
    put_pooling(e, node, is_integer, &pool, pad_type, rounds_up, from, whole);
    if (whole != made)
        put_correction(e, node, &padded, &image, whole, made);
    if (is_integer)
        tnn_put_scale(e, node->outputs[0]);
    tnn_finish_image(e, node, made, to);
}
