/* math.h — elementary functions whose bits do not depend on the machine's libm.
 *
 * libm's log and exp differ between CPUs and versions in the last bit, and a threshold search compares sums of logs: so
 * whatever decides a threshold uses these. Plain double arithmetic, no contraction; vector kernels give the same bits.
 */
#ifndef ETALON_MATH_H
#define ETALON_MATH_H

#include <stddef.h>

double math_log(double x);                                 /* natural logarithm, x > 0 and normal; error below 1 ulp */
void math_log_array(const double *x, double *y, size_t n); /* y[i] = math_log(x[i]), the same bits, vectorised */
double math_sin(double x);                                 /* |x| < 1000; error below 1 ulp of 1 */
double math_cos(double x);
double math_exp(double x); /* error below 1 ulp; saturates to 0 and +Inf */

#endif
