/* observe.h — what one rank has seen of every activation: statistics that merge.
 *
 * One observation per engine thread while running, merged into one per rank, reduced into one per run. Which values are
 * observed is decided once, from the graph: every float activation that is computed by a node or enters the graph.
 */
#ifndef ETALON_OBSERVE_H
#define ETALON_OBSERVE_H

#include "common/equalize.h"
#include "common/exact_sum.h"
#include "common/histogram.h"
#include "worker/extras.h"
#include "worker/observe_parts.h"
#include "worker/ranges.h"

struct observation {
    const struct graph *graph;   /* borrowed */
    size_t bins, channel_bins;   /* channel_bins 0: per tensor only */
    size_t first, last;          /* the values that it is of: [first, last); usually all */
    struct histogram *tensor;    /* [n_values]; bins == 0 where the value is not observed */
    struct histogram **channels; /* [n_values]: NULL, or [dims[1]] histograms */
    struct exact_sum **sums;     /* [n_values]: NULL, or [dims[1]] sums: of what CONV and DENSE nodes read */
    struct observe_parts *parts; /* NULL, or as observation_keep_parts has made them */
    struct extras *extras;       /* NULL, or as observation_collect has made them */
    struct ranges *ranges;       /* what a second pass has counted; NULL: there was none */
    /* private */
    const struct observation *lender;     /* of observation_lend; NULL: it has its own */
    struct histogram *counted;            /* where whole values are counted: tensor, or as observation_count_in says */
    uint8_t *derived;                     /* [n_values] what observation_derive will fill: bits of DERIVED_* */
    struct histogram_channels **counters; /* [n_values] of channels */
    double *scratch;                      /* one block's sums of one value */
};

struct observation *observation_create(const struct graph *graph, size_t bins, size_t channel_bins, struct error *err);
void observation_destroy(struct observation *observation); /* NULL is allowed */

/* The same of values [first, last) alone: a share of what was counted, to be merged and kept. It observes nothing. */
struct observation *observation_create_share(const struct graph *graph, size_t bins, size_t channel_bins, size_t first,
                                             size_t last, struct error *err);
/* What one value of a whole observation takes, parts included, negative halves not: 0 where it is not observed. */
uint64_t observation_bytes(const struct graph *graph, size_t bins, size_t channel_bins, size_t value);

/* Adds parts of the whole values, which observation_move fills; to where observation_has_wholes only. EX_OSERR. */
int observation_keep_parts(struct observation *observation, struct error *err);
/* Counts these kinds of extras (bits of EXTRAS_*), too; 0: none. EX_OSERR. */
int observation_collect(struct observation *observation, unsigned kinds, struct error *err);
/* Are whole values counted? Where they have the bins of their channels, they are but the sums of these, and there is
 * nothing that parts could be made of. */
bool observation_has_wholes(size_t bins, size_t channel_bins);

bool observation_covers(const struct graph *graph, int value);
size_t observation_channels(const struct graph *graph, int value); /* dims[1], or 1 for what has no channel axis */

/* The mean of channel c over all records and pixels; NaN where something was not finite. The value has sums. */
double observation_mean(const struct observation *observation, int value, size_t c);

/* An engine_observer; context is the observation. */
int observation_observe(void *context, int node, int value, const struct view *view, struct error *err);

/* Brings the histograms up to date: to be called after the last view, before anything is read or merged. */
void observation_settle(struct observation *observation);

/* Empty histograms for the whole values that the observation counts itself: [n_values], of no bins where it derives or
 * does not observe them. An observation without its sums of channels, which weigh more where layers are wide.
 * To be freed with observation_destroy_wholes. EX_OSERR. */
struct histogram *observation_create_wholes(const struct observation *observation, struct error *err);
void observation_destroy_wholes(struct histogram *wholes, size_t n_values); /* NULL is allowed */
/* From now on whole values are counted there (borrowed), until the next call; NULL: in the observation itself. */
void observation_count_in(struct observation *observation, struct histogram *wholes);
/* For one that counts them elsewhere only: lets its own room for them go, so that it may be merged and observed, but
 * not read, until observation_take_wholes. */
void observation_drop_wholes(struct observation *observation);
/* The whole values of `from`, and its parts, become those of `into`, which has dropped its own and has no parts. Of one
 * graph. */
void observation_take_wholes(struct observation *into, struct observation *from);

/* Moves what is counted in wholes[n_values], all of it in blocks of one part, to `into`, which keeps parts: into its
 * whole and that part. Of the same graph and bins; errors as histogram_merge. */
int observation_move(struct observation *into, size_t part, struct histogram *wholes, struct error *err);

/* Some values hold the same numbers as others: a reshape or transpose its input's, a concat its inputs'. Their
 * statistics follow exactly from those, so they are not observed (a third of all activations in SqueezeNet); this fills
 * them in, once, when all else is merged. EX_OSERR, EX_DATAERR as histogram_merge. */
int observation_derive(struct observation *observation, struct error *err);
/* The same for parts that are not the observation's own, but of its graph. */
int observation_derive_parts(const struct observation *observation, struct observe_parts *parts, struct error *err);

/* What a pass over `graph` would have seen, from what one over equalization_watch's copy of it has, complete: the same
 * bits. beside NULL: of the network itself; else of the equalized one, a copy of `graph`, with beside and of_value of
 * equalization_watch. Everything but sums of what changes is the lender's, who lives on; there are no ranges then, as
 * nothing that follows a vendor's tool is equalized. It may be read only; observation_return instead of
 * observation_destroy. EX_OSERR. */
struct observation *observation_lend(const struct observation *of, const struct graph *graph, const int *beside,
                                     const struct equalized_value *const *of_value, struct error *err);
void observation_return(struct observation *observation); /* NULL is allowed */

/* into += from: same graph, same bins; values, channels, parts and extras where both have them. */
int observation_merge(struct observation *into, const struct observation *from, struct error *err);

#endif
