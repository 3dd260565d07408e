/* bench_observer.c — how many values a second the histogram observers take, on one thread.
 *
 * Per tensor with 8192 bins, per channel with 2048, on a block-16 activation of 64 x 56 x 56 (0.8 MB: it fits the
 * second-level cache, as an activation does that is observed while it is fresh). Half-zero data is what a ReLU leaves:
 * half exact zeros, the rest positive half-normal. "min-max" is the yardstick: the least that an observer can do.
 */
#include "common/histogram_kernels.h"

#include "../common/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

enum {
    CHANNELS = 64,
    SPATIAL = 56 * 56,
    VALUES = CHANNELS * SPATIAL,
    BLOCK = 16,
    TENSOR_BINS = 8192,
    CHANNEL_BINS = 2048,
    RUNS = 30, /* the fastest counts: the others shared the core with something */
};

static _Alignas(64) float values[VALUES];
static const struct view view = {values, 1, CHANNELS, SPATIAL, BLOCK};
static struct histogram tensor, channels[CHANNELS];
static volatile float sink;

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float dense(void)
{
    return (float)draw_normal();
}

static float half_zero(void)
{
    return fmaxf(dense(), 0);
}

static float saturated(void)
{
    return fminf(half_zero(), 0.5f); /* a third of all values are equal: ReLU6 on a bad day */
}

static float constant(void)
{
    return 6;
}

static const struct {
    const char *name;
    float (*draw)(void);
} kinds[] = {{"half-zero", half_zero}, {"dense", dense}, {"saturated", saturated}, {"constant", constant}};

static void min_max_reference(void)
{
    float min = INFINITY, max = -INFINITY;

    for (size_t i = 0; i < VALUES; i++) {
        min = values[i] < min ? values[i] : min;
        max = values[i] > max ? values[i] : max;
    }
    sink = max - min;
}

#if defined __x86_64__

__attribute__((target("avx2"))) static void min_max_avx2(void)
{
    __m256 min = _mm256_set1_ps(INFINITY), max = _mm256_set1_ps(-INFINITY);

    for (size_t i = 0; i < VALUES; i += 8) {
        __m256 v = _mm256_load_ps(values + i);

        min = _mm256_min_ps(v, min);
        max = _mm256_max_ps(v, max);
    }
    sink = _mm256_cvtss_f32(_mm256_sub_ps(max, min));
}

__attribute__((target("avx512f"))) static void min_max_avx512(void)
{
    __m512 min = _mm512_set1_ps(INFINITY), max = _mm512_set1_ps(-INFINITY);

    for (size_t i = 0; i < VALUES; i += 16) {
        __m512 v = _mm512_load_ps(values + i);

        min = _mm512_min_ps(v, min);
        max = _mm512_max_ps(v, max);
    }
    sink = _mm512_cvtss_f32(_mm512_sub_ps(max, min));
}

#endif

static void min_max(enum isa isa)
{
#if defined __x86_64__
    if (isa == ISA_AVX512)
        min_max_avx512();
    else if (isa == ISA_AVX2)
        min_max_avx2();
    else
        min_max_reference();
#else
    (void)isa;
    min_max_reference();
#endif
}

static void check(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench_observer: %s\n", err->text);
    exit(err->code);
}

static void per_tensor(enum isa isa)
{
    struct error err = {0};

    check(histogram_observe_view_with(histogram_kernel_find(isa), &tensor, &view, &err), &err);
}

static void per_channel(enum isa isa)
{
    struct error err = {0};

    check(histogram_observe_channels_with(histogram_kernel_find(isa), channels, &view, &err), &err);
}

/* Billions of values a second. */
static double speed_of(void (*observe)(enum isa), enum isa isa)
{
    double best_s = INFINITY;

    for (int run = 0; run < RUNS; run++) {
        double start = seconds();

        observe(isa);
        best_s = fmin(best_s, seconds() - start);
    }
    return VALUES / best_s * 1e-9;
}

int main(void)
{
    struct error err = {0};

    printf("%-10s %-10s %14s %14s %14s   G values/s, one thread\n", "data", "kernel", "per tensor", "per channel",
           "min-max");
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (size_t i = 0; i < VALUES; i++)
            values[i] = kinds[kind].draw();
        for (enum isa isa = 0; isa < ISA_COUNT; isa++) {
            if (!isa_is_supported(isa))
                continue;
            check(histogram_init(&tensor, TENSOR_BINS, &err), &err);
            for (size_t c = 0; c < CHANNELS; c++)
                check(histogram_init(&channels[c], CHANNEL_BINS, &err), &err);
            printf("%-10s %-10s %14.2f %14.2f %14.2f\n", kinds[kind].name, isa_name(isa), speed_of(per_tensor, isa),
                   speed_of(per_channel, isa), speed_of(min_max, isa));
            histogram_fini(&tensor);
            for (size_t c = 0; c < CHANNELS; c++)
                histogram_fini(&channels[c]);
        }
    }
    return 0;
}
