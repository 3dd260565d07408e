/* histogram_observe.c — from arrays and blocked views to rows of lanes, and which kernel counts them. */
#include "common/histogram_tally.h"

enum {
    MIN_ROWS = 4, /* below this many, setting up a tally costs more than it saves */
    TILE = 4096,  /* floats counted before they are summed: 16 KB, a third of a first-level cache */
};

#define KERNEL(isa) extern const struct histogram_kernel histogram_kernel_##isa;
#if defined __x86_64__
KERNEL(avx2)
KERNEL(avx512)
#elif defined __aarch64__
KERNEL(neon)
#endif
#undef KERNEL

static const struct histogram_kernel *const kernels[ISA_COUNT] = {
    [ISA_REFERENCE] = NULL,
#if defined __x86_64__
    [ISA_AVX2] = &histogram_kernel_avx2,
    [ISA_AVX512] = &histogram_kernel_avx512,
#elif defined __aarch64__
    [ISA_NEON] = &histogram_kernel_neon,
#endif
};

const struct histogram_kernel *histogram_kernel_find(enum isa isa)
{
    return kernels[isa];
}

const char *histogram_kernel_name(void)
{
    return isa_name(isa_best());
}

int histogram_observe_with(const struct histogram_kernel *kernel, struct histogram *h, const float *x, size_t n,
                           struct error *err)
{
    struct histogram *lane[HISTOGRAM_LANES];
    size_t rows = n / HISTOGRAM_LANES, in_rows = rows * HISTOGRAM_LANES;
    struct histogram_tally *tally;
    int rc;

    if (kernel == NULL || rows < MIN_ROWS)
        return histogram_observe_reference(h, x, n, 1, err);
    for (size_t i = 0; i < HISTOGRAM_LANES; i++)
        lane[i] = h;
    tally = histogram_tally_begin(kernel, lane, rows);
    rc = histogram_tally_add(tally, x, rows, HISTOGRAM_LANES, err);
    histogram_tally_end(tally);
    if (rc != 0)
        return -1;
    return histogram_observe_reference(h, x + in_rows, n - in_rows, 1, err);
}

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

static int observe_rows(const struct histogram_kernel *kernel, const struct block_rows *block, size_t records,
                        struct histogram *const lane[HISTOGRAM_LANES], struct error *err)
{
    struct histogram_tally *tally = histogram_tally_begin(kernel, lane, records * block->rows);
    int rc = 0;

    for (size_t n = 0; n < records && rc == 0; n++)
        rc = histogram_tally_add(tally, block->first + n * block->record_stride, block->rows, block->stride, err);
    histogram_tally_end(tally);
    for (size_t n = 0; n < records && rc == 0; n++) {
        const float *tail = block->first + n * block->record_stride + block->rows * block->stride;

        for (size_t i = 0; i < block->tail && rc == 0; i++)
            if (lane[i] != NULL)
                rc = histogram_observe_reference(lane[i], tail + i, 1, 1, err);
    }
    return rc;
}

/* The data of one channel block into histogram h[c * h_stride] of its channels c: h_stride is 1 per channel, 0 where
 * one histogram takes all of them. */
static int observe_block(const struct histogram_kernel *kernel, struct histogram *h, size_t h_stride,
                         const struct view *v, size_t block_index, struct error *err)
{
    size_t first = block_index * v->block, rest = v->channels - first;
    size_t channels = rest < v->block ? rest : v->block;

    if (kernel != NULL && splits_into_lanes(v->block)) {
        for (size_t c = 0; c < channels; c += HISTOGRAM_LANES) {
            bool overlaps = v->block >= HISTOGRAM_LANES && c + HISTOGRAM_LANES > v->block;
            size_t lane_0 = overlaps ? v->block - HISTOGRAM_LANES : c;
            struct block_rows block = rows_of_block(v, block_index, lane_0);
            struct histogram *lane[HISTOGRAM_LANES];

            for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
                size_t channel = (lane_0 + i) % v->block;

                lane[i] = channel < channels && lane_0 + i >= c ? h + (first + channel) * h_stride : NULL;
            }
            if (observe_rows(kernel, &block, v->records, lane, err) != 0)
                return -1;
        }
        return 0;
    }
    for (size_t n = 0; n < v->records; n++) {
        const float *x = v->data + (n * view_blocks(v) + block_index) * v->spatial * v->block;

        for (size_t c = 0; c < channels; c++)
            if (histogram_observe_reference(h + (first + c) * h_stride, x + c, v->spatial, v->block, err) != 0)
                return -1;
    }
    return 0;
}

int histogram_observe_view_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                struct error *err)
{
    size_t full = v->channels / v->block, span = v->spatial * v->block;

    if (full == view_blocks(v))
        return histogram_observe_with(kernel, h, v->data, view_span(v), err);
    for (size_t n = 0; n < v->records; n++)
        if (histogram_observe_with(kernel, h, v->data + n * (full + 1) * span, full * span, err) != 0)
            return -1;
    return observe_block(kernel, h, 0, v, full, err);
}

/* Counts tiles of whole pieces, which brings them into cache, and sums each before the next. */
static int observe_tiles(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v, double *sums,
                         struct error *err)
{
    size_t span = view_span(v), counted = 0, end;
    struct histogram *lane[HISTOGRAM_LANES];
    struct histogram_tally *tally;
    int rc = 0;

    for (size_t i = 0; i < HISTOGRAM_LANES; i++)
        lane[i] = h;
    tally = histogram_tally_begin(kernel, lane, span / HISTOGRAM_LANES);
    for (size_t begin = 0; begin < span && rc == 0; begin = end) {
        size_t rows;

        for (end = begin; end < span && end - begin < TILE;)
            end = view_piece_end(v, end);
        rows = (end - counted) / HISTOGRAM_LANES;
        rc = histogram_tally_add(tally, v->data + counted, rows, HISTOGRAM_LANES, err);
        counted += rows * HISTOGRAM_LANES;
        for (size_t piece = begin; piece < end; piece = view_piece_end(v, piece))
            view_sum_piece(v, piece, sums);
    }
    histogram_tally_end(tally);
    return rc != 0 ? -1 : histogram_observe_reference(h, v->data + counted, span - counted, 1, err);
}

int histogram_observe_view_sums_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                     double *sums, struct error *err)
{
    if (kernel == NULL || view_padding(v) > 0) {
        view_channel_sums(v, sums);
        return histogram_observe_view_with(kernel, h, v, err);
    }
    memset(sums, 0, v->channels * sizeof *sums);
    return observe_tiles(kernel, h, v, sums, err);
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
        if (observe_block(kernel, h, 1, v, block_index, err) != 0)
            return -1;
    return 0;
}

int histogram_observe(struct histogram *h, const float *x, size_t n, struct error *err)
{
    return histogram_observe_with(kernels[isa_best()], h, x, n, err);
}

int histogram_observe_view(struct histogram *h, const struct view *v, struct error *err)
{
    return histogram_observe_view_with(kernels[isa_best()], h, v, err);
}

int histogram_observe_channels(struct histogram *h, const struct view *v, struct error *err)
{
    return histogram_observe_channels_with(kernels[isa_best()], h, v, err);
}

int histogram_observe_view_sums(struct histogram *h, const struct view *v, double *sums, struct error *err)
{
    return histogram_observe_view_sums_with(kernels[isa_best()], h, v, sums, err);
}
