/* checkpoint.c — see checkpoint.h. */
#include "coordinator/checkpoint.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GENERATIONS = 2 };

static const char *const names[GENERATIONS] = {"checkpoint/0.h5", "checkpoint/1.h5"};
static const double least_interval = 60, mean_between_interruptions = 86400, worth_keeping = 10; /* seconds */

struct checkpoint {
    const struct run_request *request;
    const struct graph *graph;
    const char *fingerprint;
    size_t channel_bins;
    struct output *output;
    struct pass_progress begun;
    struct observation *observation; /* rank 0 */
    struct ranges *ranges;           /* rank 0, of a second pass */
    bool is_second;
    size_t next;                /* the generation to write */
    double kept, due, interval; /* seconds: when last, when next, how often */
};

/* A file that does not load is not tried again, and not lost. */
static void set_aside(const char *path, const struct error *why)
{
    char damaged[PATH_MAX + 16];

    snprintf(damaged, sizeof damaged, "%s.damaged", path);
    log_warning("%s; it is set aside as %s", why->text, damaged);
    if (rename(path, damaged) != 0)
        log_warning("%s: cannot be renamed: %s", path, strerror(errno));
}

/* Rank 0. Has this generation come further than the one that was taken? */
static bool is_further(const struct checkpoint *c, const struct observation *observation,
                       const struct pass_progress *progress)
{
    bool is_second = observation->ranges != NULL;

    if (c->observation == NULL || is_second != (c->observation->ranges != NULL))
        return c->observation == NULL || is_second;
    return block_set_count(&progress->done) > block_set_count(&c->begun.done);
}

/* Rank 0. The generation with more blocks. Where none of those that are there loads, beginning anew is for the user to
 * say. */
static int load(struct checkpoint *c, uint64_t n_blocks, struct error *err)
{
    size_t n_damaged = 0;

    for (size_t i = 0; i < GENERATIONS; i++) {
        struct pass_progress progress;
        struct observation *observation;
        struct error why = {0};
        char path[PATH_MAX];

        snprintf(path, sizeof path, "%s/%s", output_folder(c->output), names[i]);
        if (keep_load_checkpoint(path, c->graph, c->fingerprint, c->request->calibration.bins, c->channel_bins,
                                 n_blocks, &observation, &progress, &why) != 0) {
            if (why.code != EX_DATAERR) {
                *err = why;
                return -1;
            }
            set_aside(path, &why);
            n_damaged++;
        } else if (observation != NULL && is_further(c, observation, &progress)) {
            observation_destroy(c->observation);
            pass_progress_fini(&c->begun);
            c->observation = observation;
            c->begun = progress;
            c->next = (i + 1) % GENERATIONS;
        } else {
            if (observation == NULL && access(path, F_OK) == 0)
                log_warning("%s is of another model, dataset or job: nothing of it is used", path);
            observation_destroy(observation);
            pass_progress_fini(&progress);
        }
    }
    if (c->observation == NULL && n_damaged > 0)
        return error_set(err, EX_DATAERR,
                         "%s: no checkpoint loads, and what did not is set aside; the same command begins anew",
                         output_folder(c->output));
    if (c->observation == NULL)
        return 0;
    c->ranges = c->observation->ranges;
    c->observation->ranges = NULL;
    c->is_second = c->ranges != NULL;
    log_info("going on after %" PRIu64 " of %" PRIu64 " blocks%s, from %s/%s", block_set_count(&c->begun.done),
             n_blocks, c->is_second ? " of the second pass" : "", output_folder(c->output),
             names[(c->next + 1) % GENERATIONS]);
    return 0;
}

/* Collective. Every rank learns which blocks are done. */
static int share(const struct comm *comm, struct checkpoint *c, uint64_t n_blocks, struct error *err)
{
    int32_t is_begun[2] = {c->observation != NULL, c->is_second};
    int rc = 0;

    comm_max_int32(comm, is_begun, 2);
    if (is_begun[0] == 0)
        return 0;
    c->is_second = is_begun[1] != 0;
    if (comm->rank > 0)
        rc = block_set_init(&c->begun.done, n_blocks, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        comm_broadcast(comm, c->begun.done.words, c->begun.done.n_words * sizeof *c->begun.done.words);
        comm_broadcast(comm, &c->begun.end, sizeof c->begun.end);
    }
    return rc;
}

struct checkpoint *checkpoint_open(const struct comm *comm, const struct run_request *request,
                                   const struct graph *graph, const char *fingerprint, size_t channel_bins,
                                   uint64_t n_blocks, struct output *output, bool starts_anew, struct error *err)
{
    struct checkpoint *c = memory_create(1, sizeof *c, "a checkpoint", err);
    int rc = c == NULL ? -1 : 0;

    if (rc == 0) {
        *c = (struct checkpoint){
            .request = request,
            .graph = graph,
            .fingerprint = fingerprint,
            .channel_bins = channel_bins,
            .output = output,
            .interval = request->checkpoint_interval > 0 ? (double)request->checkpoint_interval : least_interval,
        };
        c->kept = clock_seconds();
        c->due = c->kept + c->interval;
    }
    if (rc == 0 && comm->rank == 0)
        rc = starts_anew ? checkpoint_remove(output, err) : load(c, n_blocks, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = share(comm, c, n_blocks, err);
    if (rc == 0)
        return c;
    checkpoint_close(c);
    return NULL;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL)
        return;
    observation_destroy(c->observation);
    ranges_destroy(c->ranges);
    pass_progress_fini(&c->begun);
    free(c);
}

const struct pass_progress *checkpoint_begun(const struct checkpoint *c)
{
    return c->begun.done.words == NULL ? NULL : &c->begun;
}

const struct observation *checkpoint_observation(const struct checkpoint *c)
{
    return c->observation;
}

const struct ranges *checkpoint_ranges(const struct checkpoint *c)
{
    return c->ranges;
}

bool checkpoint_is_second(const struct checkpoint *c)
{
    return c->is_second;
}

struct observation *checkpoint_take_first(struct checkpoint *c)
{
    struct observation *observation = c->observation;

    c->observation = NULL;
    return observation;
}

void checkpoint_end_first(struct checkpoint *c)
{
    if (c->is_second)
        return;
    observation_destroy(c->observation);
    c->observation = NULL;
    pass_progress_fini(&c->begun);
    c->is_second = true;
}

bool checkpoint_is_due(const struct checkpoint *c, bool is_at_end)
{
    return clock_seconds() >= c->due || (is_at_end && clock_seconds() - c->kept >= worth_keeping);
}

static void write_next(struct checkpoint *c, const struct observation *measured, const struct pass_progress *progress)
{
    double begin = clock_seconds();
    struct error why = {0};

    if (keep_checkpoint(c->request, c->fingerprint, measured, progress, c->output, names[c->next], &why) != 0)
        log_warning("no checkpoint was written: %s", why.text);
    else
        c->next = (c->next + 1) % GENERATIONS;
    if (c->request->checkpoint_interval == 0)
        c->interval = fmax(least_interval, sqrt(2 * (clock_seconds() - begin) * mean_between_interruptions));
    c->kept = clock_seconds();
    c->due = c->kept + c->interval;
}

int checkpoint_write(struct checkpoint *c, struct observation *measured, const struct pass_progress *progress,
                     struct error *err)
{
    if (c->observation != NULL && observation_merge(measured, c->observation, err) != 0)
        return -1;
    write_next(c, measured, progress);
    return 0;
}

void checkpoint_write_second(struct checkpoint *c, struct observation *first, struct ranges *counted,
                             const struct pass_progress *progress)
{
    if (c->ranges != NULL)
        ranges_merge(counted, c->ranges);
    first->ranges = counted; /* lent */
    write_next(c, first, progress);
    first->ranges = NULL;
}

int checkpoint_remove(struct output *output, struct error *err)
{
    for (size_t i = 0; i < GENERATIONS; i++)
        if (output_remove(output, names[i], err) != 0)
            return -1;
    return 0;
}
