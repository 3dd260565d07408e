/* resize_opencv_area.c — the mean of what a target pixel covers, as OpenCV's INTER_AREA.
 *
 * Shrinking by whole factors is a sum of integers times 1 / count in single precision; by others every source pixel
 * has a weight along each side (what the target covers of it, ends below 0.001 left out), in single precision and in
 * OpenCV's order: along a row, then row upon row. Where a side grows, it is opencv_linear with weights of its own.
 */
#include "worker/preprocess/steps.h"

#include "common/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Source pixel `source` counts for target pixel `target`; in the order of both. */
struct cover {
    size_t target, source;
    float weight;
};

/* At most two more than in + out in all. */
static struct cover *create_covers(size_t in, size_t out, size_t *n, struct error *err)
{
    struct cover *covers = memory_create(in + 2 * out, sizeof *covers, "resize weights", err);
    double scale = 1.0 / ((double)out / (double)in);

    *n = 0;
    for (size_t i = 0; covers != NULL && i < out; i++) {
        double begin = (double)i * scale, end = begin + scale, cell = fmin(scale, (double)in - begin);
        size_t last = fmin(floor(end), (double)in - 1) < 0 ? 0 : (size_t)fmin(floor(end), (double)in - 1);
        size_t first = (size_t)ceil(begin) < last ? (size_t)ceil(begin) : last;

        if ((double)first - begin > 1e-3)
            covers[(*n)++] = (struct cover){i, first - 1, (float)(((double)first - begin) / cell)};
        for (size_t k = first; k < last; k++)
            covers[(*n)++] = (struct cover){i, k, (float)(1.0 / cell)};
        if (end - (double)last > 1e-3)
            covers[(*n)++] = (struct cover){i, last, (float)(fmin(fmin(end - (double)last, 1.0), cell) / cell)};
    }
    return covers;
}

static float value_at(const struct picture *from, size_t index)
{
    return from->is_float ? ((const float *)from->data)[index] : (float)((const uint8_t *)from->data)[index];
}

static void store(const struct picture *to, void *out, size_t index, float value)
{
    if (to->is_float)
        ((float *)out)[index] = value;
    else
        ((uint8_t *)out)[index] = (uint8_t)fminf(fmaxf(rintf(value), 0), 255); /* half to even */
}

/* One plane; `sums` and `row` have room for a target row each. */
static void shrink_plane(const struct picture *from, const struct picture *to, void *out, size_t plane,
                         const struct cover *rows, size_t n_rows, const struct cover *columns, size_t n_columns,
                         float *row, float *sums)
{
    size_t k = from->interleave, n = to->width * k;

    for (size_t r = 0; r < n_rows; r++) {
        size_t source = (plane * from->height + rows[r].source) * from->width * k;
        bool is_first = r == 0 || rows[r - 1].target != rows[r].target;
        bool is_last = r + 1 == n_rows || rows[r + 1].target != rows[r].target;

        for (size_t i = 0; i < n; i++)
            row[i] = 0;
        for (size_t j = 0; j < n_columns; j++)
            for (size_t c = 0; c < k; c++)
                row[columns[j].target * k + c] +=
                    value_at(from, source + columns[j].source * k + c) * columns[j].weight;
        for (size_t i = 0; i < n; i++)
            sums[i] = is_first ? rows[r].weight * row[i] : sums[i] + rows[r].weight * row[i];
        for (size_t i = 0; is_last && i < n; i++)
            store(to, out, (plane * to->height + rows[r].target) * n + i, sums[i]);
    }
}

static int shrink(const struct picture *from, const struct picture *to, void *out, struct error *err)
{
    size_t n_rows, n_columns = 0, n = to->width * from->interleave;
    struct cover *rows = create_covers(from->height, to->height, &n_rows, err);
    struct cover *columns = rows == NULL ? NULL : create_covers(from->width, to->width, &n_columns, err);
    float *sums = columns == NULL ? NULL : memory_create(n, 2 * sizeof *sums, "a resized row", err);

    for (size_t p = 0; sums != NULL && p < from->planes; p++)
        shrink_plane(from, to, out, p, rows, n_rows, columns, n_columns, sums + n, sums);
    free(rows);
    free(columns);
    free(sums);
    return sums == NULL ? -1 : 0;
}

/* Whole factors. Two by two bytes are rounded half up, others half to even, as OpenCV does. */
static void shrink_by_whole(const struct picture *from, const struct picture *to, void *out, size_t fy, size_t fx)
{
    size_t k = from->interleave, index = 0;
    float part = 1.0f / (float)(fy * fx);

    for (size_t p = 0; p < from->planes; p++)
        for (size_t y = 0; y < to->height; y++)
            for (size_t x = 0; x < to->width * k; x++, index++) {
                size_t first = ((p * from->height + y * fy) * from->width + x / k * fx) * k + x % k;
                uint64_t whole = 0;
                float sum = 0;

                for (size_t i = 0; i < fy * fx; i++) {
                    size_t at = first + (i / fx * from->width + i % fx) * k;

                    if (from->is_float)
                        sum += ((const float *)from->data)[at];
                    else
                        whole += ((const uint8_t *)from->data)[at];
                }
                if (!from->is_float && fy == 2 && fx == 2)
                    ((uint8_t *)out)[index] = (uint8_t)((whole + 2) >> 2);
                else
                    store(to, out, index, (from->is_float ? sum : (float)whole) * part);
            }
}

int resize_opencv_area(struct picture *picture, enum resize_filter filter, size_t height, size_t width,
                       struct error *err)
{
    struct picture from = *picture;
    void *to;

    if (height > from.height || width > from.width)
        return resize_opencv_linear(picture, filter, height, width, err);
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    if (from.height % height != 0 || from.width % width != 0)
        return shrink(&from, picture, to, err);
    shrink_by_whole(&from, picture, to, from.height / height, from.width / width);
    return 0;
}
