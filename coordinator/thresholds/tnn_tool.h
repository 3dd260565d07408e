/* tnn_tool.h — thresholds as TNN's own quantization tool finds them, bit for bit, from counts over a range (ranges.h).
 *
 * Source: Tencent TNN, commit f0cb08129a05, tools/quantization/scale_calculator.cc. Pure functions; the one logarithm
 * is our own, rounded to float32 (libm's differs between machines in the last bit).
 */
#ifndef ETALON_TNN_TOOL_H
#define ETALON_TNN_TOOL_H

#include <stddef.h>
#include <stdint.h>

/* The last of the RANGE_BINS bins that is kept. Nothing is clipped: all of them. KL: the first of those with the least
 * divergence over 128 levels; a method's in_tnn (thresholds.h). */
size_t tnn_tool_bin_minmax(const uint64_t *counts);
size_t tnn_tool_bin_kl(const uint64_t *counts);

/* threshold = (bin + 1/2) widths; *scale = that / 127 in one rounding. range_factor(limit) > 0. */
void tnn_tool_scale(float limit, size_t bin, float *threshold, float *scale);

#endif
