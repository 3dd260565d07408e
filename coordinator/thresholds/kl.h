/* kl.h — the searches behind the kl methods, apart from where their counts come from. */
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
    bool takes_last; /* of equals the last, not the first */
    double nothing;  /* what stands in for the probability 0 of a bin into which counts are clipped; 0: D is infinite */
};

/* The number of kept bins with the least divergence D (natural logarithm), the first of equals; candidates with
 * infinite D are passed over. No candidate left: *kept = bins, D = 0. Source: Migacz, GTC 2017 S7310. EX_OSERR. */
int kl_search(const struct kl_request *request, size_t *kept, double *divergence, struct error *err);

/* The same with levels of equal real width, i / levels bins: a bin across two levels is shared out in proportion, and
 * all bins of a level get its mean, empty ones too. Q is not normalised: it keeps the mass it is made of. */
struct kl_fractional_request {
    const uint64_t *counts; /* [bins] magnitudes, zeros excluded */
    size_t bins, levels;    /* candidates: levels, levels + 1, ... < bins */
    double floor;           /* added to every count before P is normalised */
    double epsilon;         /* added to every bin of P and Q after that */
};
int kl_fractional_search(const struct kl_fractional_request *request, size_t *kept, double *divergence,
                         struct error *err);

/* The same over signed values: windows symmetric around the centre bin, levels of equal whole width with the rest in
 * the last; P and Q lose a little in their non-empty bins that empty ones gain (`epsilon` each), so both are positive.
 */
struct kl_window_request {
    const uint64_t *counts; /* [2 half + 1] from the most negative on, zeros in the middle */
    size_t half, levels;    /* candidates: levels / 2 bins on either side, and one more, ... <= half */
    double epsilon;
};
/* *kept: bins on either side of the centre bin. */
int kl_window_search(const struct kl_window_request *request, size_t *kept, double *divergence, struct error *err);

/* Splits counts over [0, limit] into KL_BINS bins of width limit / KL_BINS, as counts_resample. */
void kl_rebin(const struct magnitudes *m, uint64_t counts[KL_BINS]);

#endif
