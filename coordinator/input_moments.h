/* input_moments.h — how the numbers that a layer multiplies its weights with go together.
 *
 * An output of a CONV or DENSE is the product of a row of weights and a patch of the input. Over patches of fp32
 * records, evenly spaced, the second moments of its elements are what the rounding of weights needs (round_codes.h).
 */
#ifndef ETALON_INPUT_MOMENTS_H
#define ETALON_INPUT_MOMENTS_H

#include "common/graph.h"
#include "common/view.h"

/* CONV of one or two dimensions, DENSE of a matrix with one row a record. */
bool input_moments_apply(const struct graph *graph, const struct node *node);

/* h[n x n] becomes E[x x'] of elements first .. first + n of the patches of a group of channels, in the order of a row
 * of weights, [channel][kernel]; elements outside the image are 0. Where is_centred the means are taken out: what they
 * do is the bias's business. On the diagonal a share of its mean is added, more of it the fewer patches there were: for
 * moments are those of a few records. Then it is positive. `view` is the layer's input; one order of additions, so the
 * same bits everywhere. EX_OSERR. */
int input_moments_find(const struct graph *graph, const struct node *node, const struct view *view, size_t group,
                       size_t first, size_t n, bool is_centred, double *h, struct error *err);

#endif
