/* plan_groups.h — which scales are one scale; the second step of plan_decide.h.
 *
 * Every value has one scale, or one per channel (plan_mark_channels). Nodes that move codes tie the scales of their
 * inputs to those of their outputs, channel by channel where there are such: union-find over all scales of the graph.
 */
#ifndef ETALON_PLAN_GROUPS_H
#define ETALON_PLAN_GROUPS_H

#include "coordinator/plan_decide.h"

/* All arrays are [n_values] unless they say otherwise. */
struct plan_groups {
    const struct plan *plan;
    bool *is_per_channel;
    bool *is_read;          /* by something that does not only move codes, or from outside */
    bool *decides_arg_max;  /* see plan_mark_arg_max */
    bool *hides_zero_point; /* may hide it, as plan_mark_hidden_zeros says */
    size_t *first;          /* [n_values + 1]: the scales of value v are numbers first[v] up to first[v + 1] */
    size_t *family;         /* union-find over values any of whose scales are tied: they share their kind of codes */
    size_t *parent;         /* [n_scales]: union-find over scales; the root is the smallest number */
    size_t n_scales;
    struct scale_place *places; /* [n_scales] group after group by root; within a group values in execution order */
    size_t *end;                /* [n_scales]: where the places of the group with this root end; its size is in n */
    size_t *n;                  /* [n_scales]: places of the group with this root */
};

/* The marks of plan_mark are set. EX_OSERR. */
int plan_groups_init(struct plan_groups *groups, const struct plan *plan, const struct histogram *const *histograms,
                     const struct histogram *const *channel_histograms, struct error *err);
void plan_groups_fini(struct plan_groups *groups); /* may be called after a failure of plan_groups_init */

/* The root of a value's family. */
size_t plan_groups_family(const struct plan_groups *groups, int value);

#endif
