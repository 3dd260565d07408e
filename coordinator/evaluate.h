/* evaluate.h — fp32 and every target in lockstep over a dataset: accuracy, agreement, per-layer error.
 */
#ifndef ETALON_EVALUATE_H
#define ETALON_EVALUATE_H

#include "common/plan.h"
#include "coordinator/pass.h"
#include "worker/metrics/metric.h"

struct evaluation {
    size_t n_values, n_targets;
    struct value_error *errors; /* [n_targets][n_values]: each value of each target against fp32 */
    struct metric_task task;
    uint64_t *counts; /* [1 + n_targets][metrics_words(task)]: of the outputs, fp32 first */
    struct pass_result records;
    uint64_t
        *choices; /* [1 + n_targets][n_records]: each network's arg-max on each record, fp32 first; NULL unless asked */
};

struct evaluate_request {
    struct pass_request pass;
    struct metric_task task; /* evaluate_task, and what the job asks for */
    size_t n_targets;
    /* [n_targets], of the pass's graph, or of graphs that plan_match_values knows how to compare with it: then errors
     * are those of the values that they have as well. */
    struct plan *const *plans;
    bool with_choices;
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

/* State of all metrics of one network: 0 is fp32, 1 + i target i. */
static inline uint64_t *evaluation_counts(const struct evaluation *e, size_t network)
{
    return &e->counts[network * metrics_words(&e->task)];
}

#endif
