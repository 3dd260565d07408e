/* even_pads.c — see even_pads.h. */
#include "formats/even_pads.h"

#include <string.h>

enum { ROWS = 2 }; /* the first axis of the image */
enum { MAX_GROWTH = 64, FREE_ELEMENTS = (64 << 20) / (int)sizeof(float) };

/* One axis. `end` may be negative. */
static bool even_out(struct even_convolution *even, size_t k, int64_t begin, int64_t end)
{
    int64_t larger = begin > end ? begin : end, pad = larger > 0 ? larger : 0;
    int64_t dilation = even->window.dilation[k];

    even->window.pad_begin[k] = even->window.pad_end[k] = pad;
    even->front[k] = (pad - begin) / dilation;
    even->shape.dims[ROWS + k] += even->front[k] + (pad - end) / dilation;
    return (pad - begin) % dilation == 0 && (pad - end) % dilation == 0;
}

const char *even_convolution_init(struct even_convolution *even, const struct window *window,
                                  const int64_t output_padding[2], const struct shape *weights)
{
    int64_t before = shape_elements(weights), after;

    *even = (struct even_convolution){.window = *window, .shape = *weights};
    for (size_t k = 0; k < 2; k++) {
        if (window->kernel[k] == 1)
            even->window.dilation[k] = 1; /* it means nothing, and one row of zeros shall be one row */
        if (!even_out(even, k, window->pad_begin[k], window->pad_end[k] - output_padding[k]))
            return "its pads differ by no multiple of the dilation";
    }
    after = shape_elements(&even->shape);
    if (after < 0 || (after - FREE_ELEMENTS) / MAX_GROWTH > before)
        return "its pads differ so much that its kernels would become too large";
    memcpy(even->window.kernel, even->shape.dims + ROWS, sizeof even->window.kernel);
    return NULL;
}

void even_convolution_fill(const struct even_convolution *even, const struct shape *weights, const float *from,
                           float *to)
{
    const int64_t *old = weights->dims + ROWS, *new = even->shape.dims + ROWS;

    for (int64_t i = 0; i < weights->dims[0] * weights->dims[1]; i++)
        for (int64_t row = 0; row < old[0]; row++)
            memcpy(to + (i * new[0] + even->front[0] + row) * new[1] + even->front[1],
                   from + (i * old[0] + row) * old[1], (size_t)old[1] * sizeof *to);
}
