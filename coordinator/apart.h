/* apart.h — an equalized network for those targets of a job that want one, beside the user's for the others.
 *
 * One pass measures both: the network that runs is the user's, and computes every value that equalization changes a
 * second time, divided (common/equalize.h: equalization_watch). Exponents are whole, so these are the bits that the
 * equalized network would compute, and each target is decided as if it had been alone.
 */
#ifndef ETALON_APART_H
#define ETALON_APART_H

#include "worker/observe.h"

struct apart {
    struct equalization equalization; /* owned */
    struct graph *watched;            /* the user's, and what is beside it; NULL: all targets share one network */
    struct graph *graph;              /* the equalized one: values and nodes as in the user's */
    const struct equalized_value **of_value; /* [n_values of the user's] as equalization_trace */
    int *beside;                             /* [n_values of the user's] values of `watched` */
    /* What was seen of either network; both borrow from what was seen of `watched`. */
    struct observation *plain, *observation;
};

/* The views go before what was seen of `watched`, the rest after it, and before the user's graph. */
void apart_end_views(struct apart *apart);
void apart_fini(struct apart *apart);

/* Local. `watched`, from the equalization, which is the same on every rank; nothing where it changes nothing. Errors as
 * equalization_trace. */
int apart_watch(struct apart *apart, const struct graph *graph, struct error *err);
/* Local. `graph`, once the constants of the user's are where they stay. EX_OSERR. */
int apart_rewrite(struct apart *apart, const struct graph *graph, struct error *err);
/* Local. The two views of what was seen of `watched`, complete. EX_OSERR. */
int apart_see(struct apart *apart, const struct graph *graph, const struct observation *seen, struct error *err);

#endif
