/* resize_opencv_linear.c — two taps around the half-pixel position, as OpenCV's INTER_LINEAR: no antialiasing.
 *
 * What Caffe's convert_imageset used. Where INTER_AREA enlarges, it is this with weights of its own: the next pixel
 * counts by what the target covers of it. Target i looks at s = (i + 0.5) * in / out - 0.5 (in float precision from
 * there on), between floor(s) and its right neighbour, both clipped to the picture. On uint8, OpenCV's fixed point:
 * weights in units of 2^-11, the sum of a row's two taps kept exactly, then two taps of rows on values cut by 4 and 16
 * bits.
 */
#include "worker/preprocess/steps.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 11 };

struct tap {
    size_t first, second; /* source indices */
    float weight[2];
    int32_t fixed[2]; /* in 2^-11 */
};

/* Beyond the edge both taps are the edge pixel. Columns then get the weights (1, 0); rows keep theirs, which matters on
 * uint8 because each tap is cut on its own. */
static struct tap *create_taps(size_t in, size_t out, bool is_rows, bool is_area, struct error *err)
{
    struct tap *taps = memory_create(out, sizeof *taps, "resize weights", err);
    double ratio = 1.0 / ((double)out / (double)in);

    for (size_t i = 0; taps != NULL && i < out; i++) {
        float position = (float)(((double)i + 0.5) * ratio - 0.5), whole = floorf(position);
        float fraction = position - whole;
        size_t last = in - 1;
        struct tap *tap = &taps[i];

        if (is_area) {
            whole = (float)floor((double)i * ratio);
            fraction = (float)((double)(i + 1) - ((double)whole + 1) * ((double)out / (double)in));
            fraction = fraction <= 0 ? 0 : fraction - floorf(fraction);
        }
        tap->first = whole < 0 ? 0 : (size_t)whole > last ? last : (size_t)whole;
        tap->second = whole < 0 ? 0 : tap->first < last ? tap->first + 1 : last;
        if (!is_rows && (whole < 0 || tap->first == last))
            fraction = 0;
        tap->weight[0] = 1.0f - fraction;
        tap->weight[1] = fraction;
        for (int k = 0; k < 2; k++)
            tap->fixed[k] = (int32_t)rintf(tap->weight[k] * (1 << WEIGHT_BITS)); /* ties to even */
    }
    return taps;
}

/* Plane by plane, target pixel by target pixel: this filter is for reproducing old data sets, not for speed. */
static void resize_bytes(const struct picture *from, const struct picture *to, uint8_t *out, const struct tap *rows,
                         const struct tap *columns)
{
    size_t n = from->interleave;

    for (size_t p = 0; p < from->planes; p++) {
        const uint8_t *plane = (const uint8_t *)from->data + p * from->height * from->width * n;

        for (size_t y = 0; y < to->height; y++) {
            const uint8_t *upper = plane + rows[y].first * from->width * n;
            const uint8_t *lower = plane + rows[y].second * from->width * n;

            for (size_t x = 0; x < to->width; x++)
                for (size_t c = 0; c < n; c++, out++) {
                    size_t left = columns[x].first * n + c, right = columns[x].second * n + c;
                    int32_t above = upper[left] * columns[x].fixed[0] + upper[right] * columns[x].fixed[1];
                    int32_t below = lower[left] * columns[x].fixed[0] + lower[right] * columns[x].fixed[1];

                    *out = (uint8_t)(((rows[y].fixed[0] * (above >> 4) >> 16) +
                                      (rows[y].fixed[1] * (below >> 4) >> 16) + 2) >>
                                     2);
                }
        }
    }
}

static void resize_floats(const struct picture *from, const struct picture *to, float *out, const struct tap *rows,
                          const struct tap *columns)
{
    size_t n = from->interleave;

    for (size_t p = 0; p < from->planes; p++) {
        const float *plane = (const float *)from->data + p * from->height * from->width * n;

        for (size_t y = 0; y < to->height; y++) {
            const float *upper = plane + rows[y].first * from->width * n;
            const float *lower = plane + rows[y].second * from->width * n;

            for (size_t x = 0; x < to->width; x++)
                for (size_t c = 0; c < n; c++, out++) {
                    size_t left = columns[x].first * n + c, right = columns[x].second * n + c;
                    float above = upper[left] * columns[x].weight[0] + upper[right] * columns[x].weight[1];
                    float below = lower[left] * columns[x].weight[0] + lower[right] * columns[x].weight[1];

                    *out = above * rows[y].weight[0] + below * rows[y].weight[1];
                }
        }
    }
}

int resize_opencv_linear(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                         struct error *err)
{
    struct picture from = *picture;
    struct tap *rows = create_taps(from.height, height, true, filter == FILTER_OPENCV_AREA, err);
    struct tap *columns =
        rows == NULL ? NULL : create_taps(from.width, width, false, filter == FILTER_OPENCV_AREA, err);
    void *to = columns == NULL
                   ? NULL
                   : picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);

    if (to != NULL && from.is_float)
        resize_floats(&from, picture, to, rows, columns);
    else if (to != NULL)
        resize_bytes(&from, picture, to, rows, columns);
    free(rows);
    free(columns);
    return to == NULL ? -1 : 0;
}
