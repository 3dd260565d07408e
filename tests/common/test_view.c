/* test_view.c — plain order comes out of every blocked layout, and so do the sums of channels. */
#include "common/view.h"

#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(size_t records, size_t channels, size_t spatial, size_t block)
{
    struct view v = {NULL, records, channels, spatial, block};
    size_t span = view_span(&v), n_plain = records * channels * spatial;
    float *data = malloc(span * sizeof *data), *plain = malloc((n_plain + 1) * sizeof *plain);

    v.data = data;
    for (size_t i = 0; i < span; i++)
        data[i] = (float)i; /* exact, and all different: spans are below 2^24 */
    plain[n_plain] = -1;
    view_copy_plain(&v, plain);
    for (size_t n = 0; n < records; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t s = 0; s < spatial; s++)
                assert_true(plain[(n * channels + c) * spatial + s] ==
                            data[((n * view_blocks(&v) + c / block) * spatial + s) * block + c % block]);
    assert_true(plain[n_plain] == -1);
    assert_int_equal(span - n_plain, view_padding(&v));
    free(data);
    free(plain);
}

static void every_layout_becomes_plain(void **unused)
{
    const size_t blocks[] = {1, 2, 3, 4, 8, 16, 32}, channels[] = {1, 3, 4, 8, 13, 16, 17, 40},
                 spatials[] = {1, 2, 4, 15, 16, 49};

    (void)unused;
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        for (size_t s = 0; s < sizeof spatials / sizeof *spatials; s++) {
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
                check(1 + draw_below(3), channels[c], spatials[s], blocks[b]);
            check(2, channels[c], spatials[s], channels[c]); /* NHWC */
        }
}

static void large_maps_become_plain(void **unused)
{
    (void)unused;
    check(2, 64, 56 * 56, 16);
    check(1, 20, 33 * 31, 8);
    check(1, 100, 1000, 100);
}

static void padding_is_what_exceeds_the_channels(void **unused)
{
    const struct view v = {NULL, 2, 20, 9, 16};

    (void)unused;
    assert_int_equal(view_blocks(&v), 2);
    assert_int_equal(view_span(&v), 2 * 2 * 9 * 16);
    assert_int_equal(view_padding(&v), 2 * 12 * 9);
}

/* The order that view.h promises, one channel at a time: x[i * stride], i < n, in runs of VIEW_RUN. */
static double sum_runs(const float *x, size_t n, size_t stride)
{
    double sum = 0;

    for (size_t first = 0; first < n; first += VIEW_RUN) {
        float run = 0;

        for (size_t i = first; i < n && i < first + VIEW_RUN; i++)
            run += x[i * stride];
        sum += (double)run;
    }
    return sum;
}

/* A plain channel is 16 interleaved ones, and what is left over. */
static double sum_plain(const float *x, size_t n)
{
    double sum = 0;

    for (size_t lane = 0; lane < 16; lane++)
        sum += sum_runs(x + lane, n / 16, 16);
    for (size_t i = n / 16 * 16; i < n; i++)
        sum += (double)x[i];
    return sum;
}

static void check_sums(size_t records, size_t channels, size_t spatial, size_t block)
{
    struct view v = {NULL, records, channels, spatial, block};
    float *data = malloc(view_span(&v) * sizeof *data);
    double *sums = malloc((channels + 1) * sizeof *sums);

    v.data = data;
    for (size_t i = 0; i < view_span(&v); i++)
        data[i] = (float)draw_normal();
    sums[channels] = -1;
    view_channel_sums(&v, sums);
    assert_true(sums[channels] == -1);
    for (size_t c = 0; c < channels; c++) {
        double expected = 0;

        for (size_t n = 0; n < records; n++) {
            const float *x = data + (n * view_blocks(&v) + c / block) * spatial * block + c % block;

            if (block == 1)
                expected += sum_plain(x, spatial);
            for (size_t s = 0; block > 1 && s < spatial; s += VIEW_RUN)
                expected += sum_runs(x + s * block, spatial - s < VIEW_RUN ? spatial - s : VIEW_RUN, block);
        }
        assert_true(sums[c] == expected); /* to the last bit */
    }
    free(data);
    free(sums);
}

static void channels_are_summed_in_the_order_of_the_header(void **unused)
{
    const size_t blocks[] = {1, 2, 3, 8, 16, 24}, channels[] = {1, 3, 8, 13, 16, 20, 40},
                 spatials[] = {1, 31, 32, 33, 100, 16 * 32, 16 * 33 + 5};

    (void)unused;
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        for (size_t s = 0; s < sizeof spatials / sizeof *spatials; s++) {
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
                check_sums(1 + draw_below(3), channels[c], spatials[s], blocks[b]);
            check_sums(2, channels[c], spatials[s], channels[c]); /* NHWC */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_becomes_plain),
        cmocka_unit_test(large_maps_become_plain),
        cmocka_unit_test(padding_is_what_exceeds_the_channels),
        cmocka_unit_test(channels_are_summed_in_the_order_of_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
