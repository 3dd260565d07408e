/* histogram_kernels.h — private to histogram*.c and its tests: how one instruction set counts.
 *
 * A kernel sees rows of 16 lanes. A lane belongs to one histogram: to the same one in all lanes (per tensor), or to the
 * channel that the lane is in a blocked layout (per channel). That, and nothing else, is the difference between the
 * two.
 *
 * Work is split so that only what profits from vectors is written once per instruction set:
 *   scan   floats -> indices of the bins of non-zero values, zeros squeezed out; extrema; is every value in range?
 *   drain  8-bit deltas -> 64-bit counts
 * The increments between them are scalar (histogram_tally.c). A chunk that scan refuses (NaN, Inf, a value beyond the
 * last bin) is counted by histogram_observe_reference, which also is the definition that every kernel is tested
 * against.
 *
 * Names: histogram_<scan|drain>_<isa>, in histogram_<isa>.c, with the isa names of isa.h.
 */
#ifndef ETALON_HISTOGRAM_KERNELS_H
#define ETALON_HISTOGRAM_KERNELS_H

#include "common/histogram.h"
#include "common/isa.h"

#include <math.h>
#include <string.h>

enum {
    HISTOGRAM_MAX_BINS = 1 << 24, /* a float has 24 significant bits: finer bins would resolve nothing near max|x| */
    HISTOGRAM_LANES = 16,         /* floats in the widest vector, and channels in the widest block */
    /* Rows that scan takes at once: 64 x 16 indices of 4 bytes are 4 KB, which leaves the first-level cache to the
     * counts. Measured on Zen 5, half-zero data: 16 rows 3.9, 64 rows 4.3, 256 rows 4.1 G values/s. */
    HISTOGRAM_CHUNK_ROWS = 64,
    HISTOGRAM_DRAIN_BINS = 64, /* drain works on multiples of this: the 8-bit deltas of one 64-byte vector */
};

struct histogram_extent { /* per lane, of values in range */
    float min[HISTOGRAM_LANES], max[HISTOGRAM_LANES];
    uint32_t nonzero[HISTOGRAM_LANES];
};

struct histogram_scan {
    /* In. A lane's bins begin at these indices on either side of zero. */
    uint32_t bins;
    uint32_t positive[HISTOGRAM_LANES], negative[HISTOGRAM_LANES];
    /* 2^-e of the lane's histogram; +Inf where that is no normal float, which makes every non-zero value out of range.
     * 0 in padding lanes: they count into their bin 0. */
    float scale[HISTOGRAM_LANES];
    /* In and out; meaningless after scan has returned false. */
    struct histogram_extent extent;
    /* Out. Kernels store whole vectors: hence one row of slack. */
    size_t n_index;
    uint32_t index[(HISTOGRAM_CHUNK_ROWS + 1) * HISTOGRAM_LANES];
};

struct histogram_kernel {
    enum isa isa;
    /* Rows x[row * stride + lane], at most HISTOGRAM_CHUNK_ROWS. Writes positive or negative[lane] + floor(|x| scale)
     * of every x != 0 into index, in any order. False when a value is NaN, Inf, or in no bin. */
    bool (*scan)(struct histogram_scan *scan, const float *x, size_t rows, size_t stride);
    /* counts[k] += delta[k]; delta[k] = 0, for k < n, a multiple of HISTOGRAM_DRAIN_BINS. delta is 64-byte aligned. */
    void (*drain)(uint8_t *delta, uint64_t *counts, size_t n);
};

/* The kernel of an instruction set; NULL for ISA_REFERENCE, which has none, and for sets that are not of this
 * processor's family. Whether this very machine can run it says isa_is_supported. */
const struct histogram_kernel *histogram_kernel_find(enum isa isa);

/* The observers of histogram.h on a given kernel; NULL: reference. */
int histogram_observe_with(const struct histogram_kernel *kernel, struct histogram *h, const float *x, size_t n,
                           struct error *err);
int histogram_observe_view_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                struct error *err);
int histogram_observe_view_sums_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                     double *sums, struct error *err);
struct histogram_channels *histogram_channels_create_with(const struct histogram_kernel *kernel, struct histogram *h,
                                                          struct error *err);
int histogram_observe_channels_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                    struct error *err);

/* One value after the other, folding as it goes: the definition. x[i * stride], i < n. */
int histogram_observe_reference(struct histogram *h, const float *x, size_t n, size_t stride, struct error *err);

int histogram_need_negative(struct histogram *h, struct error *err); /* allocates the negative half; EX_OSERR */

/* The smallest exponent whose bins hold magnitude, finite and > 0. */
int32_t histogram_exponent_for(float magnitude, size_t bins);

/* 2^-e as a double: |x| 2^-e is then exact for every float x and every exponent of a histogram. */
static inline double histogram_scale(int32_t exponent)
{
    uint64_t bits = (uint64_t)(1023 - exponent) << 52; /* -149 <= e <= 127: always a normal double */
    double scale;

    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

#endif
