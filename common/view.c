/* view.c — from blocked layouts to plain order. */
#include "common/view.h"

#include <string.h>

/* Four floats, unaligned in memory. The compiler's vectors: every instruction set has a 4 x 4 transposition. */
typedef float quad __attribute__((vector_size(16)));

enum {
    QUAD = 4,
    /* Pixels transposed for four channels before the next four. Long runs in few streams: channels that lie a multiple
     * of 4 KB apart compete for the same cache sets. Zen 5, G values/s with tiles of 16, 64, 128: block 16 of 32 x 32
     * pixels 2.5, 12, 7.5; of 56 x 56 pixels 12, 15, 8; NHWC with 256 channels 1.0, 3.9, 3.8. */
    TILE = 64,
};

static inline quad load(const float *from)
{
    quad q;

    memcpy(&q, from, sizeof q);
    return q;
}

static inline void store(float *to, quad q)
{
    memcpy(to, &q, sizeof q);
}

/* out[c * out_stride + s] = in[s * in_stride + c], c and s < 4. */
static inline void transpose_quad(const float *in, size_t in_stride, float *out, size_t out_stride)
{
    quad a = load(in), b = load(in + in_stride), c = load(in + 2 * in_stride), d = load(in + 3 * in_stride);
    quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);

    store(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(out + out_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(out + 2 * out_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(out + 3 * out_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

/* out[c * spatial + s] = in[s * block + c], c < channels <= block, s < spatial. */
static void transpose(const float *in, size_t block, float *out, size_t spatial, size_t channels)
{
    for (size_t tile = 0; tile < spatial; tile += TILE) {
        size_t end = spatial - tile < TILE ? spatial : tile + TILE;

        for (size_t c = 0; c < channels; c += QUAD) {
            size_t lanes = channels - c < QUAD ? channels - c : QUAD, s = tile;

            for (; lanes == QUAD && end - s >= QUAD; s += QUAD)
                transpose_quad(in + s * block + c, block, out + c * spatial + s, spatial);
            for (; s < end; s++)
                for (size_t lane = c; lane < c + lanes; lane++)
                    out[lane * spatial + s] = in[s * block + lane];
        }
    }
}

void view_copy_plain(const struct view *v, float *out)
{
    if (v->block == 1 || (v->spatial == 1 && v->channels % v->block == 0)) { /* the same order already */
        memcpy(out, v->data, view_span(v) * sizeof *out);
        return;
    }
    for (size_t n = 0; n < v->records; n++)
        for (size_t first = 0; first < v->channels; first += v->block) {
            size_t rest = v->channels - first, channels = rest < v->block ? rest : v->block;
            const float *in = v->data + (n * view_blocks(v) * v->block + first) * v->spatial;

            transpose(in, v->block, out + (n * v->channels + first) * v->spatial, v->spatial, channels);
        }
}
