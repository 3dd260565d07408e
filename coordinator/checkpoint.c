/* checkpoint.c — see checkpoint.h. */
#include "coordinator/checkpoint.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/checkpoint_files.h"

#include <math.h>
#include <stdlib.h>

static const double least_interval = 60, mean_between_interruptions = 86400, worth_keeping = 10; /* seconds */
static const double intervals_of_cost = 4; /* at least, between two of them: where writing is slow, work goes on */

struct checkpoint {
    struct checkpoint_files files;
    struct checkpoint_found begun;
    struct ranges *ranges; /* of begun.share, in a second pass */
    bool is_second;
    double kept, due, interval; /* seconds: when last, when next, how often */
};

struct checkpoint *checkpoint_open(const struct comm *comm, const struct keep_subject *subject, struct output *output,
                                   struct error *err)
{
    struct checkpoint *c = memory_create(1, sizeof *c, "a checkpoint", err);
    const struct run_request *q = subject->request;
    int rc = comm_agree(comm, c == NULL ? -1 : 0, err);

    if (rc != 0) {
        free(c);
        return NULL;
    }
    c->interval = q->checkpoint_interval > 0 ? (double)q->checkpoint_interval : least_interval;
    c->kept = clock_seconds();
    c->due = c->kept + c->interval;
    rc = checkpoint_files_open(comm, subject, output, &c->files, err);
    if (rc == 0 && q->starts_anew)
        rc = comm_agree(comm, comm->rank == 0 ? checkpoint_files_remove(output, err) : 0, err);
    if (rc == 0 && !q->starts_anew)
        rc = checkpoint_files_load(&c->files, q->force || q->may_replace, &c->begun, err);
    if (rc != 0) {
        checkpoint_close(c);
        return NULL;
    }
    c->is_second = c->begun.is_second;
    if (c->is_second && c->begun.share != NULL) {
        c->ranges = c->begun.share->ranges;
        c->begun.share->ranges = NULL;
    }
    return c;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL)
        return;
    observation_destroy(c->begun.share);
    ranges_destroy(c->ranges);
    pass_progress_fini(&c->begun.progress);
    checkpoint_files_close(&c->files);
    free(c);
}

const struct pass_progress *checkpoint_begun(const struct checkpoint *c)
{
    return c->begun.is_begun ? &c->begun.progress : NULL;
}

const struct observation *checkpoint_observation(const struct checkpoint *c)
{
    return c->begun.share;
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
    struct observation *share = c->begun.share;

    c->begun.share = NULL;
    return share;
}

void checkpoint_end_first(struct checkpoint *c)
{
    if (c->is_second)
        return;
    observation_destroy(c->begun.share);
    pass_progress_fini(&c->begun.progress);
    c->begun = (struct checkpoint_found){0};
    c->is_second = true;
}

bool checkpoint_is_due(const struct checkpoint *c, bool is_at_end)
{
    return clock_seconds() >= c->due || (is_at_end && clock_seconds() - c->kept >= worth_keeping);
}

/* Collective. This rank's shard, once every rank has given its part to each; NULL with 0: it has none. */
static int gather_own(struct checkpoint *c, const struct checkpoint_source *source, size_t n, struct observation **own,
                      struct error *err)
{
    *own = NULL;
    for (size_t k = 0; k < n; k++) {
        struct observation *share;
        size_t first, last;

        checkpoint_files_cut(&c->files.subject, n, k, &first, &last);
        share = source->gather(source->context, first, last, err);
        if (share == NULL) {
            observation_destroy(*own);
            return -1;
        }
        if (k == c->files.place)
            *own = share;
        else
            observation_destroy(share);
    }
    return 0;
}

int checkpoint_write(struct checkpoint *c, const struct checkpoint_source *source, const struct pass_progress *progress,
                     struct error *err)
{
    double begin = clock_seconds(), cost;
    size_t n = checkpoint_files_shards(&c->files);
    struct observation *own;
    struct error why = {0};

    if (gather_own(c, source, n, &own, err) != 0)
        return -1;
    if (checkpoint_files_write(&c->files, n, own, progress, c->is_second ? 2 : 1, &why) != 0)
        log_warning("no checkpoint was written: %s", why.text);
    observation_destroy(own);
    c->kept = clock_seconds();
    cost = c->kept - begin;
    if (c->files.subject.request->checkpoint_interval == 0)
        c->interval = fmax(least_interval, sqrt(2 * cost * mean_between_interruptions));
    c->due = c->kept + fmax(c->interval, intervals_of_cost * cost);
    log_debug("a checkpoint of %zu files has taken %.3f s", n > 1 ? n + 1 : 1, cost);
    return 0;
}

int checkpoint_remove(struct output *output, struct error *err)
{
    return checkpoint_files_remove(output, err);
}
