/* zoo.c — `etalon zoo`: many jobs, every night. */
#include "common/log.h"
#include "common/memory.h"
#include "jobs/verb.h"
#include "jobs/zoo/zoo.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct zoo_options {
    struct option_list sets;
    const char *only, *part;
    bool force;
};

/* "2/10": the third of ten. */
static int read_part(const char *text, struct zoo_choice *choice, struct error *err)
{
    char end;

    choice->parts = 1;
    if (text == NULL)
        return 0;
    if (strspn(text, "0123456789/") != strlen(text) ||
        sscanf(text, "%6zu/%6zu%c", &choice->part, &choice->parts, &end) != 2 || choice->part >= choice->parts)
        return error_set(err, EX_USAGE, "--part: expected K/N, N below a million and K from 0 to N - 1, found \"%s\"",
                         text);
    return 0;
}

/* A pattern that nobody answers to would make a night in which nothing fails. */
static int check_only(const struct zoo *zoo, const char *only, struct error *err)
{
    for (size_t i = 0; i < zoo->n_jobs; i++)
        if (only == NULL || fnmatch(only, zoo->jobs[i].name, 0) == 0)
            return 0;
    return error_set(err, EX_USAGE, "--only %s: none of %zu jobs is called like this; the first is \"%s\"", only,
                     zoo->n_jobs, zoo->jobs[0].name);
}

/* Seconds by the last night that tells; a job that is new takes as long as the others do on average. */
static double *costs_of(const struct zoo *zoo, const json_t *before, struct error *err)
{
    double *costs = memory_create(zoo->n_jobs, sizeof *costs, "a list of jobs", err), sum = 0;
    size_t known = 0;

    for (size_t i = 0; costs != NULL && i < zoo->n_jobs; i++) {
        const json_t *job = json_object_get(json_object_get(before, "jobs"), zoo->jobs[i].name);

        costs[i] = json_number_value(json_object_get(job, "seconds"));
        known += costs[i] > 0;
        sum += costs[i];
    }
    for (size_t i = 0; costs != NULL && i < zoo->n_jobs; i++)
        if (costs[i] <= 0)
            costs[i] = known > 0 ? sum / (double)known : 1;
    return costs;
}

/* What the night amounts to: a job that failed decides over a gate that did. */
static int verdict(const struct zoo_night *night, struct error *err)
{
    enum { GATE_CODE = 1 };

    if (night->n_failed > 0)
        return error_set(err, night->code, "%zu job%s of the zoo failed", night->n_failed,
                         night->n_failed == 1 ? "" : "s");
    if (night->n_gates > 0)
        return error_set(err, GATE_CODE, "%zu gate%s of the zoo failed", night->n_gates,
                         night->n_gates == 1 ? "" : "s");
    return 0;
}

/* Rank 0, after all jobs: tells and writes what the night has brought. */
static int conclude(const struct zoo *zoo, const struct zoo_outcome *outcomes, const json_t *before, struct error *err)
{
    json_t *accepted;
    struct zoo_night night = {0};
    int rc = zoo_load(zoo, "accepted.json", &accepted, err);

    if (rc == 0)
        rc = zoo_night_create(zoo, outcomes, before, accepted, &night, err);
    if (rc == 0) {
        zoo_print(&night, stdout);
        rc = zoo_write(zoo, &night, err);
    }
    if (rc == 0)
        printf("%s/index.html\n", zoo->output);
    if (rc == 0)
        rc = verdict(&night, err);
    json_decref(night.root);
    json_decref(accepted);
    return rc;
}

/* A part of an array tells of its own jobs only, by its exit code; a call for all, when they are done, tells the rest.
 */
static int verdict_of_part(const struct zoo *zoo, const struct zoo_outcome *outcomes, struct error *err)
{
    for (size_t i = 0; i < zoo->n_jobs; i++)
        if (outcomes[i].code != 0)
            return error_set(err, outcomes[i].code, "%s: %s", zoo->jobs[i].name, outcomes[i].text);
    return 0;
}

static int run_zoo(const struct comm *comm, struct zoo *zoo, const struct zoo_options *options, struct error *err)
{
    struct zoo_choice choice = {.only = options->only, .force = options->force};
    json_t *before = NULL;
    double *costs = NULL;
    struct zoo_outcome *outcomes = NULL;
    int rc = read_part(options->part, &choice, err), lock = -1;

    if (rc == 0 && comm->rank == 0) { /* the others are told what follows from it */
        lock = zoo_lock(zoo, choice.parts > 1, err);
        rc = lock < 0 ? -1 : zoo_load(zoo, "zoo.json", &before, err);
    }
    if (rc == 0) {
        costs = costs_of(zoo, before, err);
        outcomes = memory_create(zoo->n_jobs, sizeof *outcomes, "a list of jobs", err);
        rc = costs == NULL || outcomes == NULL ? -1 : 0;
    }
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = zoo_run(comm, zoo, &choice, costs, outcomes, err);
    if (rc == 0) {
        if (choice.parts > 1)
            rc = verdict_of_part(zoo, outcomes, err);
        else if (comm->rank == 0)
            rc = conclude(zoo, outcomes, before, err);
        rc = comm_agree(comm, rc, err);
    }
    if (lock >= 0)
        close(lock);
    json_decref(before);
    free(costs);
    free(outcomes);
    return rc;
}

/* Rank 0. A night that is at work would change what is accepted. */
static int accept_alone(const struct zoo *zoo, const char *only, struct error *err)
{
    struct zoo_acceptance acceptance;
    int lock = zoo_lock(zoo, false, err), rc = lock < 0 ? -1 : zoo_accept(zoo, only, &acceptance, err);

    if (lock >= 0)
        close(lock);
    if (rc != 0)
        return rc;
    printf("%zu of %zu jobs accepted as they are\n", acceptance.n, zoo->n_jobs);
    if (acceptance.n_failed > 0)
        return error_set(err, acceptance.code, "%zu job%s not accepted, having failed on the last night",
                         acceptance.n_failed, acceptance.n_failed == 1 ? " is" : "s are");
    return 0;
}

static int accept(const struct comm *comm, const struct zoo *zoo, const struct zoo_options *options, struct error *err)
{
    return comm_agree(comm, comm->rank == 0 ? accept_alone(zoo, options->only, err) : 0, err);
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct zoo_options q = {0};
    bool wants_help = false, accepts = argc > 1 && strcmp(argv[1], "accept") == 0;
    const char *words[2];
    size_t n_words;
    const struct option options[] = {
        {"only", 0, OPTION_TEXT, &q.only, "PATTERN", "jobs whose name is like this, e.g. 'resnet*'"},
        {"part", 0, OPTION_TEXT, &q.part, "K/N", "the jobs of task K, from 0, of an array of N; no summary is written"},
        {"set", 0, OPTION_LIST, &q.sets, "KEY=VALUE", "override a key of every job"},
        {"force", 0, OPTION_FLAG, &q.force, NULL, "calibrate finished jobs again, too"},
        {0},
    };
    struct zoo *zoo = NULL;
    int rc = options_read(argc - accepts, argv + accepts, options, words, 2, &n_words, &wants_help, err);

    if (rc == 0 && wants_help)
        return verb_help(comm, "zoo [accept] ZOO.yaml [options]",
                         "Calibrates the jobs of a zoo whose results are not there or are no longer those of their\n"
                         "model, data and methods, holds all results against its gates, and writes zoo.json,\n"
                         "history.json, junit.xml and index.html. Exit code 1: a gate failed.\n"
                         "zoo accept: the results that are there are what later nights are compared with, but\n"
                         "for those of jobs that have failed.\n\n"
                         "Example: mpirun -n 8 etalon zoo nightly.yaml\n",
                         options);
    if (rc == 0 && n_words != 1)
        rc = n_words > 1
                 ? error_set(err, EX_USAGE, "zoo: expected one file, or \"accept\" and a file; found \"%s\"", words[0])
                 : error_set(err, EX_USAGE, "zoo needs one file: etalon zoo [accept] ZOO.yaml");
    if (rc == 0 && (zoo = zoo_read(words[0], q.sets.items, q.sets.n, err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = check_only(zoo, q.only, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = accepts ? accept(comm, zoo, &q, err) : run_zoo(comm, zoo, &q, err);
    zoo_destroy(zoo);
    return rc;
}

const struct verb verb_zoo = {"zoo", "many jobs, incremental, with gates", true, run};
