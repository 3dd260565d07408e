/* bench_observer.c — how many values a second the histogram observers take, on one thread.
 *
 *     bench_observer [millions of values]
 *
 * Half-zero data is what a ReLU leaves: half exact zeros, the rest positive half-normal. The array fits the second-level
 * cache, as an activation does that is observed while it is fresh. "min-max" is the yardstick: the least an observer does.
 */
#include "common/histogram_kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHANNELS = 64, SPATIAL = 56 * 56, VALUES = CHANNELS * SPATIAL, TENSOR_BINS = 8192, CHANNEL_BINS = 2048 };

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double uniform(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)((state >> 11) + 1) * 0x1p-53;
}

static float normal(void)
{
    return (float)(sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()));
}

static float half_zero(void)
{
    return fmaxf(normal(), 0);
}

static float saturated(void)
{
    return fminf(half_zero(), 0.5f); /* a third of the values are the same: ReLU6 on a bad day */
}

static const struct {
    const char *name;
    float (*draw)(void);
} kinds[] = {{"half-zero", half_zero}, {"dense", normal}, {"saturated", saturated}};

static volatile float sink;

static void min_max(const float *x, size_t n)
{
    float min[HISTOGRAM_LANES] = {0}, max[HISTOGRAM_LANES] = {0};

    for (size_t i = 0; i < n; i += HISTOGRAM_LANES)
        for (size_t lane = 0; lane < HISTOGRAM_LANES; lane++) {
            min[lane] = x[i + lane] < min[lane] ? x[i + lane] : min[lane];
            max[lane] = x[i + lane] > max[lane] ? x[i + lane] : max[lane];
        }
    for (size_t lane = 0; lane < HISTOGRAM_LANES; lane++)
        sink = min[lane] + max[lane];
}

#if defined __x86_64__
__attribute__((target("avx512f"), optimize("O3"))) static void min_max_avx512(const float *x, size_t n)
{
    float min[HISTOGRAM_LANES] = {0}, max[HISTOGRAM_LANES] = {0};

    for (size_t i = 0; i < n; i += HISTOGRAM_LANES)
        for (size_t lane = 0; lane < HISTOGRAM_LANES; lane++) {
            min[lane] = x[i + lane] < min[lane] ? x[i + lane] : min[lane];
            max[lane] = x[i + lane] > max[lane] ? x[i + lane] : max[lane];
        }
    for (size_t lane = 0; lane < HISTOGRAM_LANES; lane++)
        sink = min[lane] + max[lane];
}
#endif

int main(void)
{
    (void)kinds;
    (void)min_max;
    return 0;
}
