/* zoo_run.c — the jobs of a zoo over groups of ranks; see zoo.h.
 *
 * Twice each job is somebody's: first a single rank finds out whether its results are there, which takes milliseconds;
 * then what is left is calibrated by groups. Jobs are dealt to groups by what they cost, the dearest first to whoever
 * has least, so that all are busy for about as long.
 */
#include "jobs/zoo/zoo.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ---- who does what ---- */

struct dearest {
    double cost;
    size_t job;
};

static int by_cost(const void *a, const void *b)
{
    const struct dearest *x = a, *y = b;

    return x->cost > y->cost ? -1 : x->cost < y->cost ? 1 : (x->job > y->job) - (x->job < y->job);
}

/* owner[i] of each job that is wanted, of n owners; the same wherever the costs are. */
static int deal(const struct zoo *zoo, const double *costs, const bool *is_wanted, size_t n_owners, size_t *owner,
                struct error *err)
{
    struct dearest *order = memory_create(zoo->n_jobs, sizeof *order, "a list of jobs", err);
    double *load = memory_create(n_owners, sizeof *load, "a list of jobs", err);
    size_t n = 0;

    for (size_t i = 0; order != NULL && i < zoo->n_jobs; i++)
        if (is_wanted[i])
            order[n++] = (struct dearest){costs[i], i};
    if (order == NULL || load == NULL) {
        free(order);
        free(load);
        return -1;
    }
    qsort(order, n, sizeof *order, by_cost);
    for (size_t k = 0; k < n; k++) {
        size_t least = 0;

        for (size_t o = 1; o < n_owners; o++)
            if (load[o] < load[least])
                least = o;
        owner[order[k].job] = least;
        load[least] += order[k].cost;
    }
    free(order);
    free(load);
    return 0;
}

/* ---- one job ---- */

void zoo_note_failure(struct zoo_outcome *outcome, const struct error *err)
{
    outcome->code = err->code == 0 ? EX_SOFTWARE : err->code;
    snprintf(outcome->text, sizeof outcome->text, "%s", err->text);
}

/* Collective over the ranks of comm. */
static struct job *open_job(const struct comm *comm, const struct zoo *zoo, const struct zoo_job *from, bool force,
                            struct error *err)
{
    struct job *job = job_read_with(from->file, zoo->defaults, from->sets, from->n_sets, err);
    int rc = job == NULL ? -1 : 0;

    if (rc == 0 && strcmp(job_request(job)->isa, zoo->isa) != 0)
        rc = error_set(err, EX_CONFIG, "engine.isa: the zoo's first job has \"%s\", which is that of all; found \"%s\"",
                       zoo->isa, job_request(job)->isa);
    if (comm_agree(comm, rc, err) != 0) {
        job_destroy(job);
        return NULL;
    }
    job_request(job)->force = force;
    job_request(job)->may_replace = true;
    return job;
}

/* Is there anything to do? A job that cannot even be opened is done, too: it has failed. */
static bool look(const struct comm *comm, const struct zoo *zoo, size_t i, struct zoo_outcome *outcome)
{
    struct error err = {0};
    struct job *job = open_job(comm, zoo, &zoo->jobs[i], false, &err);
    bool is_finished = false, spoke;

    log_set_subject(zoo->jobs[i].name);
    spoke = log_speak_for_itself(true);
    if (job == NULL || run_is_finished(comm, job_request(job), &is_finished, &err) != 0) {
        zoo_note_failure(outcome, &err);
        log_warning("%s", outcome->text);
    }
    outcome->has_results = is_finished;
    log_speak_for_itself(spoke);
    log_set_subject(NULL);
    job_destroy(job);
    return outcome->code == 0 && !is_finished;
}

static void calibrate(const struct comm *comm, const struct zoo *zoo, size_t i, bool force, struct zoo_outcome *outcome)
{
    enum log_level level = log_level_now();
    double started = clock_seconds();
    struct error err = {0};
    struct job *job;
    bool is_finished = false, spoke;

    log_set_subject(zoo->jobs[i].name);
    log_set_level(level == LOG_INFO ? LOG_WARNING : level); /* what a job says in passing is too much of many */
    spoke = log_speak_for_itself(comm->rank == 0);
    job = open_job(comm, zoo, &zoo->jobs[i], force, &err);
    if (job == NULL || run_calibrate(comm, job_request(job), NULL, &is_finished, &err) != 0)
        zoo_note_failure(outcome, &err);
    job_destroy(job);
    outcome->was_run = 1;
    outcome->has_results = is_finished;
    outcome->seconds = clock_seconds() - started;
    log_set_level(level);
    if (outcome->code == 0)
        log_info("calibrated in %.1f s", outcome->seconds);
    else
        log_warning("%s", outcome->text);
    log_speak_for_itself(spoke);
    log_set_subject(NULL);
}

/* ---- all of them ---- */

struct zoo_work {
    const struct comm *world;
    const struct zoo *zoo;
    const struct zoo_choice *choice;
    const double *costs;
    struct zoo_outcome *outcomes;
    bool *is_wanted; /* [n_jobs] */
    size_t *owner;   /* [n_jobs] */
};

static int choose(struct zoo_work *w, struct error *err)
{
    const struct zoo_choice *choice = w->choice;

    for (size_t i = 0; i < w->zoo->n_jobs; i++)
        w->is_wanted[i] = choice->only == NULL || fnmatch(choice->only, w->zoo->jobs[i].name, 0) == 0;
    if (deal(w->zoo, w->costs, w->is_wanted, choice->parts, w->owner, err) != 0)
        return -1;
    for (size_t i = 0; i < w->zoo->n_jobs; i++)
        w->is_wanted[i] = w->is_wanted[i] && w->owner[i] == choice->part;
    return 0;
}

/* Every rank alone looks at its jobs; afterwards all know which are left. */
static void look_at_all(struct zoo_work *w)
{
    uint8_t *left = (uint8_t *)w->is_wanted;
    struct comm alone;

    _Static_assert(sizeof *w->is_wanted == 1, "whether is one byte, which ranks can unite");
    comm_enter_group(w->world, w->world->rank, &alone);
    for (size_t i = 0, k = 0; i < w->zoo->n_jobs; i++) {
        if (!w->is_wanted[i])
            continue;
        w->is_wanted[i] = false;
        if (k++ % (size_t)w->world->size != (size_t)w->world->rank)
            continue;
        w->outcomes[i].is_chosen = 1;
        w->is_wanted[i] = w->choice->force || look(&alone, w->zoo, i, &w->outcomes[i]);
    }
    comm_leave_group();
    comm_unite(w->world, left, w->zoo->n_jobs);
}

/* The jobs that are left, by groups. Of one job's outcome the first rank of its group tells. */
static int calibrate_all(struct zoo_work *w, struct error *err)
{
    size_t ranks = (size_t)w->world->size, n_left = 0, n_groups, mine;
    struct comm group;

    for (size_t i = 0; i < w->zoo->n_jobs; i++)
        n_left += w->is_wanted[i];
    if (n_left == 0)
        return 0;
    n_groups = ranks / (w->zoo->ranks_per_job < ranks ? w->zoo->ranks_per_job : ranks);
    n_groups = n_groups < n_left ? n_groups : n_left;
    if (comm_agree(w->world, deal(w->zoo, w->costs, w->is_wanted, n_groups, w->owner, err), err) != 0)
        return -1;
    mine = (size_t)w->world->rank * n_groups / ranks;
    comm_enter_group(w->world, (int)mine, &group);
    for (size_t i = 0; i < w->zoo->n_jobs; i++) {
        struct zoo_outcome outcome = {.is_chosen = 1};

        if (!w->is_wanted[i] || w->owner[i] != mine)
            continue;
        calibrate(&group, w->zoo, i, w->choice->force, &outcome);
        if (group.rank == 0)
            w->outcomes[i] = outcome;
        if (outcome.code == EX_TEMPFAIL)
            break;
    }
    comm_leave_group();
    return 0;
}

/* ---- the same zoo everywhere ---- */

/* The instruction set of the first job that can be read. */
static void find_isa(struct zoo *zoo)
{
    snprintf(zoo->isa, sizeof zoo->isa, "native");
    for (size_t i = 0; i < zoo->n_jobs; i++) {
        const struct zoo_job *from = &zoo->jobs[i];
        struct error ignored = {0}; /* whoever opens the job will tell */
        struct job *job = job_read_with(from->file, zoo->defaults, from->sets, from->n_sets, &ignored);

        if (job == NULL)
            continue;
        snprintf(zoo->isa, sizeof zoo->isa, "%s", job_request(job)->isa);
        job_destroy(job);
        return;
    }
}

/* Ranks that read other lists of jobs would wait for each other in different ones. Collective. */
static int check_list(const struct comm *comm, const struct zoo *zoo, struct error *err)
{
    struct sha256 *state = sha256_create(err);
    char mine[SHA256_HEX_BYTES] = "", first[SHA256_HEX_BYTES];

    if (comm_agree(comm, state == NULL ? -1 : 0, err) != 0) {
        if (state != NULL)
            sha256_finish(state, mine);
        return -1;
    }
    sha256_add(state, zoo->isa, sizeof zoo->isa);
    for (size_t i = 0; i < zoo->n_jobs; i++) {
        const struct zoo_job *job = &zoo->jobs[i];

        sha256_add(state, job->name, strlen(job->name) + 1);
        sha256_add(state, job->file, strlen(job->file) + 1);
        for (size_t k = 0; k < job->n_sets; k++)
            sha256_add(state, job->sets[k], strlen(job->sets[k]) + 1);
    }
    sha256_finish(state, mine);
    memcpy(first, mine, sizeof first);
    comm_broadcast(comm, first, sizeof first);
    return comm_agree(
        comm,
        strcmp(first, mine) == 0
            ? 0
            : error_set(err, EX_CONFIG, "this rank sees another list of %zu jobs than rank 0", zoo->n_jobs),
        err);
}

static bool was_stopped(const struct zoo *zoo, const struct zoo_outcome *outcomes)
{
    for (size_t i = 0; i < zoo->n_jobs; i++)
        if (outcomes[i].code == EX_TEMPFAIL)
            return true;
    return false;
}

int zoo_run(const struct comm *comm, struct zoo *zoo, const struct zoo_choice *choice, double *costs,
            struct zoo_outcome *outcomes, struct error *err)
{
    struct zoo_work w = {comm, zoo, choice, costs, outcomes, NULL, NULL};
    int rc;

    find_isa(zoo);
    if (check_list(comm, zoo, err) != 0)
        return -1;
    comm_broadcast(comm, costs, zoo->n_jobs * sizeof *costs);
    w.is_wanted = memory_create(zoo->n_jobs, sizeof *w.is_wanted, "a list of jobs", err);
    w.owner = memory_create(zoo->n_jobs, sizeof *w.owner, "a list of jobs", err);
    rc = comm_agree(comm, w.is_wanted == NULL || w.owner == NULL ? -1 : choose(&w, err), err);
    if (rc == 0) {
        memset(outcomes, 0, zoo->n_jobs * sizeof *outcomes);
        look_at_all(&w);
        rc = calibrate_all(&w, err);
    }
    if (rc == 0) {
        comm_unite(comm, outcomes, zoo->n_jobs * sizeof *outcomes);
        if (was_stopped(zoo, outcomes))
            rc = error_set(err, EX_TEMPFAIL, "stopped on request; the same command goes on from here");
    }
    free(w.is_wanted);
    free(w.owner);
    return rc;
}
