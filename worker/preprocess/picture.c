/* picture.c — see picture.h. */
#include "worker/preprocess/picture.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

void picture_scratch_fini(struct picture_scratch *scratch)
{
    free(scratch->memory[0]);
    free(scratch->memory[1]);
    *scratch = (struct picture_scratch){0};
}

void picture_from_record(struct picture *picture, const struct record *record, struct picture_scratch *scratch)
{
    *picture = (struct picture){
        .planes = record->is_planar ? record->channels : 1,
        .height = record->height,
        .width = record->width,
        .interleave = record->is_planar ? 1 : record->channels,
        .order = record->order,
        .is_float = record->is_float,
        .data = record->is_float ? (const void *)record->values : record->bytes,
        .scratch = scratch,
        .slot = -1,
    };
}

int picture_check_size(size_t channels, size_t height, size_t width, struct error *err)
{
    /* Steps change one dim at a time, each below 2^32: only the product of all three may be too large. */
    if (height <= RECORD_MAX_PIXELS / width && channels <= RECORD_MAX_ELEMENTS / (height * width))
        return 0;
    return error_set(err, EX_DATAERR, "%zux%zux%zu is larger than the limit of %d pixels", channels, height, width,
                     RECORD_MAX_PIXELS);
}

void *picture_renew(struct picture *picture, size_t planes, size_t height, size_t width, size_t interleave,
                    bool is_float, struct error *err)
{
    struct picture_scratch *scratch = picture->scratch;
    int slot = picture->slot == 0 ? 1 : 0;
    size_t channels = planes * interleave, bytes;

    if (picture_check_size(channels, height, width, err) < 0)
        return NULL;
    bytes = channels * height * width * (is_float ? sizeof(float) : 1);
    if (bytes > scratch->capacity[slot]) {
        free(scratch->memory[slot]); /* its pixels are older than the ones being read */
        scratch->capacity[slot] = 0;
        scratch->memory[slot] = memory_create(bytes, 1, "preprocessing", err);
        if (scratch->memory[slot] == NULL)
            return NULL;
        scratch->capacity[slot] = bytes;
    }
    picture->planes = planes;
    picture->height = height;
    picture->width = width;
    picture->interleave = interleave;
    picture->is_float = is_float;
    picture->data = scratch->memory[slot];
    picture->slot = slot;
    return scratch->memory[slot];
}

/* Interleaved to planes; `interleave` is a literal at the call sites that matter, so that the loops unroll. */
static inline void split_bytes(const uint8_t *restrict from, float *restrict to, size_t pixels, size_t interleave)
{
    for (size_t c = 0; c < interleave; c++)
        for (size_t i = 0; i < pixels; i++)
            to[c * pixels + i] = (float)from[i * interleave + c];
}

static void split_floats(const float *restrict from, float *restrict to, size_t pixels, size_t interleave)
{
    for (size_t c = 0; c < interleave; c++)
        for (size_t i = 0; i < pixels; i++)
            to[c * pixels + i] = from[i * interleave + c];
}

void picture_copy_planar(const struct picture *picture, float *out)
{
    size_t pixels = picture->height * picture->width, plane = pixels * picture->interleave;

    for (size_t p = 0; p < picture->planes; p++) {
        float *to = out + p * plane;

        if (picture->is_float && picture->interleave == 1)
            memcpy(to, (const float *)picture->data + p * plane, plane * sizeof(float));
        else if (picture->is_float)
            split_floats((const float *)picture->data + p * plane, to, pixels, picture->interleave);
        else if (picture->interleave == 1)
            split_bytes((const uint8_t *)picture->data + p * plane, to, pixels, 1);
        else if (picture->interleave == 3)
            split_bytes((const uint8_t *)picture->data + p * plane, to, pixels, 3);
        else
            split_bytes((const uint8_t *)picture->data + p * plane, to, pixels, picture->interleave);
    }
}

float *picture_make_planar_float(struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    float *to = picture_renew(picture, picture_channels(&from), from.height, from.width, 1, true, err);

    if (to != NULL)
        picture_copy_planar(&from, to);
    return to;
}
