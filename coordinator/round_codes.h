/* round_codes.h — codes that keep a layer's output, not its weights.
 *
 * An output is sum v x over n inputs x; its squared error, where codes stand for c = scale x code, is (c - v)' H (c -
 * v) with H = E[x x'], the second moments of the inputs. Rounding each weight to the nearest code minimises that only
 * for inputs that have nothing to do with each other; neighbouring pixels of a depthwise layer are nearly equal, and
 * its errors add up. So codes are moved, one at a time, each to the best integer while the others stay, until none
 * moves: the error never rises. Source: coordinate descent on the quadratic form of Nagel et al. 2020,
 * arXiv:2004.10568, equation 10, and of calibration.md section 11.
 */
#ifndef ETALON_ROUND_CODES_H
#define ETALON_ROUND_CODES_H

#include <stddef.h>
#include <stdint.h>

/* codes[0..n), within +-limit, stand for v[0..n) by `scale` > 0; h [n x n], symmetric, its diagonal positive.
 * `gradient` is scratch, [n]. Returns how many codes moved. */
size_t round_codes(const double *v, size_t n, double scale, int32_t limit, const double *h, double *gradient,
                   int16_t *codes);

/* (c - v)' H (c - v). */
double round_codes_error(const double *v, size_t n, double scale, const double *h, const int16_t *codes);

#endif
