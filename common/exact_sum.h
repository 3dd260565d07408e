/* exact_sum.h — sums of doubles without rounding, hence without order.
 *
 * A long accumulator (Kulisch): the sum is a fixed-point integer spread over limbs of 32 bits held in int64, so merging
 * is adding limbs, and any order, grouping or number of ranks gives the same integer. Rounded once, when read.
 */
#ifndef ETALON_EXACT_SUM_H
#define ETALON_EXACT_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Doubles with |x| < 2^640 and bits from 2^-640 up (smaller bits are cut, deterministically: activations squared and
 * summed stay far inside). */
enum { EXACT_SUM_LIMBS = 40 };

struct exact_sum {
    int64_t limb[EXACT_SUM_LIMBS]; /* value = sum limb[i] 2^(32 i - 640); limbs may carry more than 32 bits between
                                      normalisations */
};

void exact_sum_add(struct exact_sum *sum, double x); /* finite x only; others are ignored by contract of the caller */
/* into[i] += from[i]: also what a reduction over ranks may do to the raw limbs, after exact_sum_normalise on each. */
void exact_sum_merge(struct exact_sum *into, const struct exact_sum *from);
/* sum x 2^exponent, normalised: as if every number added had been larger by it. Bits below 2^-640 are cut. */
void exact_sum_scale(struct exact_sum *sum, int exponent);
/* The canonical form: limbs 0..38 in [0, 2^32), the last one signed. Equal sums have equal bytes. */
void exact_sum_normalise(struct exact_sum *sum);
/* Has it that form, and is so far from overflow (the last limb below 2^48) that thousands of such can be added up?
 * Looks at limbs alone: for what comes from a file, which none of the above may be given before. */
bool exact_sum_is_normalised(const struct exact_sum *sum);
double exact_sum_value(const struct exact_sum *sum); /* nearest double, half to even */

#endif
