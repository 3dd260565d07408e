/* preprocess_records.h — records with drawn pixels, and steps of preprocessing, for its tests. */
#ifndef ETALON_TESTS_PREPROCESS_RECORDS_H
#define ETALON_TESTS_PREPROCESS_RECORDS_H

#include "worker/preprocess.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* One resizing by PIL or OpenCV (preprocess_golden.h). */
struct golden {
    enum resize_filter filter;
    size_t height, width, channels, to_height, to_width;
    bool is_float;  /* pixels / 7, result float */
    uint64_t fnv1a; /* of the resulting bytes, HWC */
    size_t n_shown; /* of them, in full */
    uint8_t shown[64];
};

/* Bytes of a linear congruential generator, in HWC order: the same as in make_preprocess_golden.py. */
static inline uint8_t *draw(size_t height, size_t width, size_t channels)
{
    uint32_t state = (uint32_t)(height * 65536 + width * 16 + channels);
    uint8_t *pixels = malloc(height * width * channels);

    assert_non_null(pixels);
    for (size_t i = 0; i < height * width * channels; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    return pixels;
}

static inline uint64_t fnv1a(const void *data, size_t n)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        value = (value ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return value;
}

/* A record of HWC pixels in the wanted layout and type; freed by record_fini. */
static inline struct record make_record(const uint8_t *hwc, size_t channels, size_t height, size_t width,
                                        bool is_planar, bool is_float)
{
    struct record record = {.key = "the key", .is_planar = is_planar};
    struct error err = {0};
    size_t n = height * width;

    assert_int_equal(record_reserve(&record, channels, height, width, is_float, &err), 0);
    record.order = channels == 1 ? PIXELS_GRAY : channels == 3 ? PIXELS_RGB : PIXELS_NONE;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < channels; c++) {
            size_t to = is_planar ? c * n + i : i * channels + c;

            if (is_float)
                record.value_buffer[to] = (float)hwc[i * channels + c] / 7.0f;
            else
                record.byte_buffer[to] = hwc[i * channels + c];
        }
    return record;
}

static inline int run(const struct preprocess_plan *plan, const struct record *record, struct shape out_shape,
                      float *out, struct error *err)
{
    struct preprocessor *preprocessor = preprocessor_create(plan, &out_shape, err);
    int rc = preprocessor == NULL ? -1 : preprocess(preprocessor, record, out, err);

    preprocessor_destroy(preprocessor);
    return rc;
}

static inline struct shape chw(size_t channels, size_t height, size_t width)
{
    return (struct shape){3, {(int64_t)channels, (int64_t)height, (int64_t)width}};
}

static inline struct preprocess_step resize_step(enum resize_fit fit, enum resize_filter filter, size_t height,
                                                 size_t width)
{
    return (struct preprocess_step){.kind = STEP_RESIZE,
                                    .resize = {.fit = fit, .filter = filter, .height = height, .width = width}};
}

static inline struct preprocess_step crop_step(size_t height, size_t width)
{
    return (struct preprocess_step){.kind = STEP_CROP, .crop = {.height = height, .width = width}};
}

/* What the plan makes of the record, as bytes of H x W x C. */
static inline uint64_t hash_of(const struct preprocess_plan *plan, const struct record *record, size_t channels,
                               size_t height, size_t width)
{
    size_t n = height * width;
    float *out = malloc(n * channels * sizeof *out);
    uint8_t *bytes = malloc(n * channels);
    struct error err = {0};
    uint64_t hash;

    assert_non_null(out);
    assert_non_null(bytes);
    if (run(plan, record, chw(channels, height, width), out, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n * channels; i++)
        bytes[i % n * channels + i / n] = (uint8_t)out[i];
    hash = fnv1a(bytes, n * channels);
    free(out);
    free(bytes);
    return hash;
}

#endif
