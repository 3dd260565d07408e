/* aciq.h — the optimal clipping of Laplace and Gauss densities, apart from where their parameter comes from. Exposed
 * for its tests.
 *
 * `codes` magnitudes are shown: 2^(B-1) of B bits with a sign, 2^B without, where the one-sided optimum is that of one
 * bit more; so one number says both. codes >= 2. Deterministic: own logarithm and exponential.
 */
#ifndef ETALON_ACIQ_H
#define ETALON_ACIQ_H

/* a / b, the clip in mean deviations: W0(12 codes^2), which minimises 2 b^2 e^(-a/b) + a^2 / (12 codes^2). */
double aciq_laplace_ratio(double codes);

/* a / sigma: the root of 2 r / (12 codes^2) = 4 (phi(r) - r Q(r)), phi the normal density, Q its upper tail. */
double aciq_gauss_ratio(double codes);
/* The deviation of a normal density that n values span `range` of; n > 1. */
double aciq_sigma_of_range(double range, double n);

#endif
