/* equalize.h — cross-layer equalization: channels of neighbouring layers brought to like ranges of weights.
 *
 * Where layer 1 makes a value that one other layer alone reads, and what lies between is positively homogeneous,
 * channel i may be divided by s_i in the weights and bias of the first and multiplied by it in those of the second.
 * With s_i = sqrt(r1_i / r2_i), the ranges of its weights, both become sqrt(r1_i r2_i): one scale then serves all
 * channels of a tensor. Source: Nagel, van Baalen, Blankevoort and Welling, Data-Free Quantization Through Weight
 * Equalization and Bias Correction, 2019, arXiv:1906.04721, section 4.1, equations 9 to 11; pairs in turn until they
 * rest.
 *
 * Other than there:
 * - s_i is a power of two. Then the fp32 network computes the same bits as before (denormals aside), and statistics,
 *   thresholds and accuracies are those of the user's network.
 * - A clip such as ReLU6 stays what it is. Channels that come near its end are left alone, and no other is raised to
 *   it: for that the largest values of a few records are looked at.
 */
#ifndef ETALON_EQUALIZE_H
#define ETALON_EQUALIZE_H

#include "common/graph.h"

enum { EQUALIZATION_MAX_EXPONENT = 24 }; /* of either sign */

/* The output of a layer, channel c of which is divided by 2^exponents[c]. */
struct equalized_value {
    int value;
    size_t n_channels;
    int32_t *exponents; /* owned */
};

struct equalization {
    size_t n;
    struct equalized_value *values; /* owned; in execution order; those that stay as they are are not among them */
};

void equalization_fini(struct equalization *equalization); /* may be called on {0} and twice */

/* Does the search want the largest values of this value's channels? Of outputs of equalizable layers that clip. */
bool equalization_wants_maxima(const struct graph *graph, int value);
/* What should be done to a normalised graph. maxima [n_values]: per channel (axis 1) the largest value observed,
 * finite, where equalization_wants_maxima; else not read. Where keeps_biases, no bias becomes larger than the layer's
 * largest was: weights of almost nothing are not raised with a bias that is not, for which a chip with biases of 16
 * bits would give up bits of all other weights. EX_OSERR. */
int equalization_search(const struct graph *graph, const double *const *maxima, bool keeps_biases,
                        struct equalization *out, struct error *err);
/* Rewrites the constants. EX_DATAERR: the graph has no such layers (an archive of another). */
int equalization_apply(struct graph *graph, const struct equalization *equalization, struct error *err);

/* Which values change by that: of_value[n_values] becomes what the value's channels are divided by, of a layer's output
 * and of all that passes its channels on to the next layer; NULL: it stays. Errors as equalization_apply. */
int equalization_trace(const struct graph *graph, const struct equalization *equalization,
                       const struct equalized_value **of_value, struct error *err);
/* Of such a value, of this shape: channel `channel` is divided by 2^this. Flattened images have several channels for
 * one of the layer. */
int32_t equalized_exponent(const struct equalized_value *equalized, const struct shape *shape, size_t channel);

/* The graph, which computes every value that changes a second time, as it will be: for those who look at the values of
 * both networks, which cost one run. What is added lies behind the graph's values and borrows its constants;
 * beside[n_values] tells where (GRAPH_NONE: the value stays). EX_OSERR. */
struct graph *equalization_watch(const struct graph *graph, const struct equalized_value *const *of_value, int *beside,
                                 struct error *err);

#endif
