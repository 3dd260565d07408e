/* tallies.h — where the engine threads of a rank count whole values, by parts.
 *
 * A tally is what was counted in blocks of one part. A thread takes one up for each block, rather than having one for
 * each part: there are as many as parts, or two a thread, whichever is more. Where none of the wanted part is idle,
 * another part's is emptied, which happens now and then only, where blocks are overtaken.
 */
#ifndef ETALON_TALLIES_H
#define ETALON_TALLIES_H

#include "worker/observe.h"

#include <pthread.h>

struct tally {
    struct histogram *wholes; /* [n_values], as observation_create_wholes makes them */
    uint64_t n_records;
    struct tally *next;
};

struct tallies {
    struct observation *moved; /* borrowed: what tallies are emptied into; it keeps parts */
    size_t n, most;            /* in hand or not */
    struct tally *idle[OBSERVE_PARTS];
    pthread_mutex_t mutex; /* guards n, idle and moved */
};

void tallies_init(struct tallies *tallies, struct observation *moved, size_t n_threads);
void tallies_fini(struct tallies *tallies); /* before `moved` goes; may be called on {0} */

/* Of each of n_threads threads one at a time, to be given back. NULL: EX_OSERR, or as histogram_merge. */
struct tally *tallies_take(struct tallies *tallies, size_t part, struct error *err);
void tallies_give(struct tallies *tallies, size_t part, struct tally *tally);

/* All threads at rest: what they have tallied becomes part of `moved`. */
int tallies_empty(struct tallies *tallies, struct error *err);

#endif
