/* progress.c — see progress.h. */
#include "coordinator/progress.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <unistd.h>

static const double line_seconds = 30; /* where nobody watches */

struct progress progress_begin(const char *what, double total)
{
    return (struct progress){.what = what, .total = total, .started = clock_seconds()};
}

double progress_seconds(const struct progress *p)
{
    return clock_seconds() - p->started;
}

double progress_blocks(const struct block_set *done, uint64_t claimed, double own_fraction)
{
    return (double)block_set_count(done) + own_fraction * (double)(claimed - block_set_count_below(done, claimed));
}

void progress_tell(struct progress *p, double records)
{
    double elapsed = progress_seconds(p), rate = records / elapsed, done = p->skipped + records;
    bool is_terminal = isatty(STDERR_FILENO) == 1;

    done = done < p->total ? done : p->total;
    if (log_level_now() < LOG_INFO || records == 0 || (!is_terminal && elapsed - p->last_line < line_seconds))
        return;
    p->last_line = elapsed;
    p->has_open_line = is_terminal;
    if (is_terminal)
        fprintf(stderr, "\r%s: %.0f of %.0f records, %.1f a second, %.0f s left   ", p->what, done, p->total, rate,
                (p->total - done) / rate);
    else
        log_info("%s: %.0f of %.0f records, %.1f a second, %.0f s left", p->what, done, p->total, rate,
                 (p->total - done) / rate);
}

void progress_end(struct progress *p)
{
    if (p->has_open_line)
        fputc('\n', stderr);
    p->has_open_line = false;
}
