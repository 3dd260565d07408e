/* evaluate.c — `etalon evaluate`: accuracy and per-layer error, without writing anything. */
#include "common/memory.h"
#include "jobs/job.h"
#include "jobs/verb.h"

#include <stdlib.h>
#include <string.h>

/* TARGET=FILE[,WEIGHTS], cut in place. */
static int read_ready(char *text, struct run_request *q, struct error *err)
{
    char *file = strchr(text, '='), *weights;
    const struct target *target;

    if (file == NULL || file[1] == '\0')
        return error_set(err, EX_USAGE, "--quantized %s: expected TARGET=FILE or TARGET=FILE,WEIGHTS", text);
    *file++ = '\0';
    weights = strchr(file, ',');
    if (weights != NULL)
        *weights++ = '\0';
    target = target_find(text);
    if (target == NULL || target->profile->quantized_ops == 0)
        return error_set(err, EX_USAGE, "--quantized: \"%s\" is no target with an arithmetic; see `etalon targets`",
                         text);
    for (size_t i = 0; i < q->n_ready; i++)
        if (q->targets[i] == target)
            return error_set(err, EX_USAGE, "--quantized: %s is given twice; a run compares one model a target", text);
    q->targets[q->n_ready] = target;
    q->ready[q->n_ready++] = (struct ready_model){file, weights};
    return 0;
}

/* The job's request with these models in place of its targets. `texts` are copied into *memory, which the request then
 * borrows from. */
static int take_ready(const char *const *texts, size_t n, struct run_request *q, char **memory, struct error *err)
{
    size_t bytes = 0;
    char *at;

    if (n > RUN_MAX_TARGETS)
        return error_set(err, EX_USAGE, "--quantized is given %zu times; at most %d", n, RUN_MAX_TARGETS);
    for (size_t i = 0; i < n; i++)
        bytes += strlen(texts[i]) + 1;
    at = *memory = memory_create(bytes, 1, "options", err);
    for (size_t i = 0; at != NULL && i < n; i++) {
        size_t size = strlen(texts[i]) + 1;

        memcpy(at, texts[i], size);
        if (read_ready(at, q, err) != 0)
            return -1;
        at += size;
    }
    if (n > 0)
        q->n_targets = n;
    return at == NULL ? -1 : 0;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct option_list sets = {0}, quantized = {0};
    struct run_request *request = NULL;
    char *memory = NULL;
    bool json = false, force = false, wants_help = false;
    const char *words[1], *choices = NULL;
    size_t n_words;
    const struct option options[] = {
        {"set", 0, OPTION_LIST, &sets, "KEY=VALUE", "override a key of the job file, e.g. evaluate.dataset.limit=100"},
        {"quantized", 0, OPTION_LIST, &quantized, "TARGET=FILE[,WEIGHTS]",
         "a ready-made quantized model, instead of the job's targets; may be repeated"},
        {"choices", 0, OPTION_TEXT, &choices, "FILE", "write every record's arg-max of every network there"},
        {"force", 0, OPTION_FLAG, &force, NULL, "replace that file"},
        {"json", 0, OPTION_FLAG, &json, NULL, "print what report.json would hold"},
        {0},
    };
    struct job *job = NULL;
    int rc = options_read(argc, argv, options, words, 1, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return verb_help(comm, "evaluate JOB.yaml [options]",
                         "Runs fp32 and every target of the job on the evaluation set and prints top-k accuracy,\n"
                         "agreement and per-layer error. Statistics come from the archive in the job's output folder\n"
                         "when it fits the job, otherwise from a pass over the calibration set. Writes nothing.\n\n"
                         "With --quantized, models that somebody has quantized already are run in the arithmetic of\n"
                         "the target that is named, beside the job's model in fp32.\n\n"
                         "Example: etalon evaluate resnet20.yaml --json\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = error_set(err, EX_USAGE, "evaluate needs one job file");
    if (rc == 0 && (job = job_read(words[0], sets.items, sets.n, err)) == NULL)
        rc = -1;
    if (rc == 0 && (request = memory_create(1, sizeof *request, "a request", err)) == NULL)
        rc = -1;
    if (rc == 0) {
        *request = *job_request(job);
        request->force = force;
        rc = take_ready(quantized.items, quantized.n, request, &memory, err);
    }
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = run_evaluate(comm, request, json, choices, stdout, err);
    free(memory);
    free(request);
    job_destroy(job);
    return rc;
}

const struct verb verb_evaluate = {
    "evaluate",
    "accuracy of fp32 and every target, and where it is lost",
    true,
    run,
};
