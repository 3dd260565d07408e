/* stages.h — where a pass spent its time, so that a user sees what to change: storage, decoding threads, or engines.
 */
#ifndef ETALON_STAGES_H
#define ETALON_STAGES_H

#include "coordinator/comm.h"

/* Of all threads together: seconds, the first three of decoding threads, the others of engine threads; and counts,
 * which tell that a record is read and run once, whatever number of targets follow it. */
struct stages {
    double read;           /* stored bytes: the disk, its cache, digests */
    double decode;         /* image files to pixels */
    double preprocess;     /* pixels to the network's input */
    double wait;           /* for a block that came later */
    double compute;        /* the network in fp32, and what follows it */
    double observe;        /* counting activations, or simulating targets in lockstep */
    uint64_t records_read; /* and made an input */
    uint64_t records_run;  /* through the network in fp32 */
};

void stages_add(struct stages *into, const struct stages *from);
void stages_sum(const struct comm *comm,
                struct stages *stages); /* collective: over all ranks, seconds to nanoseconds */

/* Of the engine threads' time, 0 to 1; 0 where they had none. */
double stages_wait_share(const struct stages *stages);

enum { STAGES_TEXT_BYTES = 256 };
/* One sentence: what was the limit, and which engine.decode_threads (of `decode_threads` now, beside `engine_threads` a
 * rank) would end the waiting. Returns text. */
const char *stages_verdict(const struct stages *stages, size_t engine_threads, size_t decode_threads,
                           char text[STAGES_TEXT_BYTES]);

#endif
