/* ranges.h — the second pass of `passes: two`: magnitudes counted in bins of a range that the first pass has found, as
 * TNN's tool counts them.
 *
 * With M the largest finite |x| and k = 2048 / M in float32, bin min(trunc(|x| k), 2047) counts x; zeros and what is
 * not finite are left out, and nothing is counted where M is 1e-5 or less. Counts are integers: they merge in any
 * order.
 */
#ifndef ETALON_RANGES_H
#define ETALON_RANGES_H

#include "common/graph.h"
#include "common/view.h"

enum { RANGE_BINS = 2048 };

struct observation;

struct value_ranges {
    size_t n;         /* 0: not observed; 1, or one a channel (axis 1) */
    float *limits;    /* [n] M */
    uint64_t *counts; /* [n][RANGE_BINS] */
};

struct ranges {
    const struct graph *graph; /* borrowed */
    struct value_ranges *values;
};

/* No counts yet. `first` is complete (observation_derive); it says which values there are, and whether per channel:
 * then all but those that DENSE nodes read, also through a reshape, and make, which have one scale on TNN. EX_OSERR. */
struct ranges *ranges_create(const struct observation *first, struct error *err);
void ranges_destroy(struct ranges *ranges); /* NULL is allowed */

/* An engine_observer; context is the ranges. */
int ranges_observe(void *context, int node, int value, const struct view *view, struct error *err);

void ranges_merge(struct ranges *into,
                  const struct ranges *from); /* into += from: of one graph, where both have a value */

/* k, or 0 where nothing is counted. */
float range_factor(float limit);

#endif
