/* extras.h — what some methods want to know beside histograms. Counted in the same pass, where the job has such a
 * method; part of an observation (observe.h).
 *
 * Histograms forget which record a value came from. Records are what calibration sets are made of: their extrema say
 * how typical the largest value is, and their two largest outputs say what must not be confused. All of it merges
 * exactly.
 */
#ifndef ETALON_EXTRAS_H
#define ETALON_EXTRAS_H

#include "common/exact_sum.h"
#include "common/histogram.h"
#include "common/view.h"

struct graph;

enum {
    EXTRAS_EXTREMA = 1, /* of the records of every value */
    EXTRAS_TOP_TWO = 2, /* of values that are the arg-max of an output */
    EXTRAS_SQUARES = 4, /* of the channels of what CONV and DENSE nodes read */
    EXTRAS_KINDS = 3,
};

/* Sums over records, of those without NaN or infinities. Words only: reductions add them up as such. */
struct record_extrema {
    uint64_t records, elements;
    struct exact_sum smallest, largest; /* each record's, added up */
};

/* Of every record and pixel whose classes are the channels (axis 1): the second largest, and how far above it, or above
 * 0 where that is more, the largest is. Where either is not finite, both count it as NaN. */
struct top_two {
    struct histogram second, gap; /* bins == 0: the value's order decides nothing */
};

struct extras {
    const struct graph *graph;      /* borrowed */
    unsigned kinds;                 /* which of the following are there; the others are NULL */
    struct record_extrema *extrema; /* [n_values] */
    struct top_two *top_two;        /* [n_values] */
    struct exact_sum **squares;     /* [n_values]: NULL, or [dims[1]] sums of squares over records and pixels */
};

/* EX_OSERR. */
struct extras *extras_create(const struct graph *graph, unsigned kinds, struct error *err);
void extras_destroy(struct extras *extras); /* NULL is allowed */
/* Lets go of what values outside [first, last) have; extrema, which are small, stay where they are. */
void extras_keep_share(struct extras *extras, size_t first, size_t last);

/* Counts one view of a float activation. EX_OSERR. */
int extras_observe(struct extras *extras, int value, const struct view *view, struct error *err);
/* into += from, of the values that both have: the same graph and kinds. Errors as histogram_merge. */
int extras_merge(struct extras *into, const struct extras *from, struct error *err);
/* The canonical form of all sums: equal sums have equal bytes. */
void extras_normalise(struct extras *extras);

/* Channels of a value with sums of squares; 0: it has none. */
size_t extras_n_squares(const struct extras *extras, int value);

#endif
