/* histogram_channels.c — counting into one histogram per channel: from blocked views to rows of lanes.
 *
 * A channel gets few values from each view: 392 from the last stage of ResNet-50, 8 images, for 2 x 2,048 bins. Adding
 * them to 64-bit counts misses the cache once a value (0.15 G values/s), and draining deltas after each view costs more
 * than counting. So tallies are kept from view to view, and drained when somebody asks: 0.35 to 0.6 G values/s.
 */
#include "common/histogram_tally.h"
#include "common/memory.h"

#include <stdlib.h>

/* One channel block of every record of a view, cut into rows of lanes. */
struct block_rows {
    const float *first;   /* of record 0 */
    size_t record_stride; /* floats */
    size_t rows, stride;  /* per record; stride in floats */
    size_t tail;          /* floats after the last whole row, fewer than HISTOGRAM_LANES, in the same lanes */
};

/* Rows are whole pixels of a narrow block (8: two pixels a row), or 16 neighbouring channels of a wide one. Where those
 * do not come out even, the last 16 channels overlap the ones before, which are not counted again. */
static bool splits_into_lanes(size_t block)
{
    return block >= HISTOGRAM_LANES || HISTOGRAM_LANES % block == 0;
}

static struct block_rows rows_of_block(const struct view *v, size_t block_index, size_t first_lane)
{
    size_t span = v->spatial * v->block;
    bool is_wide = v->block >= HISTOGRAM_LANES;

    return (struct block_rows){
        .first = v->data + block_index * span + first_lane,
        .record_stride = view_blocks(v) * span,
        .rows = is_wide ? v->spatial : span / HISTOGRAM_LANES,
        .stride = is_wide ? v->block : HISTOGRAM_LANES,
        .tail = is_wide ? 0 : span % HISTOGRAM_LANES,
    };
}

/* *kept is the tally to use, made where there is none; kept == NULL: the thread's. */
static int observe_rows(const struct histogram_kernel *kernel, const struct block_rows *block, size_t records,
                        struct histogram *const lane[HISTOGRAM_LANES], struct histogram_tally **kept, struct error *err)
{
    struct histogram_tally *tally = NULL;
    int rc = 0;

    if (kept == NULL)
        tally = histogram_tally_begin(kernel, lane, records * (block->rows + 1));
    else if (*kept == NULL)
        *kept = histogram_tally_create(kernel, lane, err);
    tally = kept == NULL ? tally : *kept;
    if (tally == NULL)
        return -1;
    for (size_t n = 0; n < records && rc == 0; n++) {
        const float *x = block->first + n * block->record_stride;

        rc = histogram_tally_add(tally, x, block->rows, block->stride, err);
        if (rc == 0 && block->tail > 0)
            rc = histogram_tally_add_few(tally, x + block->rows * block->stride, block->tail, err);
    }
    if (kept == NULL)
        histogram_tally_end(tally);
    return rc;
}

/* The 16 lanes from first_lane on, of a channel block whose channels begin at h. Lanes before `from` were counted
 * already, and lanes of channels that are not there are padding. */
static void choose_lanes(struct histogram *h, size_t h_stride, size_t block, size_t channels, size_t first_lane,
                         size_t from, struct histogram *lane[HISTOGRAM_LANES])
{
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        size_t channel = (first_lane + i) % block;

        lane[i] = channel < channels && first_lane + i >= from ? h + channel * h_stride : NULL;
    }
}

int histogram_observe_block(const struct histogram_kernel *kernel, struct histogram *h, size_t h_stride,
                            const struct view *v, size_t block_index, struct histogram_tally **kept, struct error *err)
{
    size_t first = block_index * v->block, rest = v->channels - first;
    size_t channels = rest < v->block ? rest : v->block;

    h += first * h_stride;
    if (kernel != NULL && splits_into_lanes(v->block)) {
        for (size_t c = 0; c < channels; c += HISTOGRAM_LANES) {
            bool overlaps = v->block >= HISTOGRAM_LANES && c + HISTOGRAM_LANES > v->block;
            size_t first_lane = overlaps ? v->block - HISTOGRAM_LANES : c;
            struct block_rows block = rows_of_block(v, block_index, first_lane);
            struct histogram *lane[HISTOGRAM_LANES];

            choose_lanes(h, h_stride, v->block, channels, first_lane, c, lane);
            if (observe_rows(kernel, &block, v->records, lane, kept == NULL ? NULL : kept++, err) != 0)
                return -1;
        }
        return 0;
    }
    for (size_t n = 0; n < v->records; n++) {
        const float *x = v->data + (n * view_blocks(v) + block_index) * v->spatial * v->block;

        for (size_t c = 0; c < channels; c++)
            if (histogram_observe_reference(h + c * h_stride, x + c, v->spatial, v->block, err) != 0)
                return -1;
    }
    return 0;
}

int histogram_observe_channels_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                    struct error *err)
{
    for (size_t n = 0; v->block == 1 && n < v->records; n++)
        for (size_t c = 0; c < v->channels; c++)
            if (histogram_observe_with(kernel, &h[c], v->data + (n * v->channels + c) * v->spatial, v->spatial, err) !=
                0)
                return -1;
    for (size_t block_index = 0; v->block > 1 && block_index < view_blocks(v); block_index++)
        if (histogram_observe_block(kernel, h, 1, v, block_index, NULL, err) != 0)
            return -1;
    return 0;
}

int histogram_observe_channels(struct histogram *h, const struct view *v, struct error *err)
{
    return histogram_observe_channels_with(histogram_kernel_find(isa_best()), h, v, err);
}

/* ---- tallies kept ---- */

struct histogram_channels {
    const struct histogram_kernel *kernel;
    struct histogram *h; /* borrowed, [channels] */
    size_t block;        /* of the views so far; 0: none yet */
    size_t n_tallies, tallies_per_block;
    struct histogram_tally **tallies; /* [n_tallies]; NULL where views of this layout are counted at once */
};

struct histogram_channels *histogram_channels_create_with(const struct histogram_kernel *kernel, struct histogram *h,
                                                          struct error *err)
{
    struct histogram_channels *s = memory_create(1, sizeof *s, "histograms of channels", err);

    if (s != NULL)
        *s = (struct histogram_channels){.kernel = kernel, .h = h};
    return s;
}

struct histogram_channels *histogram_channels_create(struct histogram *h, struct error *err)
{
    return histogram_channels_create_with(histogram_kernel_find(isa_best()), h, err);
}

static void drop_tallies(struct histogram_channels *s)
{
    for (size_t i = 0; i < s->n_tallies; i++)
        histogram_tally_destroy(s->tallies[i]);
    free(s->tallies);
    s->tallies = NULL;
    s->n_tallies = 0;
}

void histogram_channels_destroy(struct histogram_channels *s)
{
    if (s == NULL)
        return;
    drop_tallies(s);
    free(s);
}

void histogram_channels_settle(struct histogram_channels *s)
{
    for (size_t i = 0; i < s->n_tallies; i++)
        if (s->tallies[i] != NULL)
            histogram_tally_end(s->tallies[i]);
}

/* Tallies for views of v's layout. */
static int adopt_layout(struct histogram_channels *s, const struct view *v, struct error *err)
{
    histogram_channels_settle(s);
    drop_tallies(s);
    s->block = 0;
    if (s->kernel != NULL && v->block > 1 && splits_into_lanes(v->block) && histogram_tally_keeps(s->h->bins)) {
        size_t per_block = (v->block + HISTOGRAM_LANES - 1) / HISTOGRAM_LANES;

        s->tallies = memory_create(view_blocks(v) * per_block, sizeof(struct histogram_tally *), "tallies", err);
        if (s->tallies == NULL)
            return -1;
        s->tallies_per_block = per_block;
        s->n_tallies = view_blocks(v) * per_block;
    }
    s->block = v->block;
    return 0;
}

int histogram_channels_observe(struct histogram_channels *s, const struct view *v, struct error *err)
{
    if (s->block != v->block && adopt_layout(s, v, err) != 0)
        return -1;
    if (s->tallies == NULL)
        return histogram_observe_channels_with(s->kernel, s->h, v, err);
    for (size_t b = 0; b < view_blocks(v); b++)
        if (histogram_observe_block(s->kernel, s->h, 1, v, b, s->tallies + b * s->tallies_per_block, err) != 0)
            return -1;
    return 0;
}
