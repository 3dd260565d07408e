/* error_table.h — squared errors of many quantizers of one histogram, each in as many look-ups as it has codes.
 *
 * Inside a bin, values are taken as evenly spread: f is the density, counts per bin width. Codes stand for low + m s,
 * 0 <= m <= Q, change at b_m = low + (m + 1/2) s, and saturate (calibration.md section 5). Summed by parts the squared
 * error needs the second antiderivative of f only, G(b) = integral over x < b of (b - x) f(x) dx:
 *
 *     E = integral of (x - low - Q s)^2 f  -  2 s sum_{m<Q} G(b_m)
 *
 * (raising b_m by db moves f(b_m) db values from code m + 1 to m, whose squares differ by 2 s (x - b_m)). G is
 * quadratic in each bin, so E costs Q table look-ups, whatever the number of bins: 4,000 candidates of 127 look-ups
 * take a millisecond. The tables are integers until the last step, so E, the difference of two large terms, keeps nine
 * digits or more.
 */
#ifndef ETALON_ERROR_TABLE_H
#define ETALON_ERROR_TABLE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct error_cell { /* at the lower edge k of bin k */
    double area;    /* G(k) */
    double below;   /* values below k: G'(k) */
    double density; /* values in the bin: G'' */
};

struct error_table {
    struct error_cell *cells;     /* [bins], owned */
    double count, moment, square; /* integrals of f, x f, x^2 f */
};

/* Of counts[bins]; everything in units of bins, bin k being [k, k + 1). EX_OSERR. */
int error_table_init(struct error_table *table, const uint64_t *counts, size_t bins, struct error *err);
void error_table_fini(struct error_table *table);

/* E of the codes low, low + step ... low + steps x step, all changes of code inside the table. Values times bins^2. */
double error_table_error(const struct error_table *table, double low, double step, int32_t steps);

#endif
