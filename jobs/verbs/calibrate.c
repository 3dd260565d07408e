/* calibrate.c — `etalon calibrate`: the whole job. */
#include "jobs/job.h"
#include "jobs/slurm.h"
#include "jobs/verb.h"

#include <stdio.h>
#include <string.h>

/* The option is the key of the job by another name. */
static int add_stop(struct option_list *sets, const char *limit, char *set, size_t size, struct error *err)
{
    if (limit == NULL)
        return 0;
    if (sets->n == OPTION_LIST_MAX)
        return error_set(err, EX_USAGE, "--stop-when-stable: there are %d times --set already", OPTION_LIST_MAX);
    if (snprintf(set, size, "calibration.stop_when_stable=%s", limit) >= (int)size)
        return error_set(err, EX_USAGE, "--stop-when-stable takes a fraction, found \"%.32s...\"", limit);
    sets->items[sets->n++] = set;
    return 0;
}

/* The same calibration as a batch script. */
static int print_script(const char *partition, const char *job_file, const struct option_list *sets, bool force,
                        const struct run_request *request, struct error *err)
{
    const char *words[2 * OPTION_LIST_MAX + 2];
    struct slurm_partition known;
    size_t n = 0;

    words[n++] = job_file;
    if (force)
        words[n++] = "--force";
    for (size_t i = 0; i < sets->n; i++) {
        words[n++] = "--set";
        words[n++] = sets->items[i];
    }
    if (slurm_ask(partition, &known, err) != 0)
        return -1;
    return slurm_print(&known, request->model_name, words, n, stdout, err);
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct option_list sets = {0};
    bool force = false, dry_run = false, wants_help = false;
    const char *words[1], *resume = "auto", *stop = NULL, *partition = NULL;
    char stop_set[96];
    size_t n_words;
    const struct option options[] = {
        {"set", 0, OPTION_LIST, &sets, "KEY=VALUE", "override a key of the job file, e.g. calibration.activations=kl"},
        {"force", 0, OPTION_FLAG, &force, NULL,
         "replace a finished output folder, or a checkpoint, of another model, dataset or job"},
        {"resume", 0, OPTION_TEXT, &resume, "HOW",
         "auto: go on from the folder's checkpoint (default); never: start anew"},
        {"stop-when-stable", 0, OPTION_TEXT, &stop, "X",
         "end the data pass once twice the records move no threshold by more than X, e.g. 0.02"},
        {"slurm", 0, OPTION_TEXT, &partition, "PARTITION",
         "print the batch script for this partition, and do nothing else"},
        {"dry-run", 0, OPTION_FLAG, &dry_run, NULL, "read model and dataset, tell what would happen, write nothing"},
        {0},
    };
    struct job *job = NULL;
    bool is_finished;
    int rc = options_read(argc, argv, options, words, 1, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return verb_help(comm, "calibrate JOB.yaml [options]",
                         "Measures activations over the calibration set, decides thresholds, simulates int8, and\n"
                         "writes one quantized model per target, archive.h5 and report.json.\n\n"
                         "Example: mpirun -n 4 etalon calibrate resnet20.yaml --set calibration.activations=kl\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = error_set(err, EX_USAGE, "calibrate needs one job file");
    if (rc == 0 && strcmp(resume, "auto") != 0 && strcmp(resume, "never") != 0)
        rc = error_set(err, EX_USAGE, "--resume takes auto or never, found \"%s\"", resume);
    if (rc == 0 && partition != NULL && (dry_run || strcmp(resume, "never") == 0))
        rc = error_set(err, EX_USAGE, "--slurm prints a job that goes on where it was stopped: without --%s",
                       dry_run ? "dry-run" : "resume never");
    if (rc == 0)
        rc = add_stop(&sets, stop, stop_set, sizeof stop_set, err);
    if (rc == 0 && (job = job_read(words[0], sets.items, sets.n, err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        job_request(job)->force = force;
        job_request(job)->starts_anew = strcmp(resume, "never") == 0;
        if (partition != NULL)
            rc = comm->rank > 0 ? 0 : print_script(partition, words[0], &sets, force, job_request(job), err);
        else if (dry_run)
            rc = run_describe(comm, job_request(job), stdout, err);
        else
            rc = run_calibrate(comm, job_request(job), stdout, &is_finished, err);
    }
    job_destroy(job);
    return rc;
}

const struct verb verb_calibrate = {
    "calibrate",
    "measure, decide, simulate, and write models for every target",
    true,
    run,
};
