/* report.h — what a run says of itself: report.json for dashboards and gates, run.json, manifest.json, and a table.
 *
 * report.json and manifest.json hold nothing that differs between equal runs; times, hosts and ranks are run.json's.
 */
#ifndef ETALON_REPORT_H
#define ETALON_REPORT_H

#include "common/equalize.h"
#include "coordinator/convergence.h"
#include "coordinator/evaluate.h"
#include "coordinator/run.h"

struct report_target {
    const struct target *target;
    char fingerprint[65]; /* of its decisions */
    bool is_replayed;     /* decided by an archive, its biases too */
    struct plan *plan;    /* NULL where the target cannot express the model */
    size_t evaluation;    /* index of the evaluation's targets; meaningless where plan is NULL */
    /* Where the profile does not know how the chip rounds, the same plan once more, rounded in the other way; its
     * results are behind those of all targets. */
    bool has_variant;
    size_t variant;             /* index of the evaluation's targets */
    char variant_name[64];      /* "floor" */
    struct error error;         /* code 0: none */
    bool is_failure_told;       /* to the user, while it runs */
    size_t first_file, n_files; /* its files in output_files */
};

struct report {
    const struct run_request *request;
    const struct graph *graph;
    const char *model_fingerprint, *measurement_fingerprint, *statistics_fingerprint, *decisions_fingerprint, *probe;
    const struct pass_result *records;   /* of the calibration set */
    const struct evaluation *evaluation; /* NULL: skipped */
    const struct equalization *equalization;
    const int *beside; /* apart.h; NULL: the equalization is of the graph itself */
    const struct convergence *convergence;
    size_t n_targets;
    struct report_target *targets;
    const struct output *output; /* NULL: no files (evaluate) */
};

/* The text of report.json; free() it. NULL with EX_OSERR. */
char *report_json(const struct report *report, struct error *err);
/* Accuracies in percent, one line a network, then the layers that lose most. */
void report_print(const struct report *report, FILE *out);

/* The text of manifest.json: every listed file with size and SHA-256, fingerprints, version. */
char *report_manifest(const struct report *report, struct error *err);

struct run_times { /* seconds of this rank */
    double load, measure, decide, evaluate, write;
};
struct rank_times { /* of one rank */
    char host[64];
    double mpi, passes,
        idle; /* seconds: in collective calls; in passes over data, engine threads added up; of these idle */
};
/* The text of run.json. `ranks` is of all ranks. The stages of a pass that was not made are zero. */
char *report_run(const struct comm *comm, const struct run_times *times, const struct rank_times *ranks,
                 const struct stages *calibration, const struct stages *evaluation, struct error *err);

#endif
