/* resize_nearest.c — one pixel of the source, as PIL's NEAREST or OpenCV's INTER_NEAREST takes it. */
#include "worker/preprocess/steps.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* PIL: the pixel under the target's centre, at a position that is a running sum, because that decides ties. OpenCV: the
 * one under its left edge, each from its own product. */
static size_t *source_indices(enum resize_filter filter, size_t in, size_t out, struct error *err)
{
    size_t *indices = memory_create(out, sizeof *indices, "a resized row", err);
    bool is_pil = filter == FILTER_NEAREST;
    double step = is_pil ? (double)in / (double)out : 1.0 / ((double)out / (double)in), position = step * 0.5;

    for (size_t i = 0; indices != NULL && i < out; i++, position += step) {
        size_t at = (size_t)(is_pil ? position : (double)i * step);

        indices[i] = at < in ? at : in - 1;
    }
    return indices;
}

int resize_nearest(struct picture *picture, enum resize_filter filter, size_t height, size_t width, struct error *err)
{
    struct picture from = *picture;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1);
    size_t *rows = source_indices(filter, from.height, height, err);
    size_t *columns = rows == NULL ? NULL : source_indices(filter, from.width, width, err);
    char *to = columns == NULL
                   ? NULL
                   : picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);

    for (size_t p = 0; to != NULL && p < from.planes; p++)
        for (size_t y = 0; y < height; y++) {
            const char *row = (const char *)from.data + (p * from.height + rows[y]) * from.width * pixel;

            for (size_t x = 0; x < width; x++, to += pixel)
                memcpy(to, row + columns[x] * pixel, pixel);
        }
    free(rows);
    free(columns);
    return to == NULL ? -1 : 0;
}
