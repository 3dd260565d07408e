/* observe_parts.h — the statistics of whole values once more, by eight shares of the blocks: what tells how far
 * decisions still move with more records, and how sure they are.
 *
 * A block's number says which part it is of, never a rank or a thread, so parts are the same for any of those; and part
 * after part they add up to the whole. Blocks are dealt out in turn, to parts 0 4 2 6 1 5 3 7 and again, so that even
 * two of them lie in both halves, and the parts of data sets that follow one another are those of their union, turned
 * by the number of blocks before. A pass that may end early needs ranges instead, since it asks what its first half had
 * shown: when the number of blocks doubles, two neighbours become one (observe_parts_double), as bins of a histogram
 * do.
 */
#ifndef ETALON_OBSERVE_PARTS_H
#define ETALON_OBSERVE_PARTS_H

#include "common/histogram.h"

enum { OBSERVE_PARTS = 8, OBSERVE_PART_BINS = 2048 };

/* Which blocks a part is of. Plain numbers, broadcast as bytes. */
struct observe_cut {
    uint64_t is_ranges;                      /* else in turn */
    uint64_t first_block[OBSERVE_PARTS + 1]; /* of ranges: part p is of blocks [first_block[p], first_block[p + 1]) */
    uint64_t n_blocks[OBSERVE_PARTS];        /* in each part */
};

struct observe_parts {
    struct observe_cut cut;
    uint64_t n_records[OBSERVE_PARTS]; /* good ones that were counted */
    size_t n_values;
    struct histogram *of[OBSERVE_PARTS]; /* [n_values]: OBSERVE_PART_BINS, or as many as the value has, if fewer; bins
                                            == 0 where it is not observed */
};

struct observe_cut observe_cut_in_turn(uint64_t n_blocks);
struct observe_cut observe_cut_ranges(const uint64_t first_block[OBSERVE_PARTS + 1]);
/* The part that a block belongs to; of ranges one below first_block[OBSERVE_PARTS]. */
size_t observe_cut_part(const struct observe_cut *cut, uint64_t block);
/* In turn: the part that `part` is of the whole where n_before blocks come before its data set. */
size_t observe_cut_turned(size_t part, uint64_t n_before);

/* Empty ones for the values that have histograms in tensor[n_values]; the cut is the caller's to set. EX_OSERR. */
struct observe_parts *observe_parts_create(const struct histogram *tensor, size_t n_values, struct error *err);
void observe_parts_destroy(struct observe_parts *parts); /* NULL is allowed */

/* into += from, of the values that both have: the same blocks. Errors as histogram_merge. */
int observe_parts_merge(struct observe_parts *into, const struct observe_parts *from, struct error *err);
/* Parts 0 to 3 become the eight of before, two by two; 4 to 7 are empty. The cut is the caller's to set. */
int observe_parts_double(struct observe_parts *parts, struct error *err);

/* *sum, which is initialised, becomes value v over parts [0, OBSERVE_PARTS), part p counted times[p] times. */
int observe_parts_sum(const struct observe_parts *parts, size_t v, const uint8_t times[OBSERVE_PARTS],
                      struct histogram *sum, struct error *err);

#endif
