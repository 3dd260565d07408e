/* sums_checkpoint.c — see sums_checkpoint.h. */
#include "coordinator/sums_checkpoint.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "formats/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GENERATIONS = 2 };

static const char *const names[GENERATIONS] = {"checkpoint/refine0.h5", "checkpoint/refine1.h5"};
static const double shortest_interval = 60, worth_keeping = 10; /* seconds */
static const double intervals_of_cost = 4;                      /* as in checkpoint.c */

struct sums_checkpoint {
    const struct comm *comm;
    const struct run_request *request;
    char fingerprint[65];
    uint64_t n_records;
    struct output *output;
    /* Of passes that are over, and behind them, as it was loaded, of one that had begun. */
    struct exact_sum *sums;
    size_t n_sums, at; /* the present pass begins at `at` */
    bool has_begun;
    struct pass_progress begun; /* identities, of rank 0: zeros, which nobody asks for */
    size_t next;                /* the generation to write */
    double kept, due;           /* seconds: when last, when next */
};

/* ---- files ---- */

static bool are_normalised(const struct exact_sum *sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!exact_sum_is_normalised(&sums[i]))
            return false;
    return true;
}

/* A file of other decisions, or one that does not load, is as none. Further: more sums, or as many and more blocks. */
static void load(struct sums_checkpoint *c, size_t generation, uint64_t n_blocks)
{
    struct archive archive = {0};
    struct error why = {0};
    struct block_set done = {0};
    char path[PATH_MAX];
    size_t n;

    snprintf(path, sizeof path, "%s/%s", output_folder(c->output), names[generation]);
    if (access(path, F_OK) != 0)
        return;
    if (archive_read(path, &archive, &why) != 0) {
        log_warning("%s; the refinement begins anew or with the other file", why.text);
        return;
    }
    n = archive.n_error_sums / EXACT_SUM_LIMBS;
    if (strcmp(archive.statistics_fingerprint, c->fingerprint) == 0 && n > 0 &&
        are_normalised((const struct exact_sum *)archive.error_sums, n) && block_set_init(&done, n_blocks, &why) == 0 &&
        done.n_words == archive.n_done) {
        memcpy(done.words, archive.done, archive.n_done * sizeof *archive.done);
        if (!c->has_begun || n > c->n_sums ||
            (n == c->n_sums && block_set_count(&done) > block_set_count(&c->begun.done))) {
            struct block_set other = c->begun.done;

            c->begun.done = done;
            done = other;
            free(c->sums);
            c->sums = (struct exact_sum *)archive.error_sums;
            archive.error_sums = NULL;
            c->n_sums = n;
            c->has_begun = true;
            c->next = (generation + 1) % GENERATIONS;
        }
    }
    block_set_fini(&done);
    archive_fini(&archive);
}

static void write_next(struct sums_checkpoint *c, struct exact_sum *sums, size_t n,
                       const struct pass_progress *progress)
{
    struct archive archive = {.version = ARCHIVE_VERSION,
                              .block_size = c->request->calibration.block,
                              .bins = c->request->calibration.bins,
                              .n_done = progress->done.n_words,
                              .done = progress->done.words, /* lent */
                              .n_error_sums = n * EXACT_SUM_LIMBS,
                              .error_sums = (uint64_t *)sums};
    struct error why = {0};
    double begin = clock_seconds(), interval = shortest_interval;

    snprintf(archive.etalon_version, sizeof archive.etalon_version, "%s", ETALON_VERSION);
    snprintf(archive.statistics_fingerprint, sizeof archive.statistics_fingerprint, "%s", c->fingerprint);
    snprintf(archive.model, sizeof archive.model, "%s", c->request->model_name);
    if (archive_write(&archive, c->output, names[c->next], false, &why) != 0)
        log_warning("no checkpoint was written: %s", why.text);
    else
        c->next = (c->next + 1) % GENERATIONS;
    c->kept = clock_seconds();
    if (c->request->checkpoint_interval > 0)
        interval = (double)c->request->checkpoint_interval;
    c->due = c->kept + fmax(interval, intervals_of_cost * (c->kept - begin));
}

/* ---- the face of sums_checkpoint.h ---- */

/* Collective. Every rank learns what was kept; sums of the pass that had begun too, which only rank 0 adds. */
static int share(struct sums_checkpoint *c, uint64_t n_blocks, struct error *err)
{
    uint64_t n[2] = {c->has_begun, c->n_sums};
    int rc = 0;

    comm_broadcast(c->comm, n, sizeof n);
    c->has_begun = n[0] != 0;
    c->n_sums = n[1];
    if (!c->has_begun)
        return 0;
    if (c->comm->rank > 0) {
        c->sums = memory_create(c->n_sums, sizeof *c->sums, "error sums", err);
        rc = c->sums == NULL ? -1 : block_set_init(&c->begun.done, n_blocks, err);
    }
    c->begun.end = n_blocks;
    c->begun.n_records = c->n_records;
    if (c->comm->rank == 0) {
        c->begun.identities = memory_create(c->n_records, sizeof *c->begun.identities, "records", err);
        rc = c->begun.identities == NULL ? -1 : 0;
    }
    if (comm_agree(c->comm, rc, err) != 0)
        return -1;
    comm_broadcast(c->comm, c->sums, c->n_sums * sizeof *c->sums);
    comm_broadcast(c->comm, c->begun.done.words, c->begun.done.n_words * sizeof *c->begun.done.words);
    return 0;
}

struct sums_checkpoint *sums_checkpoint_open(const struct comm *comm, const struct run_request *request,
                                             const char *fingerprint, uint64_t n_records, struct output *output,
                                             struct error *err)
{
    struct sums_checkpoint *c = memory_create(1, sizeof *c, "a checkpoint", err);
    uint64_t n_blocks = (n_records + request->calibration.block - 1) / request->calibration.block;
    int rc = comm_agree(comm, c == NULL ? -1 : 0, err);

    if (rc != 0) {
        free(c);
        return NULL;
    }
    c->comm = comm;
    c->request = request;
    c->n_records = n_records;
    c->output = output;
    snprintf(c->fingerprint, sizeof c->fingerprint, "%s", fingerprint);
    c->kept = clock_seconds();
    c->due = c->kept + (request->checkpoint_interval > 0 ? (double)request->checkpoint_interval : shortest_interval);
    if (comm->rank == 0 && request->starts_anew)
        rc = sums_checkpoint_remove(output, err);
    for (size_t i = 0; rc == 0 && comm->rank == 0 && i < GENERATIONS; i++)
        load(c, i, n_blocks);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = share(c, n_blocks, err);
    if (rc == 0)
        return c;
    sums_checkpoint_close(c);
    return NULL;
}

void sums_checkpoint_close(struct sums_checkpoint *c)
{
    if (c == NULL)
        return;
    pass_progress_fini(&c->begun);
    free(c->sums);
    free(c);
}

/* What lies behind the passes that are over is none of these: it was decided otherwise, by another program. */
static void forget(struct sums_checkpoint *c)
{
    c->has_begun = false;
    c->n_sums = c->at;
    pass_progress_fini(&c->begun);
}

bool sums_checkpoint_take(struct sums_checkpoint *c, struct exact_sum *sums, size_t n)
{
    if (!c->has_begun)
        return false;
    if (c->n_sums - c->at > n) {
        memcpy(sums, c->sums + c->at, n * sizeof *sums);
        c->at += n;
        return true;
    }
    if (c->n_sums - c->at < n)
        forget(c);
    else if (c->comm->rank == 0)
        log_info("refinement: going on after %" PRIu64 " of %" PRIu64 " blocks", block_set_count(&c->begun.done),
                 c->begun.done.n);
    return false;
}

const struct pass_progress *sums_checkpoint_begun(const struct sums_checkpoint *c)
{
    return c->has_begun ? &c->begun : NULL;
}

void sums_checkpoint_add_begun(const struct sums_checkpoint *c, struct exact_sum *sums, size_t n)
{
    for (size_t i = 0; c->has_begun && c->comm->rank == 0 && i < n; i++)
        exact_sum_merge(&sums[i], &c->sums[c->at + i]);
}

static int reserve(struct sums_checkpoint *c, size_t n, struct error *err)
{
    struct exact_sum *sums = memory_create(c->at + n, sizeof *sums, "error sums", err);

    if (sums == NULL)
        return -1;
    if (c->at > 0)
        memcpy(sums, c->sums, c->at * sizeof *sums);
    free(c->sums);
    c->sums = sums;
    return 0;
}

int sums_checkpoint_end(struct sums_checkpoint *c, const struct exact_sum *sums, size_t n, struct error *err)
{
    forget(c);
    if (reserve(c, n, err) != 0)
        return -1;
    memcpy(c->sums + c->at, sums, n * sizeof *sums);
    c->at += n;
    c->n_sums = c->at;
    return 0;
}

bool sums_checkpoint_is_due(const struct sums_checkpoint *c, bool is_at_end)
{
    return clock_seconds() >= c->due || (is_at_end && clock_seconds() - c->kept >= worth_keeping);
}

int sums_checkpoint_write(struct sums_checkpoint *c, const struct exact_sum *sums, size_t n,
                          const struct pass_progress *progress, struct error *err)
{
    struct exact_sum *all = memory_create(c->at + n, sizeof *all, "error sums", err);

    if (all == NULL)
        return -1;
    if (c->at > 0)
        memcpy(all, c->sums, c->at * sizeof *all);
    memcpy(all + c->at, sums, n * sizeof *all);
    write_next(c, all, c->at + n, progress);
    free(all);
    return 0;
}

int sums_checkpoint_remove(struct output *output, struct error *err)
{
    for (size_t i = 0; i < GENERATIONS; i++)
        if (output_remove(output, names[i], err) != 0)
            return -1;
    return 0;
}
