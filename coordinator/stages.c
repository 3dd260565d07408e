/* stages.c — see stages.h. */
#include "coordinator/stages.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Below this share of waiting, more decoding threads would gain less than the noise between runs. */
static const double WORTH_A_CHANGE = 0.05;

enum { N_STAGES = offsetof(struct stages, records_read) / sizeof(double) };
_Static_assert(N_STAGES == 6, "seconds are added up as an array");

void stages_add(struct stages *into, const struct stages *from)
{
    into->read += from->read;
    into->decode += from->decode;
    into->preprocess += from->preprocess;
    into->wait += from->wait;
    into->compute += from->compute;
    into->observe += from->observe;
    into->records_read += from->records_read;
    into->records_run += from->records_run;
}

void stages_sum(const struct comm *comm, struct stages *stages)
{
    uint64_t counts[] = {stages->records_read, stages->records_run}, ns[N_STAGES];
    double seconds[N_STAGES];

    memcpy(seconds, stages, sizeof seconds);
    for (size_t i = 0; i < N_STAGES; i++)
        ns[i] = (uint64_t)(seconds[i] * 1e9);
    comm_sum_uint64(comm, ns, N_STAGES);
    comm_sum_uint64(comm, counts, 2);
    for (size_t i = 0; i < N_STAGES; i++)
        seconds[i] = (double)ns[i] * 1e-9;
    memcpy(stages, seconds, sizeof seconds);
    stages->records_read = counts[0];
    stages->records_run = counts[1];
}

double stages_wait_share(const struct stages *s)
{
    double all = s->wait + s->compute + s->observe;

    return all > 0 ? s->wait / all : 0;
}

const char *stages_verdict(const struct stages *s, size_t engine_threads, size_t decode_threads,
                           char text[STAGES_TEXT_BYTES])
{
    double data = s->read + s->decode + s->preprocess, work = s->compute + s->observe;
    double percent = 100 * stages_wait_share(s);
    const char *slowest = s->read >= s->decode && s->read >= s->preprocess ? "reading"
                          : s->decode >= s->preprocess                     ? "decoding"
                                                                           : "preprocessing";
    /* Both sides work side by side when each thread of them takes as long for a block as the others. */
    double wanted = work > 0 ? ceil((double)engine_threads * data / work) : 0;

    if (stages_wait_share(s) < WORTH_A_CHANGE)
        snprintf(text, STAGES_TEXT_BYTES, "computing was the limit: engines waited %.0f %% of the time for data",
                 percent);
    else if (wanted > (double)decode_threads)
        snprintf(text, STAGES_TEXT_BYTES,
                 "data was the limit: engines waited %.0f %% of the time, mostly for %s; try engine.decode_threads: "
                 "%.0f where cores are free",
                 percent, slowest, fmin(wanted, 1024));
    else
        snprintf(text, STAGES_TEXT_BYTES,
                 "data was the limit: engines waited %.0f %% of the time, mostly for %s, though %zu decoding threads "
                 "should do: cores, or storage, are busy with something else",
                 percent, slowest, decode_threads);
    return text;
}
