/* histogram_tally.c — the loop around the kernels: scan a chunk, count its indices, fall back where scan refuses.
 *
 * Counting is `count[index]++` a billion times a second, so what decides its speed is where the counts lie:
 *
 * - Deltas: 8 bits, in scratch, added to the histogram in the end ("drained"); one that wraps carries 256 at once. Both
 *   signs of 8,192 bins, or those of 16 channels with 2,048 bins, stay in the first-level cache, which 16 bits do not.
 * - Direct: straight into the 64-bit counts. For few rows, where draining would cost more than counting.
 *
 * An index is the place of a side plus the bin. A side is one half of the histogram of one slot; a slot is what the
 * lanes i, i + slots, i + 2 slots ... share.
 */
#include "common/histogram_tally.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
    /* Lanes of one saturated histogram use several copies, lest equal values wait for each other's store: ReLU6 that
     * clips a third, 1.6, 2.6, 3.5 G values/s with 1, 2, 4 copies. Others use one, which stays in the cache: dense data
     * 3.0, 2.8, 2.7; ResNet-50's statistics over its inference 0.15, 0.18, 0.19. */
    SATURATED_COPIES = 4,
    SATURATED_SHARE = 8, /* one in so many values that are not zero */
    MAX_SIDES = 2 * HISTOGRAM_LANES,
    /* Sides of deltas lie bins + 64 apart: a power of two would put equal bins of all lanes a multiple of 4 KB apart,
     * and a load waits for an earlier store to the same address modulo 4 KB. Constant data, 16 channels: 0.4 -> 2.8 G
     * values/s. */
    SIDE_GAP = HISTOGRAM_DRAIN_BINS,
    /* 2048 bins x 2 signs x 16 channels, or 8192 bins x 2 signs x 4 copies; then the dustbin. 68 KB. */
    DUSTBIN = (1 << 16) + MAX_SIDES * SIDE_GAP,
    MAX_DELTAS = DUSTBIN + 1,
    ALIGNMENT = 64,
    CARRY = UINT8_MAX + 1,
    MAX_ROWS = INT32_MAX, /* between two flushes: a scan counts in 32 bits what is not zero */
};

struct histogram_tally {
    uint8_t *deltas; /* all zero between tallies, but for the dustbin; 64-byte aligned */
    void *owned;     /* where they were allocated; NULL: the thread's */
    struct histogram_scan scan;
    const struct histogram_kernel *kernel;
    struct histogram *lane[HISTOGRAM_LANES];
    size_t bins;
    unsigned bins_log2;
    size_t slots;                    /* a power of two */
    uint64_t *counts[MAX_SIDES + 1]; /* of side: positive ones of all slots, negative ones, then the dustbin */
    uint64_t dustbin;                /* what padding lanes count: nothing, unless an engine breaks its word */
    bool is_direct;
    size_t rows;                     /* since the last flush */
    size_t missing[HISTOGRAM_LANES]; /* of the rows, those that did not reach the lane */
};

static _Thread_local struct histogram_tally this_tally;
static _Thread_local _Alignas(ALIGNMENT) uint8_t these_deltas[MAX_DELTAS];

/* Index of a side's bin 0: of its deltas, or such that the bits from bins_log2 up are the side. */
static size_t place_of(const struct histogram_tally *tally, size_t side)
{
    return side * (tally->bins + (tally->is_direct ? 0 : SIDE_GAP));
}

static size_t place_of_dustbin(const struct histogram_tally *tally)
{
    return tally->is_direct ? place_of(tally, 2 * tally->slots) : DUSTBIN;
}

static bool deltas_fit(size_t slots, size_t bins)
{
    return bins % HISTOGRAM_DRAIN_BINS == 0 && 2 * slots * (bins + SIDE_GAP) <= DUSTBIN;
}

/* Does the largest value so far come often? So it does behind a clipping activation. */
static bool is_saturated(const struct histogram *h)
{
    return h->max > 0 && h->n > h->zeros && h->exponent >= -127 && h->exponent <= 126 &&
           h->positive[(size_t)(h->max * (float)histogram_scale(h->exponent))] > (h->n - h->zeros) / SATURATED_SHARE;
}

static void choose_counts(struct histogram_tally *tally, const struct histogram *one_histogram, size_t rows)
{
    size_t slots = HISTOGRAM_LANES;

    if (one_histogram != NULL) {
        slots = is_saturated(one_histogram) ? SATURATED_COPIES : 1;
        while (slots > 1 && !deltas_fit(slots, tally->bins))
            slots /= 2;
    }
    /* Draining costs bins / 8 vector additions a side, against one to two cycles a value. Half-zero data, 8192 bins, in
     * G values/s: 2^12 values 3.3 (direct), 2^14 3.8, 2^16 4.6, 2^20 4.8 (deltas). */
    tally->is_direct = !deltas_fit(slots, tally->bins) || rows * HISTOGRAM_LANES < slots * tally->bins / 2;
    if (tally->is_direct && one_histogram != NULL)
        slots = 1;
    tally->slots = slots;
}

static void reset_extent(struct histogram_extent *extent)
{
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        extent->min[i] = INFINITY;
        extent->max[i] = -INFINITY;
        extent->nonzero[i] = 0;
    }
}

static void set_scales(struct histogram_tally *tally)
{
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        const struct histogram *h = tally->lane[i];

        if (h == NULL)
            tally->scan.scale[i] = 0;
        else if (h->exponent < -127 || h->exponent > 126)
            tally->scan.scale[i] = INFINITY;
        else
            tally->scan.scale[i] = (float)histogram_scale(h->exponent);
    }
}

static void init(struct histogram_tally *tally, const struct histogram_kernel *kernel,
                 struct histogram *const lane[HISTOGRAM_LANES], size_t rows)
{
    const struct histogram *any = NULL;
    bool is_one_histogram = true;

    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        is_one_histogram = is_one_histogram && (lane[i] == NULL || any == NULL || lane[i] == any);
        if (lane[i] != NULL)
            any = lane[i];
        tally->lane[i] = lane[i];
    }
    tally->kernel = kernel;
    tally->bins = any->bins;
    tally->bins_log2 = (unsigned)__builtin_ctzll(any->bins);
    tally->scan.bins = (uint32_t)any->bins;
    choose_counts(tally, is_one_histogram ? any : NULL, rows);
    for (size_t side = 0; side < 2 * tally->slots; side++)
        tally->counts[side] = NULL;
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        size_t slot = i % tally->slots;

        if (lane[i] == NULL) {
            tally->scan.positive[i] = tally->scan.negative[i] = (uint32_t)place_of_dustbin(tally);
            continue;
        }
        tally->scan.positive[i] = (uint32_t)place_of(tally, slot);
        tally->scan.negative[i] = (uint32_t)place_of(tally, slot + tally->slots);
        tally->counts[slot] = lane[i]->positive;
        tally->counts[slot + tally->slots] = lane[i]->negative;
    }
    tally->counts[2 * tally->slots] = &tally->dustbin;
    set_scales(tally);
    reset_extent(&tally->scan.extent);
    tally->rows = 0;
    memset(tally->missing, 0, sizeof tally->missing);
}

struct histogram_tally *histogram_tally_begin(const struct histogram_kernel *kernel,
                                              struct histogram *const lane[HISTOGRAM_LANES], size_t rows)
{
    this_tally.deltas = these_deltas;
    init(&this_tally, kernel, lane, rows);
    return &this_tally;
}

bool histogram_tally_keeps(size_t bins)
{
    return deltas_fit(HISTOGRAM_LANES, bins);
}

struct histogram_tally *histogram_tally_create(const struct histogram_kernel *kernel,
                                               struct histogram *const lane[HISTOGRAM_LANES], struct error *err)
{
    struct histogram_tally *tally = memory_create(1, sizeof *tally, "a tally", err);

    if (tally == NULL)
        return NULL;
    /* Not memory_create: pages that nobody touches cost nothing, and a ReLU leaves half of these alone. */
    tally->owned = calloc(MAX_DELTAS + ALIGNMENT, sizeof *tally->deltas);
    if (tally->owned == NULL) {
        free(tally);
        error_set(err, EX_OSERR, "cannot allocate the counts of a tally");
        return NULL;
    }
    tally->deltas = (uint8_t *)(((uintptr_t)tally->owned + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    init(tally, kernel, lane, SIZE_MAX / HISTOGRAM_LANES);
    return tally;
}

void histogram_tally_destroy(struct histogram_tally *tally)
{
    if (tally == NULL)
        return;
    free(tally->owned);
    free(tally);
}

/* Bins of a slot that may hold something on one side: up to that of its largest magnitude since the last flush. */
static size_t bins_in_use(const struct histogram_tally *tally, size_t slot, bool is_negative)
{
    const struct histogram_extent *extent = &tally->scan.extent;
    size_t bins = 0;

    for (size_t i = slot; i < HISTOGRAM_LANES; i += tally->slots) {
        float magnitude = is_negative ? -extent->min[i] : extent->max[i];

        if (tally->lane[i] != NULL && magnitude > 0) {
            size_t used = (size_t)(magnitude * tally->scan.scale[i]) + 1;

            bins = used > bins ? used : bins;
        }
    }
    return (bins + HISTOGRAM_DRAIN_BINS - 1) / HISTOGRAM_DRAIN_BINS * HISTOGRAM_DRAIN_BINS;
}

/* Brings the histograms up to date. */
static void flush(struct histogram_tally *tally)
{
    const struct histogram_extent *extent = &tally->scan.extent;

    for (size_t side = 0; !tally->is_direct && side < 2 * tally->slots; side++) {
        size_t used = bins_in_use(tally, side % tally->slots, side >= tally->slots);

        tally->kernel->drain(tally->deltas + place_of(tally, side), tally->counts[side], used);
    }
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        struct histogram *h = tally->lane[i];

        if (h == NULL)
            continue;
        h->n += tally->rows - tally->missing[i];
        h->zeros += tally->rows - tally->missing[i] - extent->nonzero[i];
        if (extent->min[i] < h->min)
            h->min = extent->min[i] + 0.0f; /* -0 becomes 0 */
        if (extent->max[i] > h->max)
            h->max = extent->max[i] + 0.0f;
    }
    reset_extent(&tally->scan.extent);
    memset(tally->missing, 0, sizeof tally->missing);
    tally->rows = 0;
}

void histogram_tally_end(struct histogram_tally *tally)
{
    flush(tally);
}

/* Negative halves for the lanes that need one by now. */
static int need_negatives(struct histogram_tally *tally, struct error *err)
{
    for (size_t i = 0; i < HISTOGRAM_LANES; i++) {
        uint64_t **counts = &tally->counts[i % tally->slots + tally->slots];

        if (tally->scan.extent.min[i] < 0 && *counts == NULL && tally->lane[i] != NULL) {
            if (histogram_need_negative(tally->lane[i], err) != 0)
                return -1;
            *counts = tally->lane[i]->negative;
        }
    }
    return 0;
}

static void count_direct(struct histogram_tally *tally)
{
    const uint32_t *index = tally->scan.index, *end = index + tally->scan.n_index;
    const size_t mask = tally->bins - 1;
    const unsigned shift = tally->bins_log2;

    for (; index < end; index++)
        tally->counts[*index >> shift][*index & mask]++;
}

/* The delta at `index` has wrapped. */
static void carry(struct histogram_tally *tally, size_t index)
{
    size_t pitch = place_of(tally, 1);

    if (index >= DUSTBIN)
        tally->dustbin += CARRY;
    else
        tally->counts[index / pitch][index % pitch] += CARRY;
}

static void count_deltas(struct histogram_tally *tally)
{
    const uint32_t *index = tally->scan.index, *end = index + tally->scan.n_index;
    uint8_t *deltas = tally->deltas;

    /* Four increments, four instructions: the processor predicts per instruction which store a load depends on.
     * Constant data 1.9 -> 3.8 G values/s, half-zero 4.7 -> 4.9. */
    for (; end - index >= 4; index += 4) {
        uint32_t a = index[0], b = index[1], c = index[2], d = index[3];

        if (++deltas[a] == 0)
            carry(tally, a);
        if (++deltas[b] == 0)
            carry(tally, b);
        if (++deltas[c] == 0)
            carry(tally, c);
        if (++deltas[d] == 0)
            carry(tally, d);
    }
    for (; index < end; index++)
        if (++deltas[*index] == 0)
            carry(tally, *index);
}

/* Values that a kernel cannot place: the reference folds, and counts NaN and Inf apart. */
static int count_by_reference(struct histogram_tally *tally, const float *x, size_t rows, size_t stride, size_t lanes,
                              struct error *err)
{
    int rc = 0;

    flush(tally);
    for (size_t i = 0; i < lanes && rc == 0; i++)
        if (tally->lane[i] != NULL)
            rc = histogram_observe_reference(tally->lane[i], x + i, rows, stride, err);
    for (size_t i = 0; i < HISTOGRAM_LANES; i++)
        if (tally->lane[i] != NULL)
            tally->counts[i % tally->slots + tally->slots] = tally->lane[i]->negative;
    set_scales(tally);
    return rc;
}

/* The next chunk travels while this one is counted: counting misses no memory, and scanning waits for nothing else. The
 * caller's next rows may follow the last one, and if not, a prefetch beyond the data is no access. ResNet-50's
 * activations, 8 images: 1.2 -> 1.6 G values/s. */
static void prefetch(const float *x, size_t stride)
{
    for (size_t row = 0; row < HISTOGRAM_CHUNK_ROWS; row++)
        __builtin_prefetch((const void *)((uintptr_t)x + row * stride * sizeof *x));
}

/* Counts what scan has found, or what made it refuse: rows of the first `lanes` lanes. */
static int count(struct histogram_tally *tally, bool is_in_range, const struct histogram_extent *before, const float *x,
                 size_t rows, size_t stride, size_t lanes, struct error *err)
{
    if (!is_in_range) {
        tally->scan.extent = *before;
        return count_by_reference(tally, x, rows, stride, lanes, err);
    }
    if (need_negatives(tally, err) != 0) {
        tally->scan.extent = *before;
        return -1;
    }
    if (tally->is_direct)
        count_direct(tally);
    else
        count_deltas(tally);
    tally->rows += rows;
    for (size_t i = lanes; i < HISTOGRAM_LANES; i++)
        tally->missing[i] += rows;
    return 0;
}

int histogram_tally_add(struct histogram_tally *tally, const float *x, size_t rows, size_t stride, struct error *err)
{
    while (rows > 0) {
        size_t chunk = rows < HISTOGRAM_CHUNK_ROWS ? rows : HISTOGRAM_CHUNK_ROWS;
        struct histogram_extent before;
        bool is_in_range;

        if (tally->rows + chunk > MAX_ROWS)
            flush(tally);
        before = tally->scan.extent;
        prefetch(x + chunk * stride, stride);
        is_in_range = tally->kernel->scan(&tally->scan, x, chunk, stride);
        if (count(tally, is_in_range, &before, x, chunk, stride, HISTOGRAM_LANES, err) != 0)
            return -1;
        x += chunk * stride;
        rows -= chunk;
    }
    return 0;
}

/* A kernel's scan of one row, lane by lane. */
static bool scan_few(struct histogram_scan *scan, const float *x, size_t lanes)
{
    scan->n_index = 0;
    for (size_t i = 0; i < lanes; i++) {
        float place = x[i] == 0 ? 0 : fabsf(x[i]) * scan->scale[i];

        if (!(place < (float)scan->bins)) /* NaN too */
            return false;
        scan->extent.min[i] = x[i] < scan->extent.min[i] ? x[i] : scan->extent.min[i];
        scan->extent.max[i] = x[i] > scan->extent.max[i] ? x[i] : scan->extent.max[i];
        if (x[i] == 0)
            continue;
        scan->extent.nonzero[i]++;
        scan->index[scan->n_index++] = (x[i] < 0 ? scan->negative[i] : scan->positive[i]) + (uint32_t)place;
    }
    return true;
}

int histogram_tally_add_few(struct histogram_tally *tally, const float *x, size_t lanes, struct error *err)
{
    struct histogram_extent before;
    bool is_in_range;

    if (tally->rows + 1 > MAX_ROWS)
        flush(tally);
    before = tally->scan.extent;
    is_in_range = scan_few(&tally->scan, x, lanes);
    return count(tally, is_in_range, &before, x, 1, HISTOGRAM_LANES, lanes, err);
}
