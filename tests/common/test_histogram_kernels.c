/* test_histogram_kernels.c — every kernel gives the bits of the reference, per tensor and per channel, in every layout.
 *
 * That the reference is right is in test_histogram.c.
 */
#include "common/histogram_kernels.h"

#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 1 << 14 };

static float values[MOST + 16];

/* What activations look like, and what they never should. */
enum kind {
    KIND_HALF_ZERO,
    KIND_NORMAL,
    KIND_POSITIVE, /* no zero, so that a padding zero would show as the minimum */
    KIND_CONSTANT,
    KIND_SATURATED,
    KIND_ALL_ZERO,
    KIND_DENORMAL,
    KIND_HUGE,
    KIND_GROWING,      /* by 2^60 in mid-run */
    KIND_WITH_NAN_INF, /* rarely */
    KIND_ANY_BITS,
    KIND_COUNT
};

static float draw_value(enum kind kind, size_t i, size_t n)
{
    float x = (float)draw_normal();

    switch (kind) {
    case KIND_HALF_ZERO:
        return x > 0 ? x : copysignf(0, x); /* zeros of both signs */
    case KIND_NORMAL:
        return x;
    case KIND_POSITIVE:
        return fabsf(x) + 0.25f;
    case KIND_CONSTANT:
        return 6;
    case KIND_SATURATED:
        return fminf(fmaxf(x, 0), 0.25f);
    case KIND_ALL_ZERO:
        return 0;
    case KIND_DENORMAL:
        return ldexpf(x, -140);
    case KIND_HUGE:
        return ldexpf(x, 125);
    case KIND_GROWING:
        return ldexpf(x, i < n / 2 ? -30 : 30);
    case KIND_WITH_NAN_INF:
        return draw_below(3000) > 0 ? x : draw_below(2) ? NAN : copysignf(INFINITY, x);
    default:
        return draw_any_float();
    }
}

static void fill(enum kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = draw_value(kind, i, n);
}

static struct histogram *fresh(size_t n, size_t bins)
{
    struct histogram *h = calloc(n, sizeof *h);
    struct error err = {0};

    for (size_t i = 0; i < n; i++)
        assert_int_equal(histogram_init(&h[i], bins, &err), 0);
    return h;
}

static void discard(struct histogram *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        histogram_fini(&h[i]);
    free(h);
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
    struct error err = {0};

    assert_true(histogram_equal(a, b));
    assert_true((a->negative == NULL) == (b->negative == NULL));
    assert_memory_equal(&a->min, &b->min, sizeof a->min); /* == would let -0 pass for 0 */
    assert_memory_equal(&a->max, &b->max, sizeof a->max);
    if (histogram_check(b, &err) != 0)
        fail_msg("%s", err.text);
}

/* Calls what(kernel) for every kernel of this machine. */
static void for_each_kernel(void (*what)(const struct histogram_kernel *kernel))
{
    for (enum isa isa = 0; isa < ISA_COUNT; isa++)
        if (histogram_kernel_find(isa) != NULL && isa_is_supported(isa))
            what(histogram_kernel_find(isa));
}

static void compare_arrays(const struct histogram_kernel *kernel)
{
    const size_t bin_counts[] = {2, 16, 32, 2048, 8192, 65536}, lengths[] = {0, 1, 63, 64, 65, 1024, 5000, MOST};
    struct error err = {0};

    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        for (size_t b = 0; b < sizeof bin_counts / sizeof *bin_counts; b++) {
            struct histogram *expected = fresh(1, bin_counts[b]), *found = fresh(1, bin_counts[b]);

            /* One histogram takes all lengths in turn: later calls begin with a range already known. */
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                size_t first = draw_below(16); /* unaligned */

                fill(kind, MOST + 16);
                assert_int_equal(histogram_observe_reference(expected, values + first, lengths[i], 1, &err), 0);
                assert_int_equal(histogram_observe_with(kernel, found, values + first, lengths[i], &err), 0);
                assert_same(expected, found);
            }
            discard(expected, 1);
            discard(found, 1);
        }
}

static void kernels_count_arrays_like_the_reference(void **unused)
{
    (void)unused;
    for_each_kernel(compare_arrays);
}

static void compare_long_array(const struct histogram_kernel *kernel)
{
    const size_t n = 5 * (size_t)UINT16_MAX * HISTOGRAM_LANES; /* all in one bin */
    float *x = malloc(n * sizeof *x);
    struct histogram *h = fresh(1, 8192), *channels = fresh(HISTOGRAM_LANES, 2048);
    struct view v = {x, 1, HISTOGRAM_LANES, n / HISTOGRAM_LANES, HISTOGRAM_LANES};
    struct error err = {0};

    for (size_t i = 0; i < n; i++)
        x[i] = 6;
    assert_int_equal(histogram_observe_with(kernel, h, x, n, &err), 0);
    assert_true(h->positive[6 << 10] == n && h->n == n);
    assert_int_equal(histogram_observe_channels_with(kernel, channels, &v, &err), 0);
    for (size_t c = 0; c < HISTOGRAM_LANES; c++)
        assert_true(channels[c].positive[6 << 8] == n / HISTOGRAM_LANES && channels[c].n == n / HISTOGRAM_LANES);
    discard(h, 1);
    discard(channels, HISTOGRAM_LANES);
    free(x);
}

static void eight_bit_deltas_carry_when_they_wrap(void **unused)
{
    (void)unused;
    for_each_kernel(compare_long_array);
}

/* A view of `values`, data of one kind, whatever the kind of padding. */
static struct view draw_view(enum kind kind, size_t block, enum kind padding)
{
    struct view v = {.data = values, .records = 1 + draw_below(3), .block = block};

    v.channels = block > 1 && draw_below(4) == 0 ? block * (1 + draw_below(2)) : 1 + draw_below(40);
    v.spatial = draw_below(5) == 0 ? 1 : 1 + draw_below(120);
    if (block == 0) /* NHWC */
        v.block = v.channels;
    while (view_span(&v) > MOST)
        v.spatial = (v.spatial + 1) / 2;
    for (size_t i = 0; i < view_span(&v); i++) {
        size_t c = i / (v.spatial * v.block) % view_blocks(&v) * v.block + i % v.block;

        values[i] = draw_value(c < v.channels ? kind : padding, i, view_span(&v));
    }
    return v;
}

static float element(const struct view *v, size_t n, size_t c, size_t s)
{
    return v->data[((n * view_blocks(v) + c / v->block) * v->spatial + s) * v->block + c % v->block];
}

static void compare_view(const struct histogram_kernel *kernel, const struct view *v, size_t bins)
{
    struct histogram *tensor = fresh(3, bins), *expected = fresh(v->channels, bins), *found = fresh(v->channels, bins);
    double *sums = calloc(v->channels, sizeof *sums), *expected_sums = calloc(v->channels, sizeof *sums);
    struct error err = {0};

    view_channel_sums(v, expected_sums);
    for (int twice = 0; twice < 2; twice++) {
        for (size_t n = 0; n < v->records; n++)
            for (size_t c = 0; c < v->channels; c++)
                for (size_t s = 0; s < v->spatial; s++) {
                    float x = element(v, n, c, s);

                    assert_int_equal(histogram_observe_reference(&expected[c], &x, 1, 1, &err), 0);
                    assert_int_equal(histogram_observe_reference(&tensor[0], &x, 1, 1, &err), 0);
                }
        assert_int_equal(histogram_observe_view_with(kernel, &tensor[1], v, &err), 0);
        assert_int_equal(histogram_observe_view_sums_with(kernel, &tensor[2], v, sums, &err), 0);
        assert_memory_equal(sums, expected_sums, v->channels * sizeof *sums);
        assert_int_equal(histogram_observe_channels_with(kernel, found, v, &err), 0);
    }
    assert_same(&tensor[0], &tensor[1]);
    assert_same(&tensor[0], &tensor[2]);
    for (size_t c = 0; c < v->channels; c++)
        assert_same(&expected[c], &found[c]);
    discard(tensor, 3);
    discard(expected, v->channels);
    discard(found, v->channels);
    free(sums);
    free(expected_sums);
}

static void compare_views(const struct histogram_kernel *kernel)
{
    const size_t blocks[] = {1, 2, 3, 4, 8, 16, 24, 32, 0}, bin_counts[] = {16, 256, 2048};

    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            struct view v = draw_view(kind, blocks[b], KIND_ALL_ZERO);

            compare_view(kernel, &v, bin_counts[draw_below(3)]);
        }
}

static void kernels_count_every_layout_like_the_reference(void **unused)
{
    (void)unused;
    for (int round = 0; round < 4; round++)
        for_each_kernel(compare_views);
}

static void the_reference_counts_every_layout_by_its_definition(void **unused)
{
    (void)unused;
    compare_views(NULL);
}

static void compare_padded_views(const struct histogram_kernel *kernel)
{
    const size_t blocks[] = {3, 4, 8, 16, 32};

    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
        struct view v = draw_view(KIND_POSITIVE, blocks[b], KIND_ALL_ZERO);
        struct view w;

        compare_view(kernel, &v, 64);
        w = draw_view(KIND_POSITIVE, blocks[b], KIND_ANY_BITS); /* no engine should leave that there */
        compare_view(kernel, &w, 64);
        compare_view(kernel, &w, 16);
    }
}

static void padding_is_not_data_whatever_it_holds(void **unused)
{
    (void)unused;
    for (int round = 0; round < 10; round++)
        for_each_kernel(compare_padded_views);
    compare_padded_views(NULL);
}

/* Some views of the same channels, whose layout may change on the way; drained once in the middle. */
static void compare_kept_tallies(const struct histogram_kernel *kernel, size_t channels, size_t bins)
{
    const size_t blocks[] = {16, 16, 16, 8, 1, 16, channels, channels, 3};
    struct histogram *expected = fresh(channels, bins), *found = fresh(channels, bins);
    struct error err = {0};
    struct histogram_channels *kept = histogram_channels_create_with(kernel, found, &err);

    assert_non_null(kept);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct view v = {values, 1 + draw_below(3), channels, 1 + draw_below(60), blocks[i]};
        enum kind kind = (enum kind)draw_below(KIND_COUNT);

        for (size_t k = 0; k < view_span(&v); k++)
            values[k] = draw_value(kind, k, view_span(&v));
        assert_int_equal(histogram_channels_observe(kept, &v, &err), 0);
        assert_int_equal(histogram_observe_channels_with(NULL, expected, &v, &err), 0);
        if (i != 1 && i != sizeof blocks / sizeof *blocks - 1)
            continue;
        histogram_channels_settle(kept);
        for (size_t c = 0; c < channels; c++)
            assert_same(&expected[c], &found[c]);
    }
    histogram_channels_destroy(kept);
    discard(expected, channels);
    discard(found, channels);
}

static void compare_kept(const struct histogram_kernel *kernel)
{
    compare_kept_tallies(kernel, 40, 2048);
    compare_kept_tallies(kernel, 16, 64);
    compare_kept_tallies(kernel, 5, 256);
    compare_kept_tallies(kernel, 33, 8192); /* too many bins to keep */
}

static void tallies_kept_from_view_to_view_lose_nothing(void **unused)
{
    (void)unused;
    for (int round = 0; round < 8; round++)
        for_each_kernel(compare_kept);
    compare_kept(NULL);
}

static void compare_with_a_growing_lane(const struct histogram_kernel *kernel)
{
    struct view v = {values, 4, 16, 64, 16};

    fill(KIND_HALF_ZERO, MOST);
    for (size_t i = 0; i < view_span(&v); i++) {
        size_t lane = i % 16;

        if (lane == 3) /* doubles every 16 pixels, others stay */
            values[i] = ldexpf(values[i], (int)(i / 256));
        else if (lane == 5) /* a dead channel */
            values[i] = 0;
        else if (lane == 7) /* turns negative late */
            values[i] = i > 2000 ? -values[i] : values[i];
        else if (lane == 11 && i / 16 == 100)
            values[i] = NAN;
    }
    compare_view(kernel, &v, 32);
    compare_view(kernel, &v, 2048);
}

static void one_channel_may_grow_alone(void **unused)
{
    (void)unused;
    for_each_kernel(compare_with_a_growing_lane);
}

/* The child's answer to "which kernel?" under ETALON_ISA=wanted. */
static enum isa kernel_under(const char *wanted)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        setenv("ETALON_ISA", wanted, 1);
        for (enum isa isa = 0; isa < ISA_COUNT; isa++)
            if (strcmp(histogram_kernel_name(), isa_name(isa)) == 0)
                _exit((int)isa);
        _exit(ISA_COUNT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (enum isa)WEXITSTATUS(status);
}

/* Must run first: the choice is made once in a process, and children inherit it. */
static void the_environment_may_lower_the_instruction_set(void **unused)
{
    enum isa best = kernel_under("");

    (void)unused;
    assert_true(best < ISA_COUNT && isa_is_supported(best));
    for (enum isa isa = 0; isa < ISA_COUNT; isa++)
        assert_int_equal(kernel_under(isa_name(isa)), isa_is_supported(isa) ? isa : best);
    assert_int_equal(kernel_under("sparc"), best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_may_lower_the_instruction_set),
        cmocka_unit_test(kernels_count_arrays_like_the_reference),
        cmocka_unit_test(eight_bit_deltas_carry_when_they_wrap),
        cmocka_unit_test(kernels_count_every_layout_like_the_reference),
        cmocka_unit_test(the_reference_counts_every_layout_by_its_definition),
        cmocka_unit_test(padding_is_not_data_whatever_it_holds),
        cmocka_unit_test(one_channel_may_grow_alone),
        cmocka_unit_test(tallies_kept_from_view_to_view_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
