/* share.h — a list of independent searches, dealt out to ranks by what they cost.
 *
 * The list is cut into strips of about equal cost, which go to one rank after the other. Several strips a rank, for
 * costs are estimates: searches that cost more or less than was thought are neighbours, mostly. A search is a pure
 * function, so who does it leaves no trace in the results.
 */
#ifndef ETALON_SHARE_H
#define ETALON_SHARE_H

#include "coordinator/comm.h"

enum { SHARE_STRIPS = 8 }; /* a rank has, where there are as many searches */

struct share_work {
    void *context;
    size_t n;
    uint64_t (*cost)(void *context, size_t i);                 /* in any unit; the same on every rank */
    int (*search)(void *context, size_t i, struct error *err); /* fills the i-th result */
    void *results;                                             /* [n] of `bytes` each, plain data */
    size_t bytes;
};

/* Collective. Afterwards every rank has all results. */
int share_run(const struct comm *comm, const struct share_work *work, struct error *err);

/* Calls visit for every search in order, with the rank that does it. A strip holds the searches whose middle, on the
 * scale of costs added up, lies in its part of the sum: no strip has more than an equal part and one search. Local. */
int share_deal(const struct share_work *work, size_t ranks,
               int (*visit)(void *context, size_t i, size_t rank, struct error *err), void *context, struct error *err);

#endif
