/* evaluate.h — fp32 and every target in lockstep over a dataset: accuracy, agreement, per-layer error.
 *
 * A layer's error is cumulative, with all integer layers before it, or local: of it alone, given what fp32 makes of its
 * inputs, as their codes. For the local ones each target is simulated a second time, step by step from fp32.
 */
#ifndef ETALON_EVALUATE_H
#define ETALON_EVALUATE_H

#include "common/equalize.h"
#include "common/plan.h"
#include "coordinator/pass.h"
#include "worker/metrics/metric.h"

struct evaluation {
    size_t n_values, n_targets;
    struct value_error *errors; /* [n_targets][n_values]: each value of each target against fp32; without elements where
                                 * it was not compared */
    struct value_error *local;  /* the same, of each node alone; NULL unless asked */
    bool has_original;
    struct value_error original; /* of the first output */
    struct metric_task task;
    uint64_t *counts; /* [evaluation_networks][metrics_words(task)]: of the outputs; see evaluation_counts */
    struct pass_result records;
    uint64_t *choices; /* [evaluation_networks][n_records]: their arg-max on each record; NULL unless asked */
};

struct evaluate_request {
    struct pass_request pass;
    struct metric_task task; /* evaluate_task, and what the job asks for */
    size_t n_targets;
    /* [n_targets], of the pass's graph, or of graphs that plan_match_values knows how to compare with it: then errors
     * are those of the values that they have as well. */
    struct plan *const *plans;
    /* [n_targets]: NULL, or, where a plan's graph is equalized and the pass's is not, by what its values are divided
     * (equalization_trace of the latter): so is fp32, before the two are compared. */
    const struct equalized_value *const *const *equalized;
    const struct graph *original; /* the network as it was imported, to be run in fp32 as well; NULL: not */
    bool with_choices, with_local_errors;
    bool skips_layers; /* errors of outputs alone: nothing else is turned, copied or compared */
};

/* What metrics need to know of a network: its first output. */
struct metric_task evaluate_task(const struct graph *graph);

/* Collective. Where the task has label maps, the pass has one input more than the network (pass_request.n_extra). Every
 * rank gets the same result. */
int evaluate_run(const struct comm *comm, const struct evaluate_request *request, struct evaluation *result,
                 struct error *err);
void evaluation_fini(struct evaluation *evaluation);

static inline const struct value_error *evaluation_error(const struct evaluation *e, size_t target, int value)
{
    return &e->errors[target * e->n_values + (size_t)value];
}

static inline const struct value_error *evaluation_local_error(const struct evaluation *e, size_t target, int value)
{
    return &e->local[target * e->n_values + (size_t)value];
}

static inline size_t evaluation_networks(const struct evaluation *e)
{
    return 1 + e->n_targets + e->has_original;
}

/* State of all metrics of one network: 0 is fp32, 1 + i target i, the last the original, if it is run. */
static inline uint64_t *evaluation_counts(const struct evaluation *e, size_t network)
{
    return &e->counts[network * metrics_words(&e->task)];
}

#endif
