/* kl.h — the search behind the kl method, apart from where its 2,048 counts come from. Exposed for its tests. */
#ifndef ETALON_KL_H
#define ETALON_KL_H

#include "coordinator/thresholds/magnitudes.h"

enum { KL_BINS = 2048 };

/* How i kept bins fall into levels. */
enum kl_grouping {
    KL_CHUNKS, /* floor(i / levels) bins each, the last level takes the rest: the usual reading of the S7310 slides */
    KL_EVEN,   /* bin k belongs to level floor(k levels / i): widths differ by at most one bin */
};

struct kl_request {
    const uint64_t *counts; /* [bins] magnitudes, zeros excluded */
    size_t bins, levels;    /* levels <= bins <= 65536 */
    size_t step;            /* candidates: levels, levels + step, ... <= bins */
    enum kl_grouping grouping;
};

/* The number of kept bins with the least divergence D (natural logarithm), the first of equals; candidates with
 * infinite D are passed over. No candidate left: *kept = bins, D = 0. Source: Migacz, GTC 2017 S7310. EX_OSERR. */
int kl_search(const struct kl_request *request, size_t *kept, double *divergence, struct error *err);

/* Splits counts over [0, limit] into KL_BINS bins of width limit / KL_BINS. Counts stay integers and add up to the
 * total: what lies below an edge inside a bin is the bin's proportional part, rounded down (calibration.md section 15).
 */
void kl_rebin(const struct magnitudes *m, uint64_t counts[KL_BINS]);

#endif
