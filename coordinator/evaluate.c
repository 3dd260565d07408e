/* evaluate.c — see evaluate.h. Each engine thread drives one simulator per target, node by node, and a second one where
 * local errors are asked for. The plan of a ready-made model has a graph of its own: its simulator goes as far as the
 * value that corresponds to what fp32 has just computed. */
#include "coordinator/evaluate.h"

#include "common/memory.h"
#include "coordinator/plan_read.h"
#include "coordinator/reduce.h"
#include "worker/simulate.h"

#include <math.h>
#include <stdlib.h>

struct lockstep { /* of the whole rank; threads merge into `result` when they end */
    const struct evaluate_request *request;
    const struct graph *graph;
    size_t n_targets;
    uint64_t n_records;
    int **of_own;            /* [n_targets]: plan_match_values from `graph` to the plan's; NULL where they are one */
    struct engine *original; /* of the first thread, whose weights the others share; NULL: none yet */
    struct evaluation *result;
};

/* A simulator on its way through the graph of its plan. */
struct follower {
    struct simulator *simulator;
    int next; /* the node that it computes next */
};

struct lockstep_thread {
    const struct lockstep *shared;
    struct follower *followers; /* [n_targets] */
    struct follower *alone;     /* [n_targets]: which start each step from fp32; NULL unless asked */
    struct engine *original;    /* NULL unless asked */
    struct evaluation mine;
    float *plain;          /* one fp32 value in plain order */
    float *divided;        /* the same, as an equalized network has it */
    const float **outputs; /* [evaluation_networks]: the networks' first outputs of a block, fp32 first */
};

/* Sums only: a thread's share, or the whole. */
static int evaluation_init(struct evaluation *e, const struct lockstep *shared, struct error *err)
{
    *e = (struct evaluation){.n_values = shared->graph->n_values,
                             .n_targets = shared->n_targets,
                             .has_original = shared->request->original != NULL,
                             .task = shared->request->task};
    e->errors = memory_create(e->n_targets * e->n_values, sizeof *e->errors, "error sums", err);
    e->counts = memory_create(evaluation_networks(e) * metrics_words(&e->task), sizeof *e->counts, "metrics", err);
    if (shared->request->with_local_errors)
        e->local = memory_create(e->n_targets * e->n_values, sizeof *e->local, "error sums", err);
    return e->errors == NULL || e->counts == NULL || (shared->request->with_local_errors && e->local == NULL) ? -1 : 0;
}

void evaluation_fini(struct evaluation *e)
{
    free(e->errors);
    free(e->local);
    free(e->counts);
    free(e->choices);
    pass_result_fini(&e->records);
    *e = (struct evaluation){0};
}

static void evaluation_merge(struct evaluation *into, const struct evaluation *from)
{
    size_t n_counts = evaluation_networks(from) * metrics_words(&from->task);

    if (into->errors == NULL || into->counts == NULL || from->errors == NULL || from->counts == NULL)
        return; /* memory ended before the first record */
    for (size_t i = 0; i < from->n_targets * from->n_values; i++)
        value_error_merge(&into->errors[i], &from->errors[i]);
    for (size_t i = 0; into->local != NULL && from->local != NULL && i < from->n_targets * from->n_values; i++)
        value_error_merge(&into->local[i], &from->local[i]);
    value_error_merge(&into->original, &from->original);
    for (size_t i = 0; i < n_counts; i++)
        into->counts[i] += from->counts[i];
}

static void destroy_followers(struct follower *followers, size_t n)
{
    for (size_t i = 0; followers != NULL && i < n; i++)
        simulator_destroy(followers[i].simulator);
    free(followers);
}

/* NULL after a failure; what was made is freed. */
static struct follower *create_followers(const struct lockstep *shared, struct error *err)
{
    struct follower *followers = memory_create(shared->n_targets, sizeof *followers, "simulators", err);

    for (size_t i = 0; followers != NULL && i < shared->n_targets; i++) {
        followers[i].simulator = simulator_create(shared->request->plans[i], shared->request->pass.block_size, err);
        if (followers[i].simulator == NULL) {
            error_in(err, "target %s", shared->request->plans[i]->profile->name);
            destroy_followers(followers, i);
            return NULL;
        }
    }
    return followers;
}

static int create_original(struct lockstep *shared, struct lockstep_thread *t, struct error *err)
{
    const struct evaluate_request *request = shared->request;

    if (request->original == NULL)
        return 0;
    t->original = engine_create(request->original, request->pass.block_size, shared->original, err);
    if (t->original == NULL)
        return error_in(err, "the original network");
    if (shared->original == NULL)
        shared->original = t->original;
    return 0;
}

static void thread_destroy(void *context, void *state)
{
    struct lockstep *shared = context;
    struct lockstep_thread *t = state;

    evaluation_merge(shared->result, &t->mine);
    destroy_followers(t->followers, shared->n_targets);
    destroy_followers(t->alone, shared->n_targets);
    engine_destroy(t->original);
    evaluation_fini(&t->mine);
    free(t->plain);
    free(t->divided);
    free(t->outputs);
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
    t->plain = memory_create(largest * shared->request->pass.block_size, sizeof *t->plain, "an activation", err);
    t->divided = memory_create(largest * shared->request->pass.block_size, sizeof *t->divided, "an activation", err);
    t->outputs = memory_create(2 + shared->n_targets, sizeof *t->outputs, "outputs", err);
    t->followers = create_followers(shared, err);
    if (shared->request->with_local_errors)
        t->alone = create_followers(shared, err);
    if (t->plain != NULL && t->divided != NULL && t->outputs != NULL && t->followers != NULL &&
        (!shared->request->with_local_errors || t->alone != NULL) && create_original(shared, t, err) == 0 &&
        evaluation_init(&t->mine, shared, err) == 0)
        return t;
    thread_destroy(context, t);
    return NULL;
}

static const struct graph *graph_of(const struct lockstep *shared, size_t i)
{
    return shared->request->plans[i]->graph;
}

/* Value `value` of the fp32 graph as target `i` has it; GRAPH_NONE: it has no such value. */
static int place_of(const struct lockstep *shared, size_t i, int value)
{
    return shared->of_own[i] == NULL ? value : shared->of_own[i][value];
}

/* Simulates target `i` up to node `last`. */
static int advance(const struct lockstep *shared, struct follower *follower, size_t i, int last, struct error *err)
{
    while (follower->next <= last)
        if (simulator_step(follower->simulator, follower->next++, err) != 0)
            return error_in(err, "target %s", shared->request->plans[i]->profile->name);
    return 0;
}

/* t->plain as target `i` has it. */
static const float *as_target_has_it(const struct lockstep_thread *t, size_t i, int value, const struct view *view)
{
    const struct equalized_value *const *equalized = t->shared->request->equalized[i];
    const float *from = t->plain;
    float *to = t->divided;

    if (equalized == NULL || equalized[value] == NULL)
        return t->plain;
    for (size_t r = 0; r < view->records; r++)
        for (size_t c = 0; c < view->channels; c++) {
            float factor = ldexpf(1, -equalized_exponent(equalized[value], &t->shared->graph->values[value].shape, c));

            for (size_t k = 0; k < view->spatial; k++)
                *to++ = *from++ * factor;
        }
    return t->divided;
}

/* Brings target `i` to its value `own`, and compares it with fp32. *is_there: it is alive; a graph of its own may
 * compute in another order. */
static int follow(const struct lockstep_thread *t, struct follower *follower, size_t i, int own, size_t n,
                  const float *fp32, struct value_error *e, bool *is_there, struct error *err)
{
    const float *simulated;

    if (advance(t->shared, follower, i, graph_of(t->shared, i)->values[own].producer, err) != 0)
        return -1;
    simulated = simulator_value(follower->simulator, own);
    *is_there = simulated != NULL;
    if (*is_there)
        value_error_add(e, fp32, simulated, n, simulator_code_use(follower->simulator, own, e->used));
    return 0;
}

static bool is_compared(const struct lockstep *shared, int value)
{
    return !shared->request->skips_layers || graph_is_output(shared->graph, value);
}

/* The engine has computed `value` in fp32: every target computes the same node, and the two are compared. */
static int compare(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct lockstep_thread *t = context;
    size_t n = view->records * view->channels * view->spatial;

    (void)node;
    if (t->shared->n_targets == 0 || !is_compared(t->shared, value))
        return 0;
    view_copy_plain(view, t->plain);
    for (size_t i = 0; i < t->shared->n_targets; i++) {
        size_t at = i * t->mine.n_values + (size_t)value;
        int own = place_of(t->shared, i, value);
        const float *fp32;
        bool is_there;

        if (own == GRAPH_NONE)
            continue;
        fp32 = as_target_has_it(t, i, value, view);
        if (follow(t, &t->followers[i], i, own, n, fp32, &t->mine.errors[at], &is_there, err) != 0)
            return -1;
        if (t->alone == NULL)
            continue;
        if (follow(t, &t->alone[i], i, own, n, fp32, &t->mine.local[at], &is_there, err) != 0)
            return -1;
        if (is_there)
            simulator_replace(t->alone[i].simulator, own, fp32);
    }
    return 0;
}

/* Row `r` of a block, by all networks. */
static void score(struct lockstep_thread *t, const struct block *block, size_t r)
{
    const struct lockstep *shared = t->shared;
    const struct metric_task *task = &shared->request->task;
    size_t n = (size_t)shape_elements(&task->output),
           pixels = task->has_label_maps ? n / (size_t)task->output.dims[1] : 0;
    struct metric_sample sample = {.fp32 = t->outputs[0] + r * n, .label = block->labels[r]};

    if (pixels > 0)
        sample.label_map = block->inputs[shared->graph->n_inputs] + r * pixels;
    for (size_t network = 0; network < evaluation_networks(&t->mine); network++) {
        sample.output = t->outputs[network] + r * n;
        metrics_add(task, &sample, evaluation_counts(&t->mine, network));
        if (shared->result->choices != NULL) /* one record, one writer */
            shared->result->choices[network * shared->n_records + block->ordinals[r]] = arg_max(sample.output, n);
    }
}

/* The block's inputs are in the order of the fp32 graph. */
static int begin(const struct lockstep *shared, struct follower *follower, size_t i, const struct block *block,
                 struct error *err)
{
    const struct graph *graph = shared->graph, *own = graph_of(shared, i);
    const float *inputs[DATASET_MAX_INPUTS] = {NULL};

    for (size_t a = 0; a < graph->n_inputs; a++)
        for (size_t b = 0; b < own->n_inputs; b++)
            if (own->inputs[b] == place_of(shared, i, graph->inputs[a]))
                inputs[b] = block->inputs[a];
    follower->next = 0;
    return simulator_begin(follower->simulator, inputs, block->n_records, err);
}

static int begin_all(const struct lockstep_thread *t, const struct block *block, struct error *err)
{
    for (size_t i = 0; i < t->shared->n_targets; i++)
        if (begin(t->shared, &t->followers[i], i, block, err) != 0 ||
            (t->alone != NULL && begin(t->shared, &t->alone[i], i, block, err) != 0))
            return -1;
    return 0;
}

/* What targets compute behind the last value that fp32 has as well, and their outputs. */
static int end_all(struct lockstep_thread *t, struct error *err)
{
    int output = t->shared->graph->outputs[0];

    for (size_t i = 0; i < t->shared->n_targets; i++) {
        if (advance(t->shared, &t->followers[i], i, (int)graph_of(t->shared, i)->n_nodes - 1, err) != 0)
            return -1;
        t->outputs[1 + i] = simulator_value(t->followers[i].simulator, place_of(t->shared, i, output));
    }
    return 0;
}

/* Behind the other networks' outputs. */
static int run_original(struct lockstep_thread *t, const struct block *block, struct error *err)
{
    size_t n = (size_t)shape_elements(&t->shared->request->task.output);

    if (t->original == NULL)
        return 0;
    if (engine_run(t->original, block->inputs, block->n_records, NULL, NULL, err) != 0)
        return error_in(err, "the original network");
    t->outputs[1 + t->shared->n_targets] = engine_output(t->original, 0);
    value_error_add(&t->mine.original, t->outputs[0], t->outputs[1 + t->shared->n_targets], n * block->n_records, 0);
    return 0;
}

static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    struct lockstep_thread *t = state;

    if (begin_all(t, block, err) != 0)
        return -1;
    if (engine_run(engine, block->inputs, block->n_records, compare, t, err) != 0)
        return -1;
    t->outputs[0] = engine_output(engine, 0);
    if (end_all(t, err) != 0 || run_original(t, block, err) != 0)
        return -1;
    for (size_t r = 0; r < block->n_records; r++)
        score(t, block, r);
    return 0;
}

struct metric_task evaluate_task(const struct graph *graph)
{
    const struct value *output = &graph->values[graph->outputs[0]];
    const struct node *producer = output->producer == GRAPH_NONE ? NULL : &graph->nodes[output->producer];

    return (struct metric_task){.output = output->shape,
                                .are_probabilities =
                                    producer != NULL && producer->op == OP_SOFTMAX && !producer->attr.softmax.is_log};
}

static void match_fini(struct lockstep *shared)
{
    for (size_t i = 0; shared->of_own != NULL && i < shared->n_targets; i++)
        free(shared->of_own[i]);
    free(shared->of_own);
}

/* Where a plan has a graph of its own, which of its values is which. */
static int match(struct lockstep *shared, struct error *err)
{
    shared->of_own = memory_create(shared->n_targets, sizeof *shared->of_own, "values", err);
    for (size_t i = 0; shared->of_own != NULL && i < shared->n_targets; i++) {
        if (graph_of(shared, i) == shared->graph)
            continue;
        shared->of_own[i] = memory_create(shared->graph->n_values, sizeof **shared->of_own, "values", err);
        if (shared->of_own[i] == NULL ||
            plan_match_values(shared->graph, graph_of(shared, i), shared->of_own[i], err) != 0)
            return -1;
    }
    return shared->of_own == NULL ? -1 : 0;
}

int evaluate_run(const struct comm *comm, const struct evaluate_request *request, struct evaluation *result,
                 struct error *err)
{
    struct lockstep shared = {.request = request,
                              .graph = request->pass.graph,
                              .n_targets = request->n_targets,
                              .n_records = dataset_count(request->pass.dataset),
                              .result = result};
    struct pass_worker worker = {&shared, thread_create, thread_destroy, thread_run};
    size_t n_choices;
    int rc = evaluation_init(result, &shared, err);

    n_choices = evaluation_networks(result) * shared.n_records;
    if (rc == 0)
        rc = match(&shared, err);
    if (rc == 0 && request->with_choices &&
        (result->choices = memory_create(n_choices, sizeof *result->choices, "choices", err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);

    if (rc == 0)
        rc = pass_run(comm, &request->pass, &worker, &result->records, err);
    if (rc == 0)
        rc = reduce_errors(comm, result->errors, request->n_targets * result->n_values, err);
    if (rc == 0 && request->with_local_errors)
        rc = reduce_errors(comm, result->local, request->n_targets * result->n_values, err);
    if (rc == 0)
        rc = reduce_errors(comm, &result->original, 1, err);
    for (size_t i = 0; rc == 0 && i < evaluation_networks(result); i++)
        reduce_metrics(comm, &result->task, evaluation_counts(result, i));
    if (rc == 0 && request->with_choices)
        comm_sum_uint64(comm, result->choices, n_choices); /* every other rank holds zeros there */
    match_fini(&shared);
    return rc;
}
