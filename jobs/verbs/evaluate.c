/* evaluate.c — `etalon evaluate`: accuracy and per-layer error, without writing anything. */
#include "jobs/job.h"
#include "jobs/verb.h"

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct option_list sets = {0};
    bool json = false, wants_help = false;
    const char *words[1], *choices = NULL;
    size_t n_words;
    const struct option options[] = {
        {"set", 0, OPTION_LIST, &sets, "KEY=VALUE", "override a key of the job file, e.g. evaluate.dataset.limit=100"},
        {"choices", 0, OPTION_TEXT, &choices, "FILE", "write every record's arg-max of every network there"},
        {"json", 0, OPTION_FLAG, &json, NULL, "print what report.json would hold"},
        {0},
    };
    struct job *job = NULL;
    int rc = options_read(argc, argv, options, words, 1, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return comm->rank > 0
                   ? 0
                   : verb_help(
                         "evaluate JOB.yaml [options]",
                         "Runs fp32 and every target of the job on the evaluation set and prints top-k accuracy,\n"
                         "agreement and per-layer error. Statistics come from the archive in the job's output folder\n"
                         "when it fits the job, otherwise from a pass over the calibration set. Writes nothing.\n\n"
                         "Example: etalon evaluate resnet20.yaml --json\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = error_set(err, EX_USAGE, "evaluate needs one job file");
    if (rc == 0 && (job = job_read(words[0], sets.items, sets.n, err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = run_evaluate(comm, job_request(job), json, choices, stdout, err);
    job_destroy(job);
    return rc;
}

const struct verb verb_evaluate = {
    "evaluate",
    "accuracy of fp32 and every target, and where it is lost",
    true,
    run,
};
