/* networks.h — well-known networks with made-up weights: the shapes that benchmarks and tests need, without a file.
 *
 * Weights are drawn by a fixed generator, scaled so that activations neither vanish nor explode (He et al., 2015). The
 * graphs are as graph_normalise leaves them: batch norms folded, activations fused.
 */
#ifndef ETALON_TESTS_NETWORKS_H
#define ETALON_TESTS_NETWORKS_H

#include "common/graph.h"

struct network {
    const char *name;
    struct graph *(*build)(struct error *err); /* owned by the caller; input "data", output "prob" */
};

/* NULL-terminated: squeezenet (1.1, 1x3x227x227), resnet50 (1x3x224x224), mobilenet (v1, 1x3x224x224), and residual, a
 * small network (1x3x32x32) that has a residual, a depthwise, a dilated and a grouped convolution and odd channel
 * counts. */
extern const struct network networks[];
const struct network *network_find(const char *name); /* NULL when unknown */

/* x[i] of about the range of a mean-subtracted, scaled image, from seed; the same on every machine. */
void network_draw_input(uint64_t seed, float *x, size_t n);

#endif
