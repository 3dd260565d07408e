/* Tests of the threshold methods of papers and other tools: known answers of calibration.md, plain references. */
#include "../common/draw.h"
#include "coordinator/thresholds.h"
#include "coordinator/thresholds/aciq.h"
#include "coordinator/thresholds/admm.h"
#include "coordinator/thresholds/error_table.h"
#include "coordinator/thresholds/kl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LEVELS = 128 };

/* The two histograms of calibration.md section 3. */
static void known_counts(uint64_t counts[KL_BINS], bool with_gaps)
{
    for (uint64_t k = 0; k < KL_BINS; k++)
        counts[k] = with_gaps && k >= 256 && k % 3 == 2 ? 0 : ((uint64_t)1 << 34) / ((k + 16) * (k + 16) * (k + 16));
}

/* Those counts as a histogram of width 1: its re-binning is the identity but for the last bin's end. */
static struct histogram known_histogram(uint64_t counts[KL_BINS], bool with_gaps)
{
    struct histogram h = {.bins = KL_BINS, .positive = counts, .max = 2048 - 0x1p-13F};

    known_counts(counts, with_gaps);
    counts[KL_BINS - 1] += counts[KL_BINS - 1] == 0; /* where max|x| lies */
    for (size_t k = 0; k < KL_BINS; k++)
        h.n += counts[k];
    return h;
}

static float search(const char *name, const struct threshold_request *request)
{
    const struct threshold_method *method = threshold_method_find(name);
    struct threshold_found found = {-1, NULL};
    struct error err = {0};

    assert_non_null(method);
    assert_int_equal(method->search(method, request, &found, &err), 0);
    return found.threshold;
}

static void fractional_kl_gives_the_known_answers(void **state)
{
    static const struct {
        bool with_gaps;
        double floor, epsilon;
        size_t kept;
        double divergence;
    } rows[] = {
        {false, 1e-7, 0, 420, 0.0109975},
        {true, 1e-7, 0, 335, 0.0090743},
        {false, 0, 1e-4, 413, 0.0078675},
        {true, 0, 1e-4, 335, 0.0058977},
    };
    uint64_t counts[KL_BINS];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kl_fractional_request request = {counts, KL_BINS, LEVELS, rows[i].floor, rows[i].epsilon};
        struct error err = {0};
        double divergence;
        size_t kept;

        known_counts(counts, rows[i].with_gaps);
        assert_int_equal(kl_fractional_search(&request, &kept, &divergence, &err), 0);
        assert_int_equal(kept, rows[i].kept);
        assert_true(fabs(divergence - rows[i].divergence) < 6e-8);
    }
}

/* tpu-mlir takes decimal logarithms, which scales D and decides nothing. */
static void equal_chunks_with_a_stand_in_for_nothing_give_the_known_answers(void **state)
{
    static const struct {
        bool with_gaps;
        size_t kept;
        double decimal;
    } rows[] = {{false, 384, 0.0053038}, {true, 256, 0.0042638}};
    uint64_t counts[KL_BINS];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kl_request request = {counts, KL_BINS, LEVELS, 128, KL_CHUNKS, false, 1e-30};
        struct error err = {0};
        double divergence;
        size_t kept;

        known_counts(counts, rows[i].with_gaps);
        assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
        assert_int_equal(kept, rows[i].kept);
        assert_true(fabs(divergence / log(10) - rows[i].decimal) < 6e-8);
    }
}

/* From the method's name to T: which search, which bins, which edge. */
static void every_kl_variant_keeps_the_known_bins(void **state)
{
    static const struct {
        const char *name;
        size_t a, b;
        double reach;
    } rows[] = {
        {"kl-s7310", 383, 383, 0.5}, {"kl-tnn", 420, 335, 0.5},    {"kl-mnn", 420, 335, 0.5},
        {"kl-ncnn", 413, 335, 0.5},  {"kl-modelopt", 384, 383, 0},
    };
    uint64_t counts[KL_BINS];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int with_gaps = 0; with_gaps < 2; with_gaps++) {
            struct histogram h = known_histogram(counts, with_gaps);
            struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.9999};
            double bins = (double)search(rows[i].name, &request) / (double)h.max * KL_BINS;

            assert_true(fabs(bins - ((double)(with_gaps ? rows[i].b : rows[i].a) + rows[i].reach)) < 1e-3);
        }
    }
}

/* tpu-mlir's bins are centred on multiples of their width: in bins half as wide, 2 k - 1 and 2 k make bin k. */
static void centred_bins_keep_the_known_bins(void **state)
{
    uint64_t counts[KL_BINS], halves[2 * KL_BINS];

    (void)state;
    for (int with_gaps = 0; with_gaps < 2; with_gaps++) {
        struct histogram h = {.bins = (size_t)2 * KL_BINS, .positive = halves, .max = 2 * (KL_BINS - 1)};
        struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.9999};

        known_counts(counts, with_gaps);
        for (size_t k = 0; k < KL_BINS; k++) {
            halves[2 * k] = counts[k];
            halves[2 * k + 1] = 0;
            h.n += counts[k];
        }
        assert_true(search("kl-tpu-mlir", &request) == (with_gaps ? 2 * 256 : 2 * 384));
    }
}

/* Of two candidates with the same D, 0, ModelOpt takes the last. */
static void the_last_of_equals_is_taken_where_asked(void **state)
{
    uint64_t counts[KL_BINS] = {0};
    struct kl_request request = {counts, KL_BINS, LEVELS, 128, KL_CHUNKS, false, 0};
    struct error err = {0};
    double divergence;
    size_t kept;

    (void)state;
    counts[3] = 5;
    assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
    assert_int_equal(kept, 128);
    request.takes_last = true;
    assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
    assert_int_equal(kept, KL_BINS);
}

/* Levels as real intervals, bin by bin: tnn.md section 3.5 as it is written. */
static double plain_fractional(const struct kl_fractional_request *r, size_t i)
{
    double p[KL_BINS], q[KL_BINS], total = 0, clipped = 0, d = 0, width = (double)i / (double)r->levels;

    for (size_t k = 0; k < r->bins; k++)
        total += p[k] = (double)r->counts[k] + r->floor;
    for (size_t k = 0; k < r->bins; k++) {
        p[k] /= total;
        q[k] = r->epsilon;
        clipped += k >= i ? p[k] : 0;
    }
    for (size_t j = 0; j < r->levels; j++) {
        double a = (double)j * width, b = a + width, mass = 0;

        for (size_t k = 0; k < i; k++)
            mass += p[k] * fmax(0, fmin(b, (double)k + 1) - fmax(a, (double)k));
        for (size_t k = 0; k < i; k++)
            q[k] += mass / width * fmax(0, fmin(b, (double)k + 1) - fmax(a, (double)k));
    }
    for (size_t k = 0; k < i; k++) {
        double ref = p[k] + r->epsilon + (k + 1 == i ? clipped : 0);

        d += ref > 0 ? ref * log(ref / q[k]) : 0;
    }
    return d;
}

/* Random counts, thinning out, with holes. */
static void draw_counts(uint64_t *counts, size_t n, double filled)
{
    for (size_t k = 0; k < n; k++)
        counts[k] = draw_uniform(0, 1) < filled ? (uint64_t)(draw_uniform(0, 1) * 1e6 * exp(-(double)k / 40)) : 0;
    counts[n - 1] = 1;
}

static void fractional_kl_equals_the_direct_sum(void **state)
{
    static const struct {
        size_t bins, levels;
        double filled, floor, epsilon;
    } rows[] = {
        {300, 128, 0.5, 1e-7, 0}, {300, 128, 0.5, 0, 1e-4}, {200, 7, 0.9, 1e-7, 0}, {200, 64, 0.02, 1e-7, 1e-4}};
    uint64_t counts[KL_BINS];

    (void)state;
    draw_state = 21;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kl_fractional_request request = {counts, rows[i].bins, rows[i].levels, rows[i].floor, rows[i].epsilon};
        double divergence, least = INFINITY;
        struct error err = {0};
        size_t kept;

        draw_counts(counts, rows[i].bins, rows[i].filled);
        for (size_t n = request.levels; n < request.bins; n++)
            least = fmin(least, plain_fractional(&request, n));
        assert_int_equal(kl_fractional_search(&request, &kept, &divergence, &err), 0);
        assert_true(fabs(divergence - least) < 1e-11);
        assert_true(plain_fractional(&request, kept) - least < 1e-11);
    }
}

static bool plain_smooth(double *x, size_t n, double epsilon)
{
    double empty = 0;

    for (size_t k = 0; k < n; k++)
        empty += x[k] == 0;
    if (empty == (double)n || epsilon * empty / ((double)n - empty) >= 1)
        return false;
    for (size_t k = 0; k < n; k++)
        x[k] += x[k] == 0 ? epsilon : -epsilon * empty / ((double)n - empty);
    return true;
}

/* A window of `side` bins on either side of the centre, as ONNX Runtime's calibration describes it. */
static double plain_window(const struct kl_window_request *r, size_t side)
{
    double p[1001] = {0}, q[1001] = {0}, p_sum = 0, q_sum = 0, d = 0;
    size_t n = 2 * side + 1, chunk = n / r->levels, first = r->half - side;

    for (size_t k = 0; k < 2 * r->half + 1; k++)
        p[k < first ? 0 : k >= first + n ? n - 1 : k - first] += (double)r->counts[k];
    for (size_t g = 0; g < r->levels; g++) {
        size_t from = g * chunk, to = g + 1 == r->levels ? n : from + chunk, filled = 0;
        double mass = 0;

        for (size_t k = from; k < to; k++) {
            mass += (double)r->counts[first + k];
            filled += p[k] > 0;
        }
        for (size_t k = from; k < to; k++)
            q[k] = p[k] > 0 ? mass / (double)filled : 0;
    }
    if (!plain_smooth(p, n, r->epsilon) || !plain_smooth(q, n, r->epsilon))
        return INFINITY;
    for (size_t k = 0; k < n; k++) {
        p_sum += p[k];
        q_sum += q[k];
    }
    for (size_t k = 0; k < n; k++)
        d += p[k] / p_sum * log(p[k] / p_sum / (q[k] / q_sum));
    return isnan(d) ? INFINITY : d;
}

static void window_kl_equals_the_direct_sum(void **state)
{
    uint64_t counts[1001];

    (void)state;
    draw_state = 22;
    for (size_t half = 70; half <= 500; half += 61) {
        struct kl_window_request request = {counts, half, LEVELS, 1e-4};
        double divergence, least = INFINITY;
        struct error err = {0};
        size_t kept;

        draw_counts(counts + half, half + 1, 0.8);
        for (size_t k = 0; k < half; k++)
            counts[k] = (uint64_t)((double)counts[2 * half - k] * draw_uniform(0, 2));
        for (size_t side = LEVELS / 2; side <= half; side++)
            least = fmin(least, plain_window(&request, side));
        assert_int_equal(kl_window_search(&request, &kept, &divergence, &err), 0);
        assert_true(fabs(divergence - least) < 1e-11);
        assert_true(plain_window(&request, kept) - least < 1e-11);
    }
}

/* A pitfall that calibration.md names: 128 bins and 128 levels leave one candidate, which clips nothing. */
static void as_many_bins_as_levels_leave_one_window(void **state)
{
    uint64_t counts[129] = {[64] = 1000, [10] = 1, [128] = 1};
    struct kl_window_request request = {counts, 64, LEVELS, 1e-4};
    struct error err = {0};
    double divergence;
    size_t kept;

    (void)state;
    assert_int_equal(kl_window_search(&request, &kept, &divergence, &err), 0);
    assert_int_equal(kept, 64);
}

/* ---- analytic methods ---- */

static void octav_gives_the_known_answers(void **state)
{
    static const struct {
        bool is_reciprocal;
        int32_t steps;
        double clip;
    } rows[] = {{false, 7, 951.94339}, {false, 127, 997.31421}, {true, 7, 454.617206}, {true, 127, 994.944511}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct histogram h = {0};
        struct threshold_request request = {.histogram = &h, .steps = rows[i].steps, .percentile = 0.9999};
        struct error err = {0};

        /* Bins of 2^-12, so that their centres are the values to 1.3e-7. */
        assert_int_equal(histogram_init(&h, 1 << 22, &err), 0);
        for (int k = 1; k <= 1000; k++) {
            float x = rows[i].is_reciprocal ? 1000.0F / (float)k : (float)k;

            assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
        }
        assert_true(fabs((double)search("octav", &request) / rows[i].clip - 1) < 1e-6);
        histogram_fini(&h);
    }
}

static void aciq_ratios_are_those_of_the_tables(void **state)
{
    static const double laplace[] = {2.830683, 3.897229, 5.028640, 6.204766, 7.413126, 8.645620, 9.896760, 11.162685};
    static const double gauss[] = {1.710635, 2.151593, 2.559136, 2.936201, 3.286914, 3.615114, 3.924035, 4.216330};

    (void)state;
    for (int bits = 2; bits <= 9; bits++) { /* 9: 8 bits of one side */
        assert_true(fabs(aciq_laplace_ratio(ldexp(1, bits - 1)) - laplace[bits - 2]) < 6e-7);
        assert_true(fabs(aciq_gauss_ratio(ldexp(1, bits - 1)) - gauss[bits - 2]) < 6e-7);
    }
}

static struct histogram drawn(double (*value)(void), size_t n)
{
    struct histogram h = {0};
    struct error err = {0};

    assert_int_equal(histogram_init(&h, 8192, &err), 0);
    for (size_t i = 0; i < n; i++) {
        float x = (float)value();

        assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
    }
    return h;
}

static double laplace_value(void)
{
    return copysign(-log(1 - draw_uniform(0, 1)), draw_uniform(-1, 1));
}

static double rectified_laplace_value(void)
{
    return fmax(laplace_value(), 0);
}

static double small_normal_value(void)
{
    return draw_normal() / 16;
}

static void aciq_tells_the_families_apart(void **state)
{
    struct histogram h;
    struct threshold_request request = {.histogram = &h, .steps = 7, .percentile = 0.9999};

    (void)state;
    draw_state = 23;
    h = drawn(laplace_value, 100000);
    assert_true(search("aciq", &request) == search("aciq-laplace", &request));
    assert_true(fabs((double)search("aciq", &request) - 5.028640) < 0.05);
    histogram_fini(&h);
    h = drawn(small_normal_value, 100000);
    assert_true(search("aciq", &request) == search("aciq-gauss", &request));
    assert_true(fabs((double)search("aciq", &request) * 16 - 2.559136) < 0.03);
    histogram_fini(&h);
    h = drawn(rectified_laplace_value, 100000); /* half a density: its zeros say nothing of b */
    request.is_unsigned = true;
    request.steps = 15;
    assert_true(fabs((double)search("aciq", &request) - 6.204766) < 0.06);
    histogram_fini(&h);
}

/* The weights of calibration.md section 8 as magnitudes: their signs change nothing. */
static void alternation_gives_the_known_answers(void **state)
{
    static const float w[] = {1, 0.6F, 0.33F, 0.1F, 0.05F, 0.2F, 0.47F, 0.9F};
    static const struct {
        int32_t steps;
        double start, scale;
    } rows[] = {
        {127, 1 / 1.25, 0.0078395300}, {127, 1, 0.0078807641}, {7, 1 / 1.25, 0.1285620915}, {7, 1, 0.1480172414}};
    struct histogram h = {0};
    struct error err = {0};
    struct magnitudes m;

    (void)state;
    assert_int_equal(histogram_init(&h, 1 << 23, &err), 0);
    assert_int_equal(histogram_observe(&h, w, 8, &err), 0);
    for (size_t i = 0; i < 4; i++) {
        struct threshold_request request = {.histogram = &h, .steps = rows[i].steps, .percentile = 0.9999};

        assert_int_equal(magnitudes_init(&m, &request, &err), 0);
        double scale = admm_alternate(&m, rows[i].steps, rows[i].start * m.limit / rows[i].steps);

        assert_true(fabs(ldexp(scale, m.exponent) / rows[i].scale - 1) < 1e-6);
        magnitudes_fini(&m);
    }
    histogram_fini(&h);
}

/* ---- Ascend ---- */

static void ifmr_is_the_best_of_its_candidates(void **state)
{
    struct histogram h;
    struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.9999};
    double clip, least = INFINITY, found;

    (void)state;
    draw_state = 24;
    h = drawn(laplace_value, 200000); /* fewer than a million: the percentile is the largest value */
    clip = (double)fmaxf(h.max, -h.min);
    for (int i = 0; i < 61; i++)
        least = fmin(least, threshold_squared_error(&request, fmin(clip, clip * (0.7 + 0.01 * i))));
    found = (double)search("ifmr", &request);
    assert_true(fabs(threshold_squared_error(&request, found) / least - 1) < 1e-6);
    assert_true(fabs(remainder(found / clip, 0.01)) < 1e-6);
    histogram_fini(&h);
}

/* The error of 256 codes over bins [first, last] by its definition: source bins even, target 0 or 255 outside. */
static double plain_range_error(const uint64_t *counts, size_t bins, size_t first, size_t last)
{
    enum { PARTS = 64 };
    double part = (double)(last + 1 - first) / 256, error = 0;

    for (size_t k = 0; k < bins; k++) {
        for (int i = 0; i < PARTS && counts[k] > 0; i++) {
            double x = (double)k + (i + 0.5) / PARTS, code = floor((x - (double)first) / part);
            double miss = x - ((double)first + part * (fmax(0, fmin(255, code)) + 0.5));

            error += (double)counts[k] * miss * miss / PARTS;
        }
    }
    return error;
}

static void range_errors_are_those_of_256_even_codes(void **state)
{
    enum { BINS = 1024 };
    uint64_t counts[BINS];
    struct error_table table = {0};
    struct error err = {0};

    (void)state;
    draw_state = 25;
    draw_counts(counts, BINS, 0.7);
    assert_int_equal(error_table_init(&table, counts, BINS, &err), 0);
    for (size_t first = 0; first < 300; first += 97) {
        for (size_t last = 700; last < BINS; last += 101) {
            double part = (double)(last + 1 - first) / 256;
            double found = error_table_error(&table, (double)first + part / 2, part, 255);

            assert_true(fabs(found / plain_range_error(counts, BINS, first, last) - 1) < 2e-3);
        }
    }
    error_table_fini(&table);
}

/* A million values on [0, 1) and one at 4: the empty bins between go at once. */
static void hfmg_cuts_a_lonely_outlier(void **state)
{
    struct histogram h;
    struct threshold_request request = {.histogram = &h, .steps = 255, .is_unsigned = true, .percentile = 0.9999};
    struct error err = {0};
    float far = 4, t;

    (void)state;
    draw_state = 26;
    h = drawn(rectified_laplace_value, 0);
    for (int i = 0; i < 1000000; i++) {
        float x = (float)draw_uniform(0, 1);

        assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
    }
    assert_int_equal(histogram_observe(&h, &far, 1, &err), 0);
    t = search("hfmg", &request);
    assert_true(t < 4);
    assert_true(threshold_squared_error(&request, (double)t) < threshold_squared_error(&request, 4));
    histogram_fini(&h);
}

/* ---- percentiles ---- */

static void percentiles_differ_in_what_they_count(void **state)
{
    /* 20 values: 10 zeros, 1..6 and -1..-4. Bins of 1, so T is the end of the bin of the value named, or max|x|. */
    static const float x[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, -1, -2, -3, -4};
    static const struct {
        const char *name;
        double kept, low, high;
    } rows[] = {
        {"percentile", 0.75, 2, 3},        /* rank 15 of 20: the fifth magnitude, a 3 cut in halves or the second 2 */
        {"percentile-nz", 0.75, 4, 5},     /* rank 8 of 10: the second 4 */
        {"percentile-two", 0.8125, 4, 5},  /* rank 19 of 20 at the upper end: 5; at the lower: -3 */
        {"percentile-two-nz", 0.75, 5, 6}, /* rank 9 of 10: 5; at the lower end -3 */
    };
    struct histogram h = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(histogram_init(&h, 8, &err), 0);
    assert_int_equal(histogram_observe(&h, x, sizeof x / sizeof *x, &err), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = rows[i].kept};
        double t = (double)search(rows[i].name, &request);

        assert_true(t > rows[i].low && t <= rows[i].high + 1);
    }
    histogram_fini(&h);
}

/* ---- auto ---- */

static void auto_weighs_clipping_three_times(void **state)
{
    struct histogram h;
    struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.9999};
    const struct threshold_method *method = threshold_method_find("auto");
    struct threshold_found found;
    struct error err = {0};

    (void)state;
    draw_state = 27;
    h = drawn(laplace_value, 100000);
    assert_int_equal(method->search(method, &request, &found, &err), 0);
    assert_non_null(found.by);
    assert_true(found.threshold == search(found.by, &request));
    assert_true(found.threshold >= search("mse", &request)); /* never more clipping than the plain error wants */
    histogram_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fractional_kl_gives_the_known_answers),
        cmocka_unit_test(equal_chunks_with_a_stand_in_for_nothing_give_the_known_answers),
        cmocka_unit_test(every_kl_variant_keeps_the_known_bins),
        cmocka_unit_test(centred_bins_keep_the_known_bins),
        cmocka_unit_test(the_last_of_equals_is_taken_where_asked),
        cmocka_unit_test(fractional_kl_equals_the_direct_sum),
        cmocka_unit_test(window_kl_equals_the_direct_sum),
        cmocka_unit_test(as_many_bins_as_levels_leave_one_window),
        cmocka_unit_test(octav_gives_the_known_answers),
        cmocka_unit_test(aciq_ratios_are_those_of_the_tables),
        cmocka_unit_test(aciq_tells_the_families_apart),
        cmocka_unit_test(alternation_gives_the_known_answers),
        cmocka_unit_test(ifmr_is_the_best_of_its_candidates),
        cmocka_unit_test(range_errors_are_those_of_256_even_codes),
        cmocka_unit_test(hfmg_cuts_a_lonely_outlier),
        cmocka_unit_test(percentiles_differ_in_what_they_count),
        cmocka_unit_test(auto_weighs_clipping_three_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
