/* test_tnn_tool.c — thresholds and weights as TNN's own tool finds them, on numbers that are known. Whole files of the
 * tool are reproduced in jobs/test_tnn_tool.c. */
#include "coordinator/thresholds/tnn_tool.h"
#include "coordinator/weights/tnn_tool.h"
#include "worker/ranges.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* floor(2^34 / (k + 16)^3); with holes: 0 where k >= 256 and k mod 3 = 2. */
static void fill_known_counts(uint64_t *counts, bool has_holes)
{
    for (uint64_t k = 0; k < RANGE_BINS; k++) {
        uint64_t at = k + 16;

        counts[k] = has_holes && k >= 256 && k % 3 == 2 ? 0 : (UINT64_C(1) << 34) / (at * at * at);
    }
}

static void kl_keeps_the_bins_of_the_published_table(void **state)
{
    uint64_t counts[RANGE_BINS];

    (void)state;
    fill_known_counts(counts, false);
    assert_int_equal(tnn_tool_bin_kl(counts), 420);
    fill_known_counts(counts, true);
    assert_int_equal(tnn_tool_bin_kl(counts), 335);
}

static void counters_stop_where_float32_stops_counting(void **state)
{
    uint64_t counts[RANGE_BINS], full[RANGE_BINS];

    (void)state;
    fill_known_counts(counts, false);
    memcpy(full, counts, sizeof full);
    counts[0] = UINT64_C(1) << 40;
    full[0] = 1 << 24;
    assert_int_equal(tnn_tool_bin_kl(counts), tnn_tool_bin_kl(full));
}

static void odd_counts_keep_some_bin(void **state)
{
    uint64_t counts[RANGE_BINS] = {0};

    (void)state;
    counts[RANGE_BINS - 1] = 1; /* one value */
    assert_in_range(tnn_tool_bin_kl(counts), 128, RANGE_BINS - 1);
    counts[0] = UINT64_C(1) << 62;
    assert_in_range(tnn_tool_bin_kl(counts), 128, RANGE_BINS - 1);
    assert_int_equal(tnn_tool_bin_minmax(counts), RANGE_BINS - 1);
}

static void nothing_clipped_ends_half_a_bin_below_the_largest(void **state)
{
    float threshold, scale;

    (void)state;
    tnn_tool_scale(4, RANGE_BINS - 1, &threshold, &scale);
    assert_true(threshold == 4 * 2047.5F / 2048);
    assert_true(scale == (float)(4 * 2047.5 / 2048 / 127));
}

/* The vector of known answers; from max / (1.25 limit) the alternation ends worse than max-abs. */
static void the_alternation_ends_at_the_published_scale(void **state)
{
    static const float w[] = {-1, -0.6F, -0.33F, -0.1F, 0.05F, 0.2F, 0.47F, 0.9F};
    static const int16_t expected[] = {-127, -77, -42, -13, 6, 26, 60, 115};
    static const int16_t coarse[] = {-7, -5, -3, -1, 0, 2, 4, 7};
    int16_t codes[8];
    float scale;

    (void)state;
    scale = tnn_tool_admm.scale(w, 8, 127);
    assert_true(fabsf(scale - 0.0078395300F) < 1e-8F);
    tnn_tool_admm.codes(w, 8, 127, scale, codes);
    assert_memory_equal(codes, expected, sizeof expected);
    scale = tnn_tool_admm.scale(w, 8, 7);
    assert_true(fabsf(scale - 0.1285620915F) < 1e-7F);
    tnn_tool_admm.codes(w, 8, 7, scale, codes);
    assert_memory_equal(codes, coarse, sizeof coarse);
}

static void max_abs_multiplies_by_a_reciprocal(void **state)
{
    static const float w[] = {-1, 0.5F, 0.25F, 0};
    float scale = tnn_tool_maxabs.scale(w, 4, 127);
    int16_t codes[4];

    (void)state;
    assert_true(scale == 1.0F / 127);
    tnn_tool_maxabs.codes(w, 4, 127, scale, codes);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(codes[i], (int)roundf(w[i] * (1 / scale)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kl_keeps_the_bins_of_the_published_table),
        cmocka_unit_test(counters_stop_where_float32_stops_counting),
        cmocka_unit_test(odd_counts_keep_some_bin),
        cmocka_unit_test(nothing_clipped_ends_half_a_bin_below_the_largest),
        cmocka_unit_test(the_alternation_ends_at_the_published_scale),
        cmocka_unit_test(max_abs_multiplies_by_a_reciprocal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
