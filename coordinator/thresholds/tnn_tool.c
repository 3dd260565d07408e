/* tnn_tool.c — see tnn_tool.h. Everything is float32 and added up one after the other: another order has other bits. */
#include "coordinator/thresholds/tnn_tool.h"

#include "common/math.h"
#include "worker/ranges.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 128 };

static const float first_count = 1e-7F;     /* what every bin begins with */
static const uint64_t full_count = 1 << 24; /* where a float32 counter stops counting */

/* A level of equal real width: whole bins [first, end), `left` of bin first - 1 and `right` of bin end. */
struct level {
    size_t first, end;
    float left, right;
};

static struct level level_at(size_t j, float width)
{
    float from = (float)j * width, to = from + width;
    struct level level = {.first = (size_t)from, .end = (size_t)to};

    level.first += (float)level.first < from;
    level.left = (float)level.first - from;
    level.right = to - (float)level.end;
    return level;
}

/* Q of one level, spread over its bins: expanded[] += the level's mean. No bin is empty, for each began with 1e-7. */
static void add_level(const float *p, struct level level, float *expanded)
{
    float mass = 0, bins = 0, mean;

    if (level.left > 0) {
        mass += level.left * p[level.first - 1];
        bins += level.left;
    }
    if (level.right > 0) {
        mass += level.right * p[level.end];
        bins += level.right;
    }
    for (size_t k = level.first; k < level.end; k++) {
        mass += p[k];
        bins += 1;
    }
    mean = mass / bins;
    if (level.left > 0)
        expanded[level.first - 1] += mean * level.left;
    if (level.right > 0)
        expanded[level.end] += mean * level.right;
    for (size_t k = level.first; k < level.end; k++)
        expanded[k] += mean;
}

/* Divergence of bins [0, kept), those behind clipped into the last. NaN where rounding has made a mass negative: then
 * it is less than nothing else. */
static float divergence(const float *p, size_t kept, float clipped)
{
    float expanded[RANGE_BINS + 1] = {0}, reference[RANGE_BINS], width = (float)kept / LEVELS, sum = 0;
    double ratio[RANGE_BINS];

    memcpy(reference, p, kept * sizeof *p);
    reference[kept - 1] += clipped;
    for (size_t j = 0; j < LEVELS; j++)
        add_level(p, level_at(j, width), expanded);
    for (size_t k = 0; k < kept; k++) {
        if (!(reference[k] >= 0))
            return NAN;
        ratio[k] = reference[k] > 0 && expanded[k] > 0 ? (double)(reference[k] / expanded[k]) : 1;
    }
    math_log_array(ratio, ratio, kept);
    for (size_t k = 0; k < kept; k++) {
        if (reference[k] == 0)
            continue;
        if (expanded[k] == 0)
            sum += 1;
        else
            sum += reference[k] * (float)ratio[k];
    }
    return sum;
}

size_t tnn_tool_bin_minmax(const uint64_t *counts)
{
    (void)counts;
    return RANGE_BINS - 1;
}

size_t tnn_tool_bin_kl(const uint64_t *counts)
{
    float p[RANGE_BINS + 1] = {0}, total = 0, clipped = 0, least = 1e6F;
    size_t best = LEVELS;

    for (size_t k = 0; k < RANGE_BINS; k++) {
        p[k] = first_count + (float)(counts[k] < full_count ? counts[k] : full_count);
        total += p[k];
    }
    for (size_t k = 0; k < RANGE_BINS; k++)
        p[k] /= total;
    for (size_t k = LEVELS; k < RANGE_BINS; k++)
        clipped += p[k];
    for (size_t kept = LEVELS; kept < RANGE_BINS; kept++) {
        float d = divergence(p, kept, clipped);

        clipped -= p[kept];
        if (d < least) {
            least = d;
            best = kept;
        }
    }
    return best;
}

void tnn_tool_scale(float limit, size_t bin, float *threshold, float *scale)
{
    double kept = ((double)bin + 0.5) / (double)range_factor(limit);

    *threshold = (float)kept;
    *scale = (float)(kept / 127);
}
