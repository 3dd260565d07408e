/* kl_variants.c — the KL thresholds of other tools, each a row of what it does differently (calibration.md section 3).
 *
 * They are those tools' recipes on our counts: one range for all data and 64-bit integers, where some of them widen
 * theirs as images come, or count in float32. All use 128 levels, whatever the codes of the target.
 */
#include "coordinator/thresholds/kl.h"
#include "coordinator/thresholds/tnn_tool.h"

enum kl_search {
    SEARCH_WHOLE,      /* levels of whole bins, Q on non-empty bins, normalised */
    SEARCH_FRACTIONAL, /* levels of equal real width */
    SEARCH_WINDOW,     /* signed counts */
};

struct variant {
    enum kl_search search;
    enum kl_grouping grouping; /* whole */
    size_t step;               /* whole: between candidates */
    bool takes_last;           /* whole: of equal candidates */
    bool levels_first_bin;     /* the first bin counts as much as the second */
    bool rounds;               /* bin k is centred on k widths, not begun there: limit / 2,047 wide */
    double nothing;            /* whole: for a probability of 0; 0: the candidate is out */
    double floor, epsilon;     /* fractional, window */
    double reach;              /* T = (kept + reach) widths */
};

enum { LEVELS = 128, HALF = KL_BINS / 2 };

static const struct variant s7310 = {.grouping = KL_CHUNKS, .step = 1, .reach = 0.5};
static const struct variant modelopt = {.grouping = KL_EVEN, .step = 1, .takes_last = true, .levels_first_bin = true};
static const struct variant tpu_mlir = {.grouping = KL_CHUNKS, .step = 128, .rounds = true, .nothing = 1e-30};
static const struct variant tnn = {.search = SEARCH_FRACTIONAL, .floor = 1e-7, .reach = 0.5};
static const struct variant ncnn = {.search = SEARCH_FRACTIONAL, .epsilon = 1e-4, .reach = 0.5};
static const struct variant ort = {.search = SEARCH_WINDOW, .epsilon = 1e-4, .reach = 0.5};

static int search_magnitudes(const struct variant *v, const struct threshold_request *request,
                             struct threshold_found *found, struct error *err)
{
    uint64_t counts[KL_BINS];
    struct magnitudes m;
    double width, divergence;
    size_t kept;
    int rc;

    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    width = m.limit / (v->rounds ? KL_BINS - 1 : KL_BINS);
    counts_resample(m.count, 0, m.limit, v->rounds ? width / 2 : width, width, counts, KL_BINS);
    if (v->levels_first_bin)
        counts[0] = counts[1];
    rc = v->search == SEARCH_WHOLE
             ? kl_search(&(struct kl_request){counts, KL_BINS, LEVELS, v->step, v->grouping, v->takes_last, v->nothing},
                         &kept, &divergence, err)
             : kl_fractional_search(&(struct kl_fractional_request){counts, KL_BINS, LEVELS, v->floor, v->epsilon},
                                    &kept, &divergence, err);
    if (rc == 0)
        found->threshold = magnitudes_threshold(&m, ((double)kept + v->reach) * width);
    magnitudes_fini(&m);
    return rc;
}

static int search_signed(const struct variant *v, const struct threshold_request *request,
                         struct threshold_found *found, struct error *err)
{
    uint64_t counts[2 * HALF + 1];
    struct signed_counts s;
    struct magnitudes m;
    double width, divergence;
    size_t kept;
    int rc;

    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    rc = signed_counts_init(&s, request, err);
    if (rc == 0) {
        width = 2 * m.limit / (2 * HALF + 1);
        counts_resample(s.count, s.low, s.high, (double)s.origin - m.limit + width, width, counts, 2 * HALF + 1);
        counts[HALF] += s.zeros;
        rc = kl_window_search(&(struct kl_window_request){counts, HALF, LEVELS, v->epsilon}, &kept, &divergence, err);
    }
    if (rc == 0)
        found->threshold = magnitudes_threshold(&m, ((double)kept + v->reach) * width);
    signed_counts_fini(&s);
    magnitudes_fini(&m);
    return rc;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    const struct variant *v = method->parameters;

    return v->search == SEARCH_WINDOW ? search_signed(v, request, found, err)
                                      : search_magnitudes(v, request, found, err);
}

#define KL_VARIANT(id, text, says, row, ...)                                                                           \
    const struct threshold_method threshold_method_##id = {                                                            \
        .name = text, .summary = says, .parameters = &(row), .search = search, __VA_ARGS__}

KL_VARIANT(kl_s7310, "kl-s7310", "KL as the S7310 slides are usually read: equal chunks, the rest in the last", s7310);
KL_VARIANT(kl_tnn, "kl-tnn", "KL of TNN: fractional levels, 1e-7 in every bin, Q not normalised", tnn,
           .in_tnn = tnn_tool_bin_kl);
KL_VARIANT(kl_mnn, "kl-mnn", "KL of MNN, the same recipe as TNN's", tnn);
KL_VARIANT(kl_ncnn, "kl-ncnn", "KL of ncnn: fractional levels, 1e-4 added to P and Q", ncnn);
KL_VARIANT(kl_modelopt, "kl-modelopt", "KL of ModelOpt: first bin levelled, last of equals, upper edge", modelopt);
KL_VARIANT(kl_ort, "kl-ort", "KL of ONNX Runtime: symmetric windows of a signed histogram, zeros counted", ort);
KL_VARIANT(kl_tpu_mlir, "kl-tpu-mlir", "KL of tpu-mlir: 16 candidates, equal chunks, bins centred", tpu_mlir);
