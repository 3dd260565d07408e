/* block_set.h — which blocks of a pass are done: one bit each.
 *
 * A block's index is its place in the dataset, so a set means the same to any number of ranks, and sets of ranks that
 * did different blocks add up.
 */
#ifndef ETALON_BLOCK_SET_H
#define ETALON_BLOCK_SET_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_set {
    uint64_t n;      /* blocks of the pass */
    size_t n_words;  /* of 64 blocks */
    uint64_t *words; /* bits beyond n are 0 */
};

int block_set_init(struct block_set *set, uint64_t n, struct error *err); /* empty. EX_OSERR */
void block_set_fini(struct block_set *set);                               /* may be called on {0} and twice */

void block_set_add(struct block_set *set, uint64_t block); /* from any thread */
bool block_set_has(const struct block_set *set, uint64_t block);
uint64_t block_set_count(const struct block_set *set);
uint64_t block_set_count_below(const struct block_set *set, uint64_t end); /* end <= n */
uint64_t block_set_first_missing(const struct block_set *set);             /* n: none is */

#endif
