/* resize_nearest.c — the nearest pixel as PIL's NEAREST takes it. */
#include "worker/preprocess/steps.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* The source index of every target index. The position is a running sum, as in PIL, because that decides ties. */
static size_t *source_indices(size_t in, size_t out, struct error *err)
{
    size_t *indices = memory_create(out, sizeof *indices, "a resized row", err);
    double step = (double)in / (double)out, position = step * 0.5;

    for (size_t i = 0; indices != NULL && i < out; i++, position += step)
        indices[i] = (size_t)position < in ? (size_t)position : in - 1;
    return indices;
}

int resize_nearest(struct picture *picture, size_t height, size_t width, struct error *err)
{
    struct picture from = *picture;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1);
    size_t *rows = source_indices(from.height, height, err);
    size_t *columns = rows == NULL ? NULL : source_indices(from.width, width, err);
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
