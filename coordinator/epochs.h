/* epochs.h — where a data pass may end early, and which eighth of it a block belongs to: functions of block numbers
 * alone, so the same for any ranks, threads and restarts. Only for passes that may.
 *
 * An epoch is the first n / 2^h of n blocks, h = halvings left; the next one is twice as long, the last one, h = 0, all
 * of them. Each is cut into OBSERVE_PARTS parts of equal size, to a block. Two parts of an epoch are one of the next.
 */
#ifndef ETALON_EPOCHS_H
#define ETALON_EPOCHS_H

#include "worker/observe_parts.h"

enum { EPOCHS_LEAST_RECORDS = 64 };

/* The halvings of the first epoch: as many as leave it a block a part and EPOCHS_LEAST_RECORDS records. */
unsigned epochs_first(uint64_t n_blocks, size_t block_size);

/* first_block[p], p <= OBSERVE_PARTS: where part p begins, ceil(p n / (OBSERVE_PARTS 2^h)); the last is the end. */
void epochs_cut(uint64_t n_blocks, unsigned halvings, uint64_t first_block[OBSERVE_PARTS + 1]);

/* How many blocks the epoch has: ceil(n / 2^h). */
uint64_t epochs_end(uint64_t n_blocks, unsigned halvings);

#endif
