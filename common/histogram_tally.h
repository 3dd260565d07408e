/* histogram_tally.h — private to histogram*.c: counts rows of 16 lanes into the histograms that the lanes belong to.
 *
 *     struct histogram_tally *tally = histogram_tally_begin(kernel, lane, rows);
 *     histogram_tally_add(tally, x, rows, stride, err);   any number of times
 *     histogram_tally_end(tally);                         also after a failure
 *
 * Between begin and end the histograms are behind by what the tally holds, and belong to it.
 */
#ifndef ETALON_HISTOGRAM_TALLY_H
#define ETALON_HISTOGRAM_TALLY_H

#include "common/histogram_kernels.h"

struct histogram_tally;

/* lane[i] is the histogram of lane i, NULL where the lane is padding; all have equal bins, at least one is there.
 * `rows`: how many will be added in all (only speed depends on it). The tally is this thread's only one. */
struct histogram_tally *histogram_tally_begin(const struct histogram_kernel *kernel,
                                              struct histogram *const lane[HISTOGRAM_LANES], size_t rows);

/* Adds x[row * stride + lane]. -1 with EX_OSERR when a negative half cannot be allocated; what was added before counts.
 */
int histogram_tally_add(struct histogram_tally *tally, const float *x, size_t rows, size_t stride, struct error *err);

/* One more row, of fewer than HISTOGRAM_LANES lanes: x[lane]. */
int histogram_tally_add_few(struct histogram_tally *tally, const float *x, size_t lanes, struct error *err);

/* Brings the histograms up to date; the tally may take more. */
void histogram_tally_end(struct histogram_tally *tally);

/* A tally to keep for many views, instead of the thread's: most histograms of channels get few values from each, and
 * draining would cost more than counting. Only for bins it keeps. To be ended before the histograms are read. NULL with
 * EX_OSERR. */
bool histogram_tally_keeps(size_t bins);
struct histogram_tally *histogram_tally_create(const struct histogram_kernel *kernel,
                                               struct histogram *const lane[HISTOGRAM_LANES], struct error *err);
void histogram_tally_destroy(struct histogram_tally *tally); /* does not end it; NULL is allowed */

/* The data of one channel block of a view into histogram h[c * h_stride] of channel c: h_stride is 1 per channel, 0
 * where one histogram takes all. kept: NULL, or the tallies to use, one per HISTOGRAM_LANES of the block; NULL ones are
 * made. */
int histogram_observe_block(const struct histogram_kernel *kernel, struct histogram *h, size_t h_stride,
                            const struct view *v, size_t block_index, struct histogram_tally **kept, struct error *err);

#endif
