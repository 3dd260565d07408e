/* run_private.h — one run, shared by the steps of it: run.c tells the stories, run_load.c, run_data.c, run_steps.c,
 * run_refine.c, run_records.c, run_models.c and run_write.c are what happens in them.
 */
#ifndef ETALON_RUN_PRIVATE_H
#define ETALON_RUN_PRIVATE_H

#include "coordinator/apart.h"
#include "coordinator/checkpoint.h"
#include "coordinator/evaluate.h"
#include "coordinator/report.h"
#include "worker/observe.h"

struct run {
    const struct comm *comm;
    const struct run_request *request; /* the caller's, until run_take_data completes it */
    struct run_request completed;
    const char *preprocess_origin, *dataset_origin; /* the layer that they were taken from; NULL: the job gives them */
    struct graph *graph, *original; /* the latter as it was imported; NULL unless it is evaluated, too */
    /* The user's network, which fp32 and all errors are of, where `graph` is equalized: where a clip cuts what reaches
     * further than it did in the sample, the two differ. NULL: it is `graph`. */
    struct graph *reference;
    const struct equalized_value **of_reference;  /* [n_values] as equalization_trace; NULL: it is `graph` */
    struct comm_shared constants, rewritten;      /* of the user's graph, and of the equalized one, where ranks of one
                                                   * machine      share them */
    struct dataset *dataset, *evaluation_dataset; /* the latter may be the former, or NULL: skipped */
    /* [graph->n_inputs], and of the latter one more where there are label pictures */
    struct feed_input inputs[DATASET_MAX_INPUTS], evaluation_inputs[DATASET_MAX_INPUTS];
    struct metric_task task; /* of the evaluation */
    struct class_map classes;
    struct output *output;                 /* rank 0 of calibrate only */
    struct checkpoint *checkpoint;         /* of calibrate, while it measures */
    bool keeps_checkpoints;                /* calibrate, on every rank */
    struct equalization equalization;      /* what was done to the graph before it was measured */
    struct apart apart;                    /* where some targets want the graph equalized, and others do not */
    struct observation *measured;          /* of apart.watched, or of the graph */
    const struct observation *observation; /* of the graph: the same, or apart.plain */
    struct convergence convergence;        /* of its thresholds, once run_decide has begun */
    struct pass_result records;
    struct evaluation evaluation;
    bool is_evaluated;
    struct report_target targets[RUN_MAX_TARGETS];
    struct run_variant { /* of the target of the same index, where it has one: what it borrows lives in its plan */
        struct profile profile;
        struct plan plan;
    } variants[RUN_MAX_TARGETS];
    struct run_ready { /* of a ready-made model: its own graph and plan; the target's is its projection on `graph` */
        struct graph *graph;
        struct plan *plan;
    } ready[RUN_MAX_TARGETS];
    const char *importer;                                           /* name of the one that read the model */
    char model[65], measurement[65], statistics[65], decisions[65]; /* fingerprints */
    char probe[65];                                                 /* measure_probe's digest */
    bool may_reuse; /* the folder has an archive of these statistics: of another job, or of this one with files missing
                     */
    bool has_no_data; /* emit: what needs records cannot be decided, though there may be a dataset to ship some of */
    struct archive earlier; /* of an archive with these statistics: its targets and its equalization alone */
    struct run_times times;
    double mpi_before; /* comm_seconds, when the run began: a zoo has many */
};

void run_fini(struct run *run); /* all that the run has come to own */

/* --- run_load.c --- */

/* The graph, normalised, of at most DATASET_MAX_INPUTS inputs, and the model's fingerprint. Local. */
int run_import_model(struct run *run, struct error *err);
/* Collective. Model and datasets, the same for all ranks, and the fingerprints. */
int run_load(struct run *run, struct error *err);

/* Collective. Those of the request, the evaluation's unless it is skipped. */
int run_open_datasets(struct run *run, struct error *err);

/* --- run_data.c --- */

/* Room for one record of every input of the network; freed in any case, after a failure too. */
int run_create_rows(const struct run *run, float *rows[DATASET_MAX_INPUTS], struct error *err);
void run_free_rows(float *rows[DATASET_MAX_INPUTS]);

/* The request's preprocessing alone, its presets expanded, as far as it is known without data: for emit. */
int run_take_preprocess(struct run *run, struct error *err);
/* Completes the request by what the model says of its data. EX_CONFIG: nobody names a dataset, a preset that the
 * network's input does not suit. */
int run_take_data(struct run *run, struct error *err);

/* --- run_steps.c: collective --- */

/* What an archive has measured, and how its network was equalized; its decisions. Local. */
int run_take_archive(struct run *run, struct archive *archive, struct error *err);
/* The channels between layers brought to like ranges, where the job asks for it: as the archive has it that was
 * taken, else found anew. Before anything is measured. */
int run_equalize(struct run *run, struct error *err);
/* Once all is measured: what each network's share of it is. */
int run_see(struct run *run, struct error *err);
/* Statistics; those of the archive in the output folder where `may_reuse` and they fit. Where the run keeps
 * checkpoints: from the one in the output folder, if there is one; keeps one there until the results are written. */
int run_measure(struct run *run, bool may_reuse, struct error *err);
/* Is it decided about apart.graph, rather than about the graph, what becomes of target `i`? */
bool run_is_apart(const struct run *run, size_t i);
struct pass_request run_pass_over(const struct run *run, struct dataset *dataset, const struct feed_input *inputs,
                                  const char *what);
/* How thresholds converge, and a plan per target. A target that cannot express the model is noted; the others go on. */
int run_decide(struct run *run, struct error *err);
/* Accuracy and errors, unless the job skips them. */
int run_score(struct run *run, bool with_choices, struct error *err);

/* --- run_ready.c --- */

/* Collective. The plans of the request's ready-made models. */
int run_read_ready(struct run *run, struct error *err);
void run_ready_fini(struct run_ready *ready);

/* --- run_records.c --- */

/* Collective, for emit: opens the request's dataset, and completes the request by what the model says of its data. They
 * must be what the archive's statistics are of, whose fingerprints and records the run has; `measured` is the request
 * of the run that took them. EX_DATAERR: other records, or read or preprocessed in another way. */
int run_find_records(struct run *run, const struct run_request *measured, struct error *err);

/* One rank's, for the targets that it writes. A record that is not the one that was measured is EX_DATAERR. */
struct record_reader {
    struct emit_records records; /* what a target is given; valid where the reader lies, until fini */
    const struct run *run;
    struct feed *feed;
};
int record_reader_init(struct record_reader *reader, const struct run *run, struct error *err);
void record_reader_fini(struct record_reader *reader);
/* Do records of the calibration set hold anything but bytes? Where there are data, its first record that can be read
 * tells; where there are none, the request: arrays may unless it says that they are uint8, and so may what it does not
 * name. EX_IOERR, EX_NOINPUT: the dataset is gone; EX_OSERR. */
int run_may_be_reals(const struct run *run, bool *may_be, struct error *err);

/* --- run_models.c --- */

/* Collective. The archive, by rank 0, and the models of all planned targets, dealt out to the ranks that see the output
 * folder. Codes of weights are let go: nothing reads them afterwards. A target that turns
 * out not to be expressible is noted, and nothing is left of it; the others go on. */
int run_write_models(struct run *run, struct error *err);
/* Says which targets have failed since it was called last, and why: a reason once, however many share it. Rank 0 says
 * it. */
void run_report_failures(struct run *run);
/* EX_UNAVAILABLE naming the targets that failed. */
int run_verdict(const struct run *run, struct error *err);

/* --- run_refine.c: collective --- */

/* What the data decides of plans that thresholds and scales have made, where no archive has it. */
int run_decide_by_data(struct run *run, struct error *err);

/* --- run_write.c --- */

struct report run_report(struct run *run);
/* Collective. What is in the output folder already: nothing, or the results of this job; EX_CANTCREAT: of another. */
int run_check_finished(struct run *run, bool *is_finished, struct error *err);
/* Collective. Everything into the output folder; `started`: when writing began, in seconds of clock.h. */
int run_write(struct run *run, double started, struct error *err);

#endif
