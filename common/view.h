/* view.h — a borrowed look at one activation in whatever channel-blocked layout the engine keeps it in.
 *
 *   element (n, c, s) is data[((n * blocks + c / block) * spatial + s) * block + c % block]
 *   blocks = ceil(channels / block)
 *
 * block 1 is plain NCHW (or any row-major tensor: channels = dims[1], spatial = the rest), block 8 and 16 the library's
 * blocked layouts, block = channels is NHWC. Channels beyond `channels` in the last block are padding: zero, not data.
 */
#ifndef ETALON_VIEW_H
#define ETALON_VIEW_H

#include <stddef.h>

enum { VIEW_RUN = 32 }; /* floats added before they become doubles */

struct view {
    const float *data;
    size_t records, channels, spatial, block;
};

static inline size_t view_blocks(const struct view *v)
{
    return (v->channels + v->block - 1) / v->block;
}

/* Floats the view spans, padding included. */
static inline size_t view_span(const struct view *v)
{
    return v->records * view_blocks(v) * v->spatial * v->block;
}

/* How many of them are padding. */
static inline size_t view_padding(const struct view *v)
{
    return v->records * (view_blocks(v) * v->block - v->channels) * v->spatial;
}

/* sums[c] = sum over records and pixels of channel c, c < channels. Float additions in short runs, the runs in double,
 * in an order that depends on the view's shape and layout only: the same view gives the same bits on every machine. */
void view_channel_sums(const struct view *v, double *sums);

/* The same in pieces, for those who have other business with the data while it is in cache. A piece is VIEW_RUN pixels
 * of a channel block, or one record's plain channel: data[begin .. view_piece_end). From 0 to view_span, sums zeroed.
 */
size_t view_piece_end(const struct view *v, size_t begin);
void view_sum_piece(const struct view *v, size_t begin, double *sums);

/* Copies into plain row-major order: out[records * channels * spatial]. */
void view_copy_plain(const struct view *v, float *out);

#endif
