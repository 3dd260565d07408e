/* resize_taps.h — where the rows and columns of a resized image come from (OP_RESIZE). */
#ifndef ETALON_RESIZE_TAPS_H
#define ETALON_RESIZE_TAPS_H

#include "common/graph.h"

enum { RESIZE_MAX_TAPS = 4 };

/* Where one output row or column takes its value from: weights that sum to 1, positions inside the image. */
struct resize_taps {
    int n;
    int64_t at[RESIZE_MAX_TAPS];
    double weight[RESIZE_MAX_TAPS];
};

/* Of output position `at`, 0 <= at < out, along the vertical (0) or horizontal (1) axis of an OP_RESIZE. */
struct resize_taps resize_taps(const struct node *node, int axis, int64_t at, int64_t in, int64_t out);

#endif
