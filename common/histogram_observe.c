/* histogram_observe.c — which kernel counts, and counting into one histogram: arrays, whole views, views with sums. */
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

int histogram_observe_view_with(const struct histogram_kernel *kernel, struct histogram *h, const struct view *v,
                                struct error *err)
{
    size_t full = v->channels / v->block, span = v->spatial * v->block;

    if (full == view_blocks(v))
        return histogram_observe_with(kernel, h, v->data, view_span(v), err);
    for (size_t n = 0; n < v->records; n++)
        if (histogram_observe_with(kernel, h, v->data + n * (full + 1) * span, full * span, err) != 0)
            return -1;
    return histogram_observe_block(kernel, h, 0, v, full, NULL, err);
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

int histogram_observe(struct histogram *h, const float *x, size_t n, struct error *err)
{
    return histogram_observe_with(kernels[isa_best()], h, x, n, err);
}

int histogram_observe_view(struct histogram *h, const struct view *v, struct error *err)
{
    return histogram_observe_view_with(kernels[isa_best()], h, v, err);
}

int histogram_observe_view_sums(struct histogram *h, const struct view *v, double *sums, struct error *err)
{
    return histogram_observe_view_sums_with(kernels[isa_best()], h, v, sums, err);
}
