/* view_sums.c — sums of channels in a fixed order; see view.h.
 *
 * Runs of RUN floats are added in float: a relative error of at most RUN 2^-24, far below what a mean over thousands of
 * pixels needs, at a quarter of the cost of converting each value.
 */
#include "common/view.h"

#include <string.h>

enum {
    LANES = 16, /* channels, or neighbouring pixels of one channel, added side by side */
    RUN = 32,
};

/* LANES floats. The compiler splits it into what the machine has; lanes never mix, so the bits are the same. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* run += the lanes at `from`. By address: a vector this wide has no agreed way to be passed by value. */
static inline void add(lanes *run, const float *from)
{
    lanes x;

    memcpy(&x, from, sizeof x);
    *run += x;
}

/* sums[i] += sum over s of in[s * stride + i], i < LANES. */
static inline void add_lanes(const float *in, size_t stride, size_t n, double *sums)
{
    for (size_t first = 0; first < n; first += RUN) {
        size_t end = n - first < RUN ? n : first + RUN;
        lanes run = {0};

        for (size_t s = first; s < end; s++)
            add(&run, in + s * stride);
        for (size_t i = 0; i < LANES; i++)
            sums[i] += (double)run[i];
    }
}

/* The same for fewer lanes than LANES. */
static inline void add_few(const float *in, size_t stride, size_t n, size_t few, double *sums)
{
    for (size_t first = 0; first < n; first += RUN) {
        size_t end = n - first < RUN ? n : first + RUN;
        float run[LANES] = {0};

        for (size_t s = first; s < end; s++)
            for (size_t i = 0; i < few; i++)
                run[i] += in[s * stride + i];
        for (size_t i = 0; i < few; i++)
            sums[i] += (double)run[i];
    }
}

/* A plain channel: its pixels are neighbours; LANES interleaved sums, then those in order, then the rest. */
static inline double sum_plain(const float *in, size_t n)
{
    double part[LANES] = {0}, sum = 0;
    size_t whole = n / LANES;

    if (whole > 0)
        add_lanes(in, LANES, whole, part);
    for (size_t i = 0; i < LANES; i++)
        sum += part[i];
    for (size_t i = whole * LANES; i < n; i++)
        sum += (double)in[i];
    return sum;
}

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default"))) /* wider registers, the same additions */
#endif
void view_channel_sums(const struct view *v, double *sums)
{
    memset(sums, 0, v->channels * sizeof *sums);
    for (size_t n = 0; n < v->records; n++)
        for (size_t first = 0; first < v->channels; first += v->block) {
            const float *in = v->data + (n * view_blocks(v) * v->block + first) * v->spatial;
            size_t rest = v->channels - first, channels = rest < v->block ? rest : v->block;

            if (v->block == 1)
                sums[first] += sum_plain(in, v->spatial);
            for (size_t c = 0; v->block > 1 && c < channels; c += LANES) {
                if (channels - c >= LANES)
                    add_lanes(in + c, v->block, v->spatial, sums + first + c);
                else
                    add_few(in + c, v->block, v->spatial, channels - c, sums + first + c);
            }
        }
}
