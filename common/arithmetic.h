/* arithmetic.h — two-operand operators on single numbers, as constant folding computes them.
 */
#ifndef ETALON_ARITHMETIC_H
#define ETALON_ARITHMETIC_H

#include "common/graph.h"

/* a op b in double, to be rounded once by the caller: for + - * / that is what float32 arithmetic gives, too. Kinds
 * that tell truth give 0 or 1. NaN where the operator means nothing for real numbers (shifts). */
double arithmetic_real(enum binary_kind kind, double a, double b);

/* The same for integers: + - * wrap, division cuts toward zero, powers by negative exponents are cut too. EX_DATAERR:
 * division by zero, a shift by less than 0 or more than 63 bits. */
int arithmetic_integer(enum binary_kind kind, int64_t a, int64_t b, int64_t *out, struct error *err);

#endif
