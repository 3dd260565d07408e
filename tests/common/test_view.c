/* test_view.c — plain order comes out of every blocked layout. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_becomes_plain),
        cmocka_unit_test(large_maps_become_plain),
        cmocka_unit_test(padding_is_what_exceeds_the_channels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
