/* resize_taps.c — the coordinate maps of OP_RESIZE, and the weights of its interpolations; see resize_taps.h. */
#include "common/resize_taps.h"

#include <math.h>

/* In float, as the runtimes do it: nearest's ties depend on it. */
static float source_position(const struct node *node, int axis, int64_t at, int64_t in, int64_t out)
{
    float scale = node->attr.resize.scale[axis], x = (float)at;

    switch (node->attr.resize.coordinates) {
    case RESIZE_ALIGN_CORNERS:
        return out == 1 ? 0 : x * (float)(in - 1) / (float)(out - 1);
    case RESIZE_ASYMMETRIC:
        return x / scale;
    case RESIZE_PYTORCH_HALF_PIXEL:
        if (out == 1)
            return 0;
        break;
    case RESIZE_HALF_PIXEL:
        break;
    }
    return (x + 0.5f) / scale - 0.5f;
}

static int64_t nearest(enum resize_rounding rounding, float position)
{
    switch (rounding) {
    case RESIZE_FLOOR:
        return (int64_t)floorf(position);
    case RESIZE_CEIL:
        return (int64_t)ceilf(position);
    case RESIZE_PREFER_FLOOR:
        return (int64_t)ceilf(position - 0.5f);
    case RESIZE_PREFER_CEIL:
        break;
    }
    return (int64_t)floorf(position + 0.5f);
}

/* Keys, Cubic convolution interpolation, IEEE TASSP 29(6) 1981, equation 4, with its -1/2 called a. */
static double cubic_weight(double a, double distance)
{
    double d = fabs(distance);

    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

struct resize_taps resize_taps(const struct node *node, int axis, int64_t at, int64_t in, int64_t out)
{
    float position = source_position(node, axis, at, in, out);
    int64_t first = (int64_t)floorf(position);
    double fraction = (double)position - (double)first;
    struct resize_taps taps = {1, {0}, {1}};

    switch (node->attr.resize.mode) {
    case RESIZE_NEAREST:
        taps.at[0] = nearest(node->attr.resize.rounding, position);
        break;
    case RESIZE_LINEAR:
        taps = (struct resize_taps){2, {first, first + 1}, {1 - fraction, fraction}};
        break;
    case RESIZE_CUBIC:
        taps.n = 4;
        for (int i = 0; i < 4; i++) {
            taps.at[i] = first - 1 + i;
            taps.weight[i] = cubic_weight((double)node->attr.resize.cubic_a, fraction + 1 - i);
        }
        break;
    }
    for (int i = 0; i < taps.n; i++) /* the border is repeated */
        taps.at[i] = taps.at[i] < 0 ? 0 : taps.at[i] >= in ? in - 1 : taps.at[i];
    return taps;
}
