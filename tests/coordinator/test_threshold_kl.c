/* test_threshold_kl.c — KL divergences are what their definition says, in each tool's reading of it. */
#include "threshold_samples.h"

#include "coordinator/thresholds/kl.h"

/* The two histograms of calibration.md section 3. ModelOpt, whose levels are the even ones, first levels bin 0 down to
 * bin 1. */
static void known_counts(uint64_t counts[KL_BINS], bool with_gaps, bool is_model_opt)
{
    for (uint64_t k = 0; k < KL_BINS; k++)
        counts[k] = with_gaps && k >= 256 && k % 3 == 2 ? 0 : ((uint64_t)1 << 34) / ((k + 16) * (k + 16) * (k + 16));
    if (is_model_opt)
        counts[0] = counts[1];
}

static void kl_gives_the_known_answers(void **state)
{
    static const struct {
        bool with_gaps;
        enum kl_grouping grouping;
        size_t step, kept;
        double divergence;
    } rows[] = {
        {false, KL_CHUNKS, 1, 383, 0.0076834}, {false, KL_CHUNKS, 128, 384, 0.0122124},
        {true, KL_CHUNKS, 1, 383, 0.0055140},  {true, KL_CHUNKS, 128, 256, 0.0098178},
        {false, KL_EVEN, 1, 384, 0.0101978},   {true, KL_EVEN, 1, 383, 0.0077649},
    };
    uint64_t counts[KL_BINS];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kl_request request = {counts, KL_BINS, 128, rows[i].step, rows[i].grouping, false, 0};
        struct error err = {0};
        double divergence;
        size_t kept;

        known_counts(counts, rows[i].with_gaps, rows[i].grouping == KL_EVEN);
        assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
        assert_int_equal(kept, rows[i].kept);
        assert_true(fabs(divergence - rows[i].divergence) < 6e-8);
    }
}

/* D(i) term by term, as the slides describe it. */
static double plain_divergence(const struct kl_request *r, size_t i)
{
    double p[KL_BINS], q[KL_BINS], p_sum = 0, q_sum = 0, d = 0;

    for (size_t k = 0; k < i; k++)
        p[k] = (double)r->counts[k];
    for (size_t k = i; k < r->bins; k++)
        p[i - 1] += (double)r->counts[k];
    for (size_t g = 0; g < r->levels; g++) {
        size_t chunk = i / r->levels, first = g * chunk, end = g + 1 == r->levels ? i : first + chunk;
        double mass = 0, filled = 0;

        if (r->grouping == KL_EVEN) {
            for (first = 0; first * r->levels / i < g; first++)
                ;
            for (end = first; end < i && end * r->levels / i == g; end++)
                ;
        }
        for (size_t k = first; k < end; k++) {
            mass += (double)r->counts[k];
            filled += r->counts[k] > 0;
        }
        for (size_t k = first; k < end; k++)
            q[k] = r->counts[k] > 0 ? mass / filled : 0;
    }
    for (size_t k = 0; k < i; k++) {
        p_sum += p[k];
        q_sum += q[k];
    }
    for (size_t k = 0; k < i; k++) {
        if (p[k] > 0)
            d += q[k] > 0 ? p[k] / p_sum * log(p[k] / p_sum / (q[k] / q_sum)) : INFINITY;
    }
    return d;
}

static void kl_equals_the_direct_sum(void **state)
{
    static const struct {
        size_t bins, levels;
        enum kl_grouping grouping;
        double filled, decay; /* bins in which the counts fall by a factor of e */
    } rows[] = {
        {512, 128, KL_EVEN, 0.5, 40},   {512, 128, KL_CHUNKS, 0.5, 40}, {300, 100, KL_EVEN, 0.9, 40},
        {64, 64, KL_EVEN, 0.5, 40},     {512, 7, KL_EVEN, 0.05, 40},    {511, 256, KL_EVEN, 0.02, 40},
        {40, 2, KL_CHUNKS, 0.3, 40},    {1000, 128, KL_EVEN, 1, 30},    {1000, 128, KL_EVEN, 1, 120},
        {1000, 128, KL_EVEN, 1, 500},   {1000, 128, KL_EVEN, 1, 1e9},   {1000, 60, KL_EVEN, 1, -200},
        {1500, 128, KL_EVEN, 0.99, 60},
    };
    uint64_t counts[KL_BINS];

    (void)state;
    draw_state = 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kl_request request = {counts, rows[i].bins, rows[i].levels, 1, rows[i].grouping, false, 0};
        double divergence, least = INFINITY;
        struct error err = {0};
        size_t kept;

        for (size_t k = 0; k < request.bins; k++)
            counts[k] = draw_uniform(0, 1) < rows[i].filled
                            ? (uint64_t)(draw_uniform(0, 1) * 1e6 * exp(-(double)k / rows[i].decay))
                            : 0;
        counts[request.bins - 1] = 1;
        for (size_t n = request.levels; n <= request.bins; n++)
            least = fmin(least, plain_divergence(&request, n));
        assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
        assert_true(fabs(divergence - least) < 1e-12);
        assert_true(plain_divergence(&request, kept) - least < 1e-12);
    }
}

/* With all the mass in the last bin every other candidate clips into an empty one. */
static void kl_passes_over_infinite_divergences(void **state)
{
    uint64_t counts[KL_BINS] = {0};
    struct kl_request request = {counts, KL_BINS, 128, 1, KL_EVEN, false, 0};
    struct error err = {0};
    double divergence;
    size_t kept;

    (void)state;
    counts[2000] = 7;
    assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
    assert_int_equal(kept, 2001);
    assert_true(fabs(divergence) < 1e-12);
    request.bins = 2000; /* nothing at all */
    assert_int_equal(kl_search(&request, &kept, &divergence, &err), 0);
    assert_int_equal(kept, 2000);
}

static void rebinning_keeps_every_count(void **state)
{
    static const size_t bins[] = {2, 64, 2048, 8192, 65536};

    (void)state;
    draw_state = 4;
    for (size_t i = 0; i < sizeof bins / sizeof *bins; i++) {
        for (int kind = 0; kind < N_KINDS; kind++) {
            struct histogram h = observed((enum sample)kind, bins[i], 2000, 1.7);
            struct threshold_request request = request_of(&h);
            uint64_t counts[KL_BINS], total = 0;
            struct error err = {0};
            struct magnitudes m;

            assert_int_equal(magnitudes_init(&m, &request, &err), 0);
            kl_rebin(&m, counts);
            for (size_t k = 0; k < KL_BINS; k++) {
                double end = m.limit * ((double)k + 1) / KL_BINS;
                uint64_t below = 0, up_to = 0;

                /* No edge is off by more than the bin it cuts. */
                total += counts[k];
                for (size_t fine = 0; fine < m.bins; fine++) {
                    below += (double)fine + 1 <= end ? m.count[fine] : 0;
                    up_to += (double)fine < end ? m.count[fine] : 0;
                }
                if (bins[i] <= 8192)
                    assert_true(below <= total && total <= up_to);
            }
            assert_true(total == m.total);
            magnitudes_fini(&m);
            histogram_fini(&h);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kl_gives_the_known_answers),
        cmocka_unit_test(kl_equals_the_direct_sum),
        cmocka_unit_test(kl_passes_over_infinite_divergences),
        cmocka_unit_test(rebinning_keeps_every_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
