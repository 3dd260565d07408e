/* run_ready.c — ready-made quantized models in place of what the job's targets would become; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/memory.h"
#include "coordinator/plan_read.h"
#include "worker/simulate.h"

#include <stdlib.h>

/* The job's inputs are those of the network, whoever has written it down. */
static struct graph *import_network(const struct run_request *q, const struct ready_model *ready, struct error *err)
{
    struct model_request request = {.file = ready->file,
                                    .weights = ready->weights,
                                    .is_unbatched = q->model.is_unbatched,
                                    .n_inputs = q->model.n_inputs};
    struct graph *graph;

    for (size_t i = 0; i < request.n_inputs; i++) {
        request.inputs[i].name = q->model.inputs[i].name;
        request.inputs[i].shape = q->model.inputs[i].shape;
    }
    graph = model_import(&request, err);
    if (graph == NULL)
        return NULL;
    graph->keeps_codings = true;
    if (graph_normalise(graph, err) == 0)
        return graph;
    error_in(err, "%s", ready->file);
    graph_destroy(graph);
    return NULL;
}

/* Numbers and codes alone: the network is the job's. */
static struct graph *import_numbers(const struct run_request *q, const struct target *target,
                                    const struct ready_model *ready, struct error *err)
{
    struct graph *graph = model_import(&q->model, err);

    if (graph != NULL && graph_normalise(graph, err) == 0 && target->read_numbers(graph, ready->file, err) == 0) {
        graph->keeps_codings = true;
        return graph;
    }
    graph_destroy(graph);
    return NULL;
}

static struct graph *import(const struct run_request *q, const struct target *target, const struct ready_model *ready,
                            struct error *err)
{
    if (!target->is_read_back) {
        error_set(err, EX_UNAVAILABLE, "%s: models for this target are not read back in this version", ready->file);
        return NULL;
    }
    if (target->read_numbers != NULL && ready->weights == NULL && target->holds_numbers(ready->file))
        return import_numbers(q, target, ready, err);
    return import_network(q, ready, err);
}

/* The plan, and what the report says of it in terms of the job's network. */
static int read_plan(struct run *run, size_t i, struct error *err)
{
    const struct run_request *q = run->request;
    struct run_ready *ready = &run->ready[i];
    int *of_own = memory_create(run->graph->n_values, sizeof *of_own, "values", err), rc = -1;

    if (of_own == NULL)
        return -1;
    ready->plan = plan_read(ready->graph, target_profile(q->targets[i], &q->target_settings), err);
    if (ready->plan != NULL && plan_match_values(run->graph, ready->graph, of_own, err) == 0 &&
        plan_read_hidden_zeros(ready->plan, run->graph, of_own, err) == 0 && simulator_check(ready->plan, err) == 0)
        run->targets[i].plan = plan_project(ready->plan, run->graph, of_own, err);
    rc = run->targets[i].plan == NULL ? error_in(err, "%s", q->ready[i].file) : 0;
    free(of_own);
    return rc;
}

int run_read_ready(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    int rc = 0;

    convergence_fini(&run->convergence); /* nothing is known of it */
    for (size_t i = 0; rc == 0 && i < q->n_ready; i++) {
        run->targets[i].target = q->targets[i];
        run->ready[i].graph = import(q, q->targets[i], &q->ready[i], err);
        if (run->ready[i].graph == NULL || read_plan(run, i, err) != 0)
            rc = error_in(err, "target %s", q->targets[i]->name);
    }
    return comm_agree(run->comm, rc, err);
}

void run_ready_fini(struct run_ready *ready)
{
    plan_destroy(ready->plan);
    graph_destroy(ready->graph);
}
