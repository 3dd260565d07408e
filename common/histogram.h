/* histogram.h — counts of activation magnitudes, exact under merging.
 *
 * Bins of width 2^e over |x|, the two signs apart; zero, NaN and Inf are counted, never binned. A finite value beyond
 * the last bin folds neighbouring bins and increments e, so the contents depend only on the multiset of values seen:
 * not on order, batch, number of threads or ranks, or restarts. Proof and pitfalls: specs of the project, "folding
 * histogram": floor(floor(y)/2) = floor(y/2), and scaling by a power of two is exact in binary floating point.
 *
 *   bin k counts k 2^e <= |x| < (k+1) 2^e,  0 < |x|;  e is the smallest with max|x| < bins 2^e, at least -149.
 */
#ifndef ETALON_HISTOGRAM_H
#define ETALON_HISTOGRAM_H

#include "common/error.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_EMPTY_EXPONENT = -149 }; /* e before the first value: the weight of a float's last denormal bit */

/* Plain data: it is also the unit of reduction and of the archive. All counters are exact; `n` = zeros + nans + infs +
 * sum of counts (histogram_check). */
struct histogram {
    size_t bins;        /* a power of two, 2 to 2^24 */
    int32_t exponent;   /* e */
    uint64_t *positive; /* [bins] */
    uint64_t *negative; /* [bins]; NULL until the first negative value */
    uint64_t n;         /* values observed */
    uint64_t zeros, nans, positive_infs, negative_infs;
    float min, max; /* over finite values; min = +Inf, max = -Inf while there is none. -0 is 0 */
};

/* EX_USAGE bad bins, EX_OSERR no memory. */
int histogram_init(struct histogram *h, size_t bins, struct error *err);
void histogram_fini(struct histogram *h); /* may be called on {0} and twice */

/* Adds x[0..n). -1 with EX_OSERR only when the negative half cannot be allocated. Uses the fastest kernel of this
 * machine; every kernel gives the same bits (tests/common/test_histogram.c). Flush-to-zero must be off. */
int histogram_observe(struct histogram *h, const float *x, size_t n, struct error *err);

/* into += from; commutative, associative, identity = freshly initialised. Same bins, or EX_SOFTWARE. EX_DATAERR when a
 * counter would pass 2^63. */
int histogram_merge(struct histogram *into, const struct histogram *from, struct error *err);
/* The same where `from` may have more bins than `into`, whose bins are kept: as if the values had been counted there.
 */
int histogram_merge_finer(struct histogram *into, const struct histogram *from, struct error *err);
void histogram_clear(struct histogram *h); /* as histogram_init leaves it, in the memory it has */

/* Folds until exponent == e (no-op when it is already there or beyond). */
void histogram_fold_to(struct histogram *h, int32_t e);
bool histogram_equal(const struct histogram *a, const struct histogram *b);
/* The counts identity and the place of the largest bin; EX_DATAERR. Called after every load. */
int histogram_check(const struct histogram *h, struct error *err);

/* counts[k] = positive[k] + negative[k], k < bins. */
void histogram_magnitudes(const struct histogram *h, uint64_t *counts);
bool histogram_is_never_negative(const struct histogram *h); /* of what was seen: NaN is neither */
float histogram_abs_max(const struct histogram *h);          /* max |x| over finite values, 0 when there is none */

/* One engine's look at a value: observes v's data, not its padding. Per tensor: histogram_observe without the padding
 * zeros. Per channel: h[0..channels) are histograms of equal bins; lanes of a channel block count side by side. */
int histogram_observe_view(struct histogram *h, const struct view *v, struct error *err);
/* Both at once, since memory is what both wait for: histogram_observe_view, and sums as view_channel_sums. */
int histogram_observe_view_sums(struct histogram *h, const struct view *v, double *sums, struct error *err);
int histogram_observe_channels(struct histogram *h, const struct view *v, struct error *err);

/* histogram_observe_channels over many views, several times as fast: small counts wait beside the histograms, which
 * belong to this, and are behind, from the first view to histogram_channels_settle. `h` is borrowed: as many as views
 * have channels. 4 KB a channel of 2,048 bins, half of it untouched where nothing is negative. EX_OSERR. */
struct histogram_channels;
struct histogram_channels *histogram_channels_create(struct histogram *h, struct error *err);
void histogram_channels_destroy(struct histogram_channels *channels); /* without settling; NULL is allowed */
int histogram_channels_observe(struct histogram_channels *channels, const struct view *v, struct error *err);
void histogram_channels_settle(struct histogram_channels *channels); /* more views may follow */

/* Name of the kernel in use: "avx512", "avx2", "neon", "reference". ETALON_ISA in the environment may lower it. */
const char *histogram_kernel_name(void);

#endif
