/* plan_vary.h — a plan like another, but for some scales.
 */
#ifndef ETALON_PLAN_VARY_H
#define ETALON_PLAN_VARY_H

#include "coordinator/plan_decide.h"

/* What the scale of a group of whole values becomes. */
struct plan_change {
    const struct threshold_job *job; /* not is_per_channel */
    struct threshold_result result;  /* its method is not read */
};

/* `base` with n changes, whose methods get " +sim" at their end: layers that read or make such a value are coded again
 * (plan_recode_layer). All else is that of `base`: borrowed, so that base must live longer, or, where is_lasting,
 * copied. NULL with EX_OSERR; EX_DATAERR: a layer cannot be coded. */
struct plan *plan_vary(const struct plan *base, const struct plan_change *changes, size_t n, bool is_lasting,
                       struct error *err);

#endif
