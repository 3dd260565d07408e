/* watch.c — see watch.h. */
#include "coordinator/watch.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A rank that still tells is alive, and its engines are not; so it tells some times within the limit. */
static const double words_in_limit = 4;

struct watch watch_begin(const struct comm *comm, const char *what, double limit)
{
    double now = clock_seconds();
    struct watch watch = {.comm = comm, .what = what, .limit = limit, .heard = now, .moved = now, .told = now};

    watch.own.pid = getpid();
    gethostname(watch.own.host, sizeof watch.own.host - 1); /* a name that does not fit is cut */
    watch.other = watch.own;
    watch.other.pid = 0; /* not known before it has told */
    return watch;
}

static int watched_rank(const struct watch *watch)
{
    return (watch->comm->rank + watch->comm->size - 1) % watch->comm->size;
}

/* "17:05:09", of now less so many seconds. */
static void print_time(double ago, char text[32])
{
    time_t then = time(NULL) - (time_t)ago;
    struct tm parts;

    if (localtime_r(&then, &parts) == NULL || strftime(text, 32, "%H:%M:%S", &parts) == 0)
        text[0] = '\0';
}

static void describe(const struct watch *watch, char *text, size_t size)
{
    const struct watch_word *other = &watch->other;

    if (other->pid == 0)
        snprintf(text, size, "rank %d", watched_rank(watch));
    else
        snprintf(text, size, "rank %d (%s, pid %" PRId64 ")", watched_rank(watch), other->host, other->pid);
}

static void warn(const struct watch *watch, double now)
{
    const struct watch_word *other = &watch->other;
    char who[128], since[32], where[64] = "";
    bool is_silent = now - watch->heard >= watch->limit && watch->comm->size > 1, spoke;

    describe(watch, who, sizeof who);
    print_time(now - watch->moved, since);
    if (other->block != WATCH_NO_BLOCK)
        snprintf(where, sizeof where, "it is at block %" PRIu64, other->block);
    else if (other->pid != 0)
        snprintf(where, sizeof where, "it waits for %s", other->n_held > 0 ? "records of its blocks" : "blocks");
    spoke = log_speak_for_itself(true);
    log_warning("%s: %s has finished no block for %.0f s, since %s, after %" PRIu64 " blocks%s%s%s; the others wait",
                watch->what, who, now - watch->moved, since, other->n_done, where[0] == '\0' ? "" : "; ", where,
                is_silent ? ", and nothing is heard of it: it is stopped, or its host or network is gone" : "");
    log_speak_for_itself(spoke);
}

static void note_progress(struct watch *watch, double now)
{
    char who[128];

    if (watch->warned > 0) {
        bool spoke = log_speak_for_itself(true);

        describe(watch, who, sizeof who);
        log_info("%s: %s goes on after %.0f s", watch->what, who, now - watch->moved);
        log_speak_for_itself(spoke);
    }
    watch->moved = now;
    watch->warned = 0;
}

static void hear(struct watch *watch, const struct watch_word *word, double now)
{
    bool has_moved = word->n_done != watch->other.n_done || word->n_held == 0 || word->is_last;

    watch->other = *word;
    watch->heard = now;
    if (has_moved)
        note_progress(watch, now);
}

static void tell(struct watch *watch, double now)
{
    watch->told = now;
    if (watch->comm->size > 1)
        comm_tell_next(watch->comm, &watch->own, sizeof watch->own);
    else
        hear(watch, &watch->own, now);
}

bool watch_tell(struct watch *watch, uint64_t n_done, uint64_t n_held, uint64_t block, bool is_last)
{
    double now = clock_seconds(), silence;
    struct watch_word word;

    if (watch->limit <= 0)
        return true;
    if ((is_last && !watch->own.is_last) || (!is_last && now - watch->told >= watch->limit / words_in_limit)) {
        watch->own.n_done = n_done;
        watch->own.n_held = n_held;
        watch->own.block = block;
        watch->own.is_last = is_last;
        tell(watch, now);
    }
    while (!watch->other.is_last && watch->comm->size > 1 && comm_poll_previous(watch->comm, &word, sizeof word))
        hear(watch, &word, now);
    silence = now - watch->moved;
    if (!watch->other.is_last && silence >= watch->limit && silence >= 2 * watch->warned) { /* ever more rarely */
        warn(watch, now);
        watch->warned = silence;
    }
    return watch->other.is_last != 0;
}
