/* convergence.h — how many records are enough: thresholds against the number of records, from the parts of statistics.
 *
 * Of each value, by the job's method, for signed int8 (127 steps): after 1/8, 2/8 ... of the blocks, and an interval
 * from resampling the eight parts (bootstrap over blocks of records: records are independent, the pixels of one are
 * not). Pure functions of integers with a fixed seed, so the same from an archive as from the run that wrote it.
 */
#ifndef ETALON_CONVERGENCE_H
#define ETALON_CONVERGENCE_H

#include "coordinator/comm.h"
#include "coordinator/thresholds.h"
#include "worker/observe_parts.h"

/* The interval is what 18 of 20 resamples lie in: 90 %. */
enum { CONVERGENCE_RESAMPLES = 20, CONVERGENCE_OUTSIDE = 1 };

struct convergence_value {
    float thresholds[OBSERVE_PARTS]; /* of parts 0 to p; 0: nothing was seen there, or the value is not observed */
    float low, high;
};

struct convergence {
    size_t n_values;
    struct convergence_value *values; /* [n_values] of the graph; NULL: not known */
    uint64_t records[OBSERVE_PARTS];  /* good ones in the blocks of parts 0 to p */
    double moved;                     /* by the second half of the parts, see convergence_find_movement */
    int most;                         /* the value that moved so; -1: there is none */
};

/* Collective; parts are the same on every rank, whole and derived. Nothing is known where parts is NULL, or where the
 * method does not look at records. EX_OSERR and what methods fail with. */
int convergence_find(const struct comm *comm, const struct threshold_method *method, double percentile,
                     const struct observe_parts *parts, struct convergence *out, struct error *err);
void convergence_fini(struct convergence *convergence); /* may be called on {0} and twice */

/* Collective. The largest |T - T'| / T over all values, T of all parts and T' of the first half of them. */
int convergence_find_movement(const struct comm *comm, const struct threshold_method *method, double percentile,
                              const struct observe_parts *parts, double *moved, struct error *err);

/* The least p for which no threshold of parts 0 to q, q >= p, is further than `limit` (relative) from the last one. */
size_t convergence_settled(const struct convergence *convergence, double limit);

#endif
