/* even_pads.h — convolutions for formats that pad both ends of an image alike.
 *
 * The larger pad is taken for both ends, and on the other side the kernel grows by zeros: a row of zeros in front of it
 * undoes a row of padding in front of the image. The sums are the same. Output padding of a transposed convolution adds
 * rows at the end, as a pad less there would.
 */
#ifndef ETALON_EVEN_PADS_H
#define ETALON_EVEN_PADS_H

#include "common/graph.h"

struct even_convolution {
    struct window window; /* equal pads, the grown kernel */
    struct shape shape;   /* of the weights then: four axes, the last two of which have grown */
    int64_t front[2];     /* rows and columns of zeros in front */
};

/* The window and weights' shape of a convolution, transposed or not, over images. NULL, or why it cannot be: pads that
 * differ by no multiple of the dilation, kernels of more than 64 times their size plus 64 MiB. */
const char *even_convolution_init(struct even_convolution *even, const struct window *window,
                                  const int64_t output_padding[2], const struct shape *weights);
/* The weights in the middle of zeros. to: zeros, as many as even->shape has elements. */
void even_convolution_fill(const struct even_convolution *even, const struct shape *weights, const float *from,
                           float *to);

#endif
