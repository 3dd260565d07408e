/* view_sums.c — sums of channels in a fixed order; see view.h.
 *
 * Runs of VIEW_RUN floats are added in float: a relative error of at most 32 x 2^-24, far below what a mean over
 * thousands of pixels needs, at a quarter of the cost of converting each value.
 */
#include "common/view.h"

#include <string.h>

/* Four floats: what every instruction set has. Wider ones, which the compiler then splits, take five times as long:
 * GCC 12 keeps their halves in memory. */
typedef float quad __attribute__((vector_size(16)));

enum { QUAD = 4, WIDE = 4 * QUAD }; /* channels, or neighbouring pixels of one channel, added side by side */

static inline quad load(const float *from)
{
    quad q;

    memcpy(&q, from, sizeof q);
    return q;
}

static inline void flush(quad run, double *sums)
{
    for (size_t i = 0; i < QUAD; i++)
        sums[i] += (double)run[i];
}

/* sums[i] += sum over s of in[s * stride + i], i < WIDE, s < n <= VIEW_RUN. */
static void add_wide(const float *in, size_t stride, size_t n, double *sums)
{
    quad a = {0}, b = {0}, c = {0}, d = {0};

    for (size_t s = 0; s < n; s++, in += stride) {
        a += load(in);
        b += load(in + QUAD);
        c += load(in + 2 * QUAD);
        d += load(in + 3 * QUAD);
    }
    flush(a, sums);
    flush(b, sums + QUAD);
    flush(c, sums + 2 * QUAD);
    flush(d, sums + 3 * QUAD);
}

static void add_quad(const float *in, size_t stride, size_t n, double *sums)
{
    quad run = {0};

    for (size_t s = 0; s < n; s++)
        run += load(in + s * stride);
    flush(run, sums);
}

static void add_one(const float *in, size_t stride, size_t n, double *sum)
{
    float run = 0;

    for (size_t s = 0; s < n; s++)
        run += in[s * stride];
    *sum += (double)run;
}

/* A plain channel: its pixels are neighbours; WIDE interleaved sums, then those in order, then the rest. */
static double sum_plain(const float *in, size_t n)
{
    double part[WIDE] = {0}, sum = 0;
    size_t whole = n / WIDE;

    for (size_t row = 0; row < whole; row += VIEW_RUN)
        add_wide(in + row * WIDE, WIDE, whole - row < VIEW_RUN ? whole - row : VIEW_RUN, part);
    for (size_t i = 0; i < WIDE; i++)
        sum += part[i];
    for (size_t i = whole * WIDE; i < n; i++)
        sum += (double)in[i];
    return sum;
}

size_t view_piece_end(const struct view *v, size_t begin)
{
    size_t rest = v->spatial - begin / v->block % v->spatial;

    return begin + (v->block == 1 || rest < VIEW_RUN ? rest : VIEW_RUN) * v->block;
}

void view_sum_piece(const struct view *v, size_t begin, double *sums)
{
    size_t first = begin / v->block / v->spatial % view_blocks(v) * v->block;
    size_t rest = v->channels - first, channels = rest < v->block ? rest : v->block, c = 0;
    size_t n = (view_piece_end(v, begin) - begin) / v->block;
    const float *in = v->data + begin;

    sums += first;
    if (v->block == 1) {
        *sums += sum_plain(in, n);
        return;
    }
    for (; channels - c >= WIDE; c += WIDE)
        add_wide(in + c, v->block, n, sums + c);
    for (; channels - c >= QUAD; c += QUAD)
        add_quad(in + c, v->block, n, sums + c);
    for (; c < channels; c++)
        add_one(in + c, v->block, n, sums + c);
}

void view_channel_sums(const struct view *v, double *sums)
{
    memset(sums, 0, v->channels * sizeof *sums);
    for (size_t i = 0; i < view_span(v); i = view_piece_end(v, i))
        view_sum_piece(v, i, sums);
}
