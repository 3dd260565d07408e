/* evaluate.c — see evaluate.h. Each engine thread drives one simulator per target, node by node. */
#include "coordinator/evaluate.h"

#include "common/memory.h"
#include "coordinator/reduce.h"
#include "worker/simulate.h"

#include <math.h>
#include <stdlib.h>

struct lockstep { /* of the whole rank; threads merge into `result` when they end */
    const struct graph *graph;
    size_t batch, n_targets, n_top_k;
    uint64_t n_records;
    bool has_classes, are_probabilities; /* the first output */
    struct plan *const *plans;
    const size_t *top_k;
    struct evaluation *result;
};

struct lockstep_thread {
    const struct lockstep *shared;
    struct simulator **simulators; /* [n_targets] */
    struct evaluation mine;
    float *plain;    /* one fp32 value in plain order */
    size_t *choices; /* [batch]: fp32's arg-max */
};

static size_t output_elements(const struct graph *g)
{
    return (size_t)shape_elements(&g->values[g->outputs[0]].shape);
}

/* Sums only: a thread's share, or the whole. */
static int evaluation_init(struct evaluation *e, const struct lockstep *shared, struct error *err)
{
    *e = (struct evaluation){.n_values = shared->graph->n_values, .n_targets = shared->n_targets};
    e->errors = memory_create(e->n_targets * e->n_values, sizeof *e->errors, "error sums", err);
    e->targets = memory_create(e->n_targets, sizeof *e->targets, "accuracies", err);
    return e->errors == NULL || e->targets == NULL ? -1 : 0;
}

void evaluation_fini(struct evaluation *e)
{
    free(e->errors);
    free(e->targets);
    free(e->choices);
    pass_result_fini(&e->records);
    *e = (struct evaluation){0};
}

static void accuracy_merge(struct accuracy *into, const struct accuracy *from)
{
    into->records += from->records;
    into->labelled += from->labelled;
    into->agreements += from->agreements;
    into->lost += from->lost;
    into->gained += from->gained;
    into->diverging += from->diverging;
    exact_sum_merge(&into->divergence, &from->divergence);
    for (size_t i = 0; i < METRICS_MAX_TOP; i++)
        into->top_hits[i] += from->top_hits[i];
}

static void thread_destroy(void *context, void *state)
{
    struct lockstep *shared = context;
    struct lockstep_thread *t = state;

    if (shared->result->errors != NULL && t->mine.errors != NULL && t->mine.targets != NULL) {
        for (size_t i = 0; i < t->mine.n_targets * t->mine.n_values; i++)
            value_error_merge(&shared->result->errors[i], &t->mine.errors[i]);
        for (size_t i = 0; i < t->mine.n_targets; i++)
            accuracy_merge(&shared->result->targets[i], &t->mine.targets[i]);
        accuracy_merge(&shared->result->fp32, &t->mine.fp32);
    }
    for (size_t i = 0; t->simulators != NULL && i < shared->n_targets; i++)
        simulator_destroy(t->simulators[i]);
    free(t->simulators);
    evaluation_fini(&t->mine);
    free(t->plain);
    free(t->choices);
    free(t);
}

static void *thread_create(void *context, struct error *err)
{
    struct lockstep *shared = context;
    struct lockstep_thread *t = memory_create(1, sizeof *t, "a lockstep", err);
    size_t largest = 0;

    if (t == NULL)
        return NULL;
    t->shared = shared;
    for (size_t v = 0; v < shared->graph->n_values; v++) {
        const struct value *value = &shared->graph->values[v];
        int64_t n = value->is_constant ? 0 : shape_elements(&value->shape);

        largest = n > (int64_t)largest ? (size_t)n : largest;
    }
    t->plain = memory_create(largest * shared->batch, sizeof *t->plain, "an activation", err);
    t->simulators = memory_create(shared->n_targets, sizeof *t->simulators, "simulators", err);
    t->choices = memory_create(shared->batch, sizeof *t->choices, "choices", err);
    if (t->plain == NULL || t->simulators == NULL || t->choices == NULL || evaluation_init(&t->mine, shared, err) != 0)
        goto fail;
    for (size_t i = 0; i < shared->n_targets; i++)
        if ((t->simulators[i] = simulator_create(shared->plans[i], shared->batch, err)) == NULL) {
            error_in(err, "target %s", shared->plans[i]->profile->name);
            goto fail;
        }
    return t;
fail:
    thread_destroy(context, t);
    return NULL;
}

/* The engine has computed `value` in fp32: every target computes the same node, and the two are compared. */
static int compare(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct lockstep_thread *t = context;
    size_t n = view->records * view->channels * view->spatial;

    if (t->shared->n_targets > 0)
        view_copy_plain(view, t->plain);
    for (size_t i = 0; i < t->shared->n_targets; i++) {
        struct simulator *s = t->simulators[i];
        struct value_error *e;

        if (node != GRAPH_NONE && simulator_step(s, node, err) != 0)
            return error_in(err, "target %s", t->shared->plans[i]->profile->name);
        e = &t->mine.errors[i * t->mine.n_values + (size_t)value];
        value_error_add(e, t->plain, simulator_value(s, value), n, simulator_code_use(s, value, e->used));
    }
    return 0;
}

/* Row `r` of a block by one network (0: fp32, 1...: targets), beside fp32's. */
static void score(const struct lockstep *shared, struct accuracy *a, const struct block *block, size_t r,
                  size_t network, const float *output, const float *fp32, size_t fp32_choice)
{
    size_t n = output_elements(shared->graph), choice = network == 0 ? fp32_choice : arg_max(output, n);
    int64_t label = block->labels[r];

    if (shared->result->choices != NULL) /* one record, one writer */
        shared->result->choices[network * shared->n_records + block->ordinals[r]] = choice;
    a->records++;
    a->agreements += choice == fp32_choice;
    if (network > 0 && shared->has_classes) {
        double divergence = output_divergence(fp32, output, n, shared->are_probabilities);

        if (isfinite(divergence)) {
            exact_sum_add(&a->divergence, divergence);
            a->diverging++;
        }
    }
    if (label < 0)
        return;
    a->labelled++;
    a->lost += fp32_choice == (size_t)label && choice != (size_t)label;
    a->gained += fp32_choice != (size_t)label && choice == (size_t)label;
    for (size_t k = 0; k < shared->n_top_k; k++)
        a->top_hits[k] += in_top_k(output, n, label, shared->top_k[k]);
}

static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    struct lockstep_thread *t = state;
    const float *fp32;
    size_t n = output_elements(t->shared->graph), *choices = t->choices;

    for (size_t i = 0; i < t->shared->n_targets; i++)
        if (simulator_begin(t->simulators[i], block->inputs, block->n_records, err) != 0)
            return -1;
    if (engine_run(engine, block->inputs, block->n_records, compare, t, err) != 0)
        return -1;
    fp32 = engine_output(engine, 0);
    for (size_t r = 0; r < block->n_records; r++) {
        choices[r] = arg_max(fp32 + r * n, n);
        score(t->shared, &t->mine.fp32, block, r, 0, fp32 + r * n, fp32 + r * n, choices[r]);
    }
    for (size_t i = 0; i < t->shared->n_targets; i++) {
        const float *output = simulator_value(t->simulators[i], t->shared->graph->outputs[0]);

        for (size_t r = 0; r < block->n_records; r++)
            score(t->shared, &t->mine.targets[i], block, r, 1 + i, output + r * n, fp32 + r * n, choices[r]);
    }
    return 0;
}

/* Is the output one score a class? A map of scores, or a list of boxes, has no distribution to compare. */
static bool has_classes(const struct graph *graph)
{
    const struct shape *shape = &graph->values[graph->outputs[0]].shape;
    size_t n_long = 0;

    for (size_t i = 0; i < shape->rank; i++)
        n_long += shape->dims[i] > 1;
    return n_long == 1;
}

static bool are_probabilities(const struct graph *graph)
{
    int producer = graph->values[graph->outputs[0]].producer;

    return producer != GRAPH_NONE && graph->nodes[producer].op == OP_SOFTMAX &&
           !graph->nodes[producer].attr.softmax.is_log;
}

int evaluate_run(const struct comm *comm, const struct pass_request *request, struct plan *const *plans,
                 size_t n_targets, const size_t *top_k, size_t n_top_k, bool with_choices, struct evaluation *result,
                 struct error *err)
{
    struct lockstep shared = {.graph = request->graph,
                              .batch = request->block_size,
                              .n_targets = n_targets,
                              .n_top_k = n_top_k,
                              .n_records = dataset_count(request->dataset),
                              .has_classes = has_classes(request->graph),
                              .are_probabilities = are_probabilities(request->graph),
                              .plans = plans,
                              .top_k = top_k,
                              .result = result};
    struct pass_worker worker = {&shared, thread_create, thread_destroy, thread_run};
    size_t n_choices = (1 + n_targets) * shared.n_records;
    int rc = evaluation_init(result, &shared, err);

    if (rc == 0 && with_choices &&
        (result->choices = memory_create(n_choices, sizeof *result->choices, "choices", err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);

    if (rc == 0)
        rc = pass_run(comm, request, &worker, &result->records, err);
    if (rc == 0)
        rc = reduce_metrics(comm, result->errors, n_targets * result->n_values, &result->fp32, 1, err);
    if (rc == 0)
        rc = reduce_metrics(comm, NULL, 0, result->targets, n_targets, err);
    if (rc == 0 && with_choices)
        comm_sum_uint64(comm, result->choices, n_choices); /* every other rank holds zeros there */
    return rc;
}
