/* tf_write_image.c — normalisation across channels, and images of another size. */
#include "formats/tensorflow/tf_write.h"

#include "common/resize_taps.h"

#include <math.h>

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* ---- LRN ---- */

/* x (k + alpha/size (x^2 B))^-beta, where B has ones between the channels that lie in one window. */
static const char *normalise_by_product(struct tf_writer *w, const struct node *node, const char *x, const char *base)
{
    int64_t n = shape_of(w, node->inputs[0])->dims[1], before = (node->attr.lrn.size - 1) / 2;
    struct shape shape = {4, {1, 1, n, n}};
    float *band = w->err.code != 0 ? NULL : arena_create_array(w->arena, (size_t)(n * n), sizeof *band, &w->err);
    const char *y;

    for (int64_t from = 0; band != NULL && from < n; from++)
        for (int64_t to = 0; to < n; to++)
            if (from >= to - before && from < to - before + node->attr.lrn.size)
                band[from * n + to] = node->attr.lrn.alpha / (float)node->attr.lrn.size;
    if (band == NULL)
        return "";
    y = tf_step(w, "Conv2D", base,
                TF_INPUTS(tf_step(w, "Square", base, TF_INPUTS(x)), tf_const_floats(w, base, &shape, band)));
    tf_put_ints(w, "strides", (const int64_t[]){1, 1, 1, 1}, 4);
    tf_put_text(w, "padding", "VALID");
    y = tf_step(w, "AddV2", base, TF_INPUTS(y, tf_const_scalar(w, base, node->attr.lrn.k)));
    y = tf_step(w, "Pow", base, TF_INPUTS(y, tf_const_scalar(w, base, -node->attr.lrn.beta)));
    return tf_step(w, "Mul", base, TF_INPUTS(x, y));
}

/* TensorFlow's own operator takes as many channels before as after. */
const char *tf_write_lrn(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *x = tf_as_image(w, node, base), *y;

    if (node->attr.lrn.size % 2 == 0)
        return tf_from_image(w, node, normalise_by_product(w, node, x, base), base);
    y = tf_step(w, "LRN", base, TF_INPUTS(x));
    tf_put_int(w, "depth_radius", node->attr.lrn.size / 2);
    tf_put_float(w, "bias", node->attr.lrn.k);
    tf_put_float(w, "alpha", node->attr.lrn.alpha / (float)node->attr.lrn.size);
    tf_put_float(w, "beta", node->attr.lrn.beta);
    return tf_from_image(w, node, y, base);
}

/* ---- resizing ---- */

enum { ROWS = 2 };

/* Spatial axis `axis` of the graph as attr.resize counts: the last one is the horizontal one. */
static int window_axis(const struct shape *s, size_t axis)
{
    return axis + 1 == s->rank ? 1 : 0;
}

/* TensorFlow takes the ratio of sizes for the scale. */
static bool has_natural_scale(const struct tf_writer *w, const struct node *node)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);

    for (size_t axis = ROWS; axis < in->rank; axis++) {
        double ratio = (double)out->dims[axis] / (double)in->dims[axis];
        double scale = (double)node->attr.resize.scale[window_axis(in, axis)];

        if (node->attr.resize.coordinates != RESIZE_ALIGN_CORNERS && fabs(scale - ratio) > 1e-6 * ratio)
            return false;
    }
    return true;
}

/* Nearest takes the pixel below; with corners aligned or centres in proportion the nearer one, the upper of two. */
static bool has_operator(const struct tf_writer *w, const struct node *node)
{
    enum resize_coordinates c = node->attr.resize.coordinates;
    enum resize_rounding own = c == RESIZE_ASYMMETRIC ? RESIZE_FLOOR : RESIZE_PREFER_CEIL;

    if (shape_of(w, node->inputs[0])->rank != 4 || c == RESIZE_PYTORCH_HALF_PIXEL || !has_natural_scale(w, node))
        return false;
    return node->attr.resize.mode == RESIZE_LINEAR ||
           (node->attr.resize.mode == RESIZE_NEAREST && node->attr.resize.rounding == own);
}

static const char *resize_by_operator(struct tf_writer *w, const struct node *node, const char *base)
{
    bool is_nearest = node->attr.resize.mode == RESIZE_NEAREST;
    const char *size = tf_const_ints(w, base, shape_of(w, node->outputs[0])->dims + ROWS, 2);
    const char *y = tf_step(w, is_nearest ? "ResizeNearestNeighbor" : "ResizeBilinear", base,
                            TF_INPUTS(tf_value(w, node->inputs[0]), size));

    tf_put_bool(w, "align_corners", node->attr.resize.coordinates == RESIZE_ALIGN_CORNERS);
    tf_put_bool(w, "half_pixel_centers", node->attr.resize.coordinates == RESIZE_HALF_PIXEL);
    return y;
}

/* Rows and columns picked one by one. */
static const char *pick_axis(struct tf_writer *w, const struct node *node, size_t axis, const char *x, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    size_t n = (size_t)out->dims[axis];
    int64_t *from = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *from, &w->err);

    if (from == NULL)
        return "";
    for (size_t at = 0; at < n; at++)
        from[at] = resize_taps(node, window_axis(in, axis), (int64_t)at, in->dims[axis], (int64_t)n).at[0];
    return tf_pick(w, x, from, n, tf_file_axis(w, in->rank, axis), base);
}

/* Interpolation along an axis is a product with its weights, from the right along columns, from the left along rows. */
static const char *mix_axis(struct tf_writer *w, const struct node *node, size_t axis, const char *x, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    int64_t n = in->dims[axis], m = out->dims[axis];
    bool is_right = axis + 1 == in->rank;
    struct shape shape = {2, {is_right ? n : m, is_right ? m : n}};
    float *mix = w->err.code != 0 ? NULL : arena_create_array(w->arena, (size_t)(n * m), sizeof *mix, &w->err);
    const char *y;

    if (mix == NULL)
        return "";
    for (int64_t at = 0; at < m; at++) {
        struct resize_taps taps = resize_taps(node, window_axis(in, axis), at, n, m);

        for (int i = 0; i < taps.n; i++)
            mix[is_right ? taps.at[i] * m + at : at * n + taps.at[i]] += (float)taps.weight[i];
    }
    y = tf_const_floats(w, base, &shape, mix);
    y = tf_step(w, "BatchMatMulV2", base, TF_INPUTS(is_right ? x : y, is_right ? y : x));
    tf_put_bool(w, "adj_x", false);
    tf_put_bool(w, "adj_y", false);
    return y;
}

const char *tf_write_resize(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    bool is_nearest = node->attr.resize.mode == RESIZE_NEAREST;
    const char *y;

    if (has_operator(w, node))
        return resize_by_operator(w, node, base);
    w->is_last = w->is_last && is_nearest;
    y = tf_value(w, node->inputs[0]);
    for (size_t axis = ROWS; axis < in->rank; axis++)
        if (out->dims[axis] != in->dims[axis])
            y = is_nearest ? pick_axis(w, node, axis, y, base) : mix_axis(w, node, axis, y, base);
    return y;
}
