/* evaluate.h — fp32 and every target in lockstep over a dataset: accuracy, agreement, per-layer error.
 */
#ifndef ETALON_EVALUATE_H
#define ETALON_EVALUATE_H

#include "common/plan.h"
#include "coordinator/pass.h"
#include "worker/metrics.h"

struct evaluation {
    size_t n_values, n_targets;
    struct value_error *errors; /* [n_targets][n_values]: each value of each target against fp32 */
    struct accuracy fp32;
    struct accuracy *targets; /* [n_targets] */
    struct pass_result records;
    uint64_t
        *choices; /* [1 + n_targets][n_records]: each network's arg-max on each record, fp32 first; NULL unless asked */
};

/* Collective. plans[0..n_targets) of one graph. Every rank gets the same result. */
int evaluate_run(const struct comm *comm, const struct pass_request *request, struct plan *const *plans,
                 size_t n_targets, const size_t *top_k, size_t n_top_k, bool with_choices, struct evaluation *result,
                 struct error *err);
void evaluation_fini(struct evaluation *evaluation);

static inline const struct value_error *evaluation_error(const struct evaluation *e, size_t target, int value)
{
    return &e->errors[target * e->n_values + (size_t)value];
}

#endif
