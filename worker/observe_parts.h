/* observe_parts.h — the statistics of whole values once more, by eight consecutive ranges of blocks: what tells how far
 * decisions still move with more records, and how sure they are.
 *
 * A part is a range of block numbers, never a rank's or a thread's share, so parts are the same for any of those; and
 * part after part they add up to the whole. When the number of blocks doubles, two neighbours become one (observe_parts
 * _double), as bins of a histogram do.
 */
#ifndef ETALON_OBSERVE_PARTS_H
#define ETALON_OBSERVE_PARTS_H

#include "common/histogram.h"

enum { OBSERVE_PARTS = 8, OBSERVE_PART_BINS = 2048 };

struct observe_parts {
    uint64_t first_block[OBSERVE_PARTS + 1]; /* part p is of blocks [first_block[p], first_block[p + 1]) */
    size_t n_values;
    struct histogram *of[OBSERVE_PARTS]; /* [n_values]: OBSERVE_PART_BINS, or as many as the value has, if fewer; bins
                                            == 0 where it is not observed */
};

/* Empty ones for the values that have histograms in tensor[n_values]. All block numbers are 0. EX_OSERR. */
struct observe_parts *observe_parts_create(const struct histogram *tensor, size_t n_values, struct error *err);
void observe_parts_destroy(struct observe_parts *parts); /* NULL is allowed */

/* The part that a block below first_block[OBSERVE_PARTS] belongs to. */
size_t observe_parts_of_block(const struct observe_parts *parts, uint64_t block);

/* into += from: the same values and blocks. Errors as histogram_merge. */
int observe_parts_merge(struct observe_parts *into, const struct observe_parts *from, struct error *err);
/* Parts 0 to 3 become the eight of before, two by two; 4 to 7 are empty. The block numbers are the caller's to set. */
int observe_parts_double(struct observe_parts *parts, struct error *err);

/* *sum, which is initialised, becomes value v over parts [0, OBSERVE_PARTS), part p counted times[p] times. */
int observe_parts_sum(const struct observe_parts *parts, size_t v, const uint8_t times[OBSERVE_PARTS],
                      struct histogram *sum, struct error *err);

#endif
