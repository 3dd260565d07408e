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

void histogram_tally_end(struct histogram_tally *tally);

#endif
