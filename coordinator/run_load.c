/* run_load.c — model, datasets and fingerprints; every rank has the same, or the run ends. See run_private.h. */
#include "coordinator/run_private.h"

#include "common/passes.h"
#include "coordinator/fingerprint.h"
#include "coordinator/inputs.h"
#include "coordinator/label_maps.h"
#include "coordinator/measure.h"
#include "coordinator/open_dataset.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Collective. With the network's shapes where it has been read before. */
static int open_dataset(const struct run *run, struct dataset_request request, struct dataset **dataset,
                        struct error *err)
{
    struct dataset_input inputs[DATASET_MAX_INPUTS];

    if (run->graph != NULL)
        inputs_give_shapes(run->graph, &request, inputs);
    return comm_open_dataset(run->comm, request, dataset, err);
}

/* Collective. With label pictures it is a set of its own, even where it is the calibration's. */
static int open_evaluation(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    struct dataset_request joined = q->evaluate.dataset;
    struct dataset_input inputs[DATASET_MAX_INPUTS];

    if (!dataset_is_given(&q->evaluate.dataset) && !label_maps_are_given(q)) {
        run->evaluation_dataset = run->dataset;
        return 0;
    }
    if (label_maps_are_given(q) && label_maps_join(run->graph, q, &joined, inputs, err) != 0)
        return -1; /* the same on every rank */
    return open_dataset(run, joined, &run->evaluation_dataset, err);
}

int run_open_datasets(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;

    if (open_dataset(run, q->dataset, &run->dataset, err) != 0)
        return run->dataset_origin == NULL
                   ? error_in(err, "dataset")
                   : error_in(err, "dataset, from %s of %s", run->dataset_origin, q->model.file);
    if (q->evaluate.is_skipped)
        return 0;
    return open_evaluation(run, err) == 0 ? 0 : error_in(err, "evaluation dataset");
}

int run_import_model(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    const struct importer *importer = model_importer(q->model.file, err);

    if (importer == NULL)
        return -1;
    run->importer = importer->name;
    run->graph = model_import(&q->model, err);
    if (run->graph == NULL || graph_normalise(run->graph, err) != 0)
        return -1;
    if (run->graph->n_inputs > DATASET_MAX_INPUTS) /* lists of inputs have this length, without data too */
        return error_set(err, EX_UNAVAILABLE, "%s: the network has %zu inputs, at most %d are fed", q->model.file,
                         run->graph->n_inputs, DATASET_MAX_INPUTS);
    if (q->evaluate.with_original && !q->evaluate.is_skipped && (run->original = model_import(&q->model, err)) == NULL)
        return -1;
    return fingerprint_model(run->request, run->model, err);
}

/* What is evaluated, and how the evaluation set feeds it. */
static int bind_evaluation(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;

    run->task = evaluate_task(run->graph);
    run->task.n_top_k = q->evaluate.n_top_k;
    memcpy(run->task.top_k, q->evaluate.top_k, sizeof run->task.top_k);
    run->task.is_segmentation = q->evaluate.segmentation.is_asked;
    run->task.has_label_maps = label_maps_are_given(q);
    if (metrics_check(&run->task, err) != 0)
        return -1;
    if (inputs_bind(run->graph, run->evaluation_dataset, q, run->evaluation_inputs, err) != 0)
        return error_in(err, "evaluation dataset");
    return run->task.has_label_maps ? label_maps_bind(run->evaluation_dataset, q, &run->task,
                                                      &run->evaluation_inputs[run->graph->n_inputs], &run->classes, err)
                                    : 0;
}

static int bind(struct run *run, struct error *err)
{
    if (inputs_bind(run->graph, run->dataset, run->request, run->inputs, err) < 0)
        return error_in(err, "dataset");
    return run->evaluation_dataset == NULL ? 0 : bind_evaluation(run, err);
}

/* Collective. Every rank must have computed rank 0's digest; `otherwise` says what a rank with another one does. */
static int check_digest(const struct comm *comm, const char digest[65], int code, const char *otherwise,
                        struct error *err)
{
    enum { PLACE_BYTES = 96 };
    char first[65], host[64] = "?", here[PLACE_BYTES], first_place[PLACE_BYTES];
    int rc = 0;

    gethostname(host, sizeof host - 1); /* a name that does not fit is cut */
    snprintf(here, sizeof here, "%s (%s)", host, engine_isa());
    memcpy(first, digest, sizeof first);
    memcpy(first_place, here, sizeof first_place);
    comm_broadcast(comm, first, sizeof first);
    comm_broadcast(comm, first_place, sizeof first_place);
    if (strcmp(first, digest) != 0)
        rc = error_set(err, code, "host %s %s; rank 0 is on host %s", here, otherwise, first_place);
    return comm_agree(comm, rc, err);
}

/* Of the statistics, and of all but the records. */
static int find_fingerprints(struct run *run, struct error *err)
{
    char dataset[65];

    if (fingerprint_measurement(run->request, run->model, run->dataset, run->probe, run->measurement, err) != 0 ||
        dataset_fingerprint(run->dataset, dataset, err) != 0)
        return -1;
    return fingerprint_statistics(run->measurement, dataset, run->statistics, err);
}

/* Ranks that read other files, or compute other bits, must not pour their statistics into one. */
static int check_ranks(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    const struct comm *comm = run->comm;
    int rc = comm_agree(comm, measure_probe(run->graph, q->calibration.block, run->probe, err), err);

    if (rc == 0)
        rc = check_digest(comm, run->probe, EX_UNAVAILABLE,
                          "computes other fp32 bits than rank 0; pin a common instruction set with engine.isa, and see "
                          "that both read the same model",
                          err);
    if (rc == 0)
        rc = comm_agree(comm, find_fingerprints(run, err), err);
    if (rc == 0)
        rc = check_digest(comm, run->statistics, EX_DATAERR, "reads another model, dataset or job than rank 0", err);
    if (rc == 0)
        rc = comm_agree(
            comm, fingerprint_decisions(q, run->statistics, run->evaluation_dataset, true, run->decisions, err), err);
    if (rc == 0)
        rc = check_digest(comm, run->decisions, EX_DATAERR, "reads another evaluation set or job than rank 0", err);
    return rc;
}

int run_load(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    /* An empty dataset is found before a large model is read; but the model may have to say what and how large it is.
     */
    bool opens_first = dataset_is_given(&q->dataset) && !inputs_need_shapes(&q->dataset) &&
                       !inputs_need_shapes(&q->evaluate.dataset) && !label_maps_are_given(q);
    int rc = comm_agree(run->comm, engine_pin_isa(q->isa, err), err);

    if (rc == 0 && opens_first)
        rc = run_open_datasets(run, err);
    if (rc == 0)
        rc = run_import_model(run, err);
    if (rc == 0)
        rc = run_take_data(run, err);
    rc = comm_agree(run->comm, rc, err);
    if (rc == 0 && run->dataset == NULL)
        rc = run_open_datasets(run, err);
    if (rc == 0)
        rc = comm_agree(run->comm, bind(run, err), err);
    return rc == 0 ? check_ranks(run, err) : rc;
}
