/* Tests of how weights become codes by what they do to outputs: round_codes.h, input_moments.h, and both on a plan. */
#include "coordinator/input_moments.h"
#include "coordinator/round_codes.h"

#include "plan_setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { N = 24 };

static void nearest(const double *v, size_t n, double scale, int32_t limit, int16_t *codes)
{
    for (size_t i = 0; i < n; i++)
        codes[i] = (int16_t)fmin(fmax(round(v[i] / scale), -limit), limit);
}

/* A A' of a random A, which has some large common part as neighbouring pixels have. */
static void random_moments(double *h, size_t n)
{
    double a[N][N];

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            a[i][k] = draw_normal() * 0.3 + (k == 0 ? 3 : 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            h[i * n + j] = i == j ? 0.01 : 0;
            for (size_t k = 0; k < n; k++)
                h[i * n + j] += a[i][k] * a[j][k];
        }
}

static void rounding_errors_that_add_up_are_shared_out(void **state)
{
    static const double v[] = {0.4, 0.4, 0.4, 0.4, 0.4};
    double h[25], gradient[5];
    int16_t codes[5] = {0};

    (void)state;
    for (size_t i = 0; i < 25; i++)
        h[i] = 1 + (i % 6 == 0 ? 1e-3 : 0); /* five inputs that are always the same */
    assert_true(round_codes(v, 5, 1, 127, h, gradient, codes) > 0);
    assert_int_equal(codes[0] + codes[1] + codes[2] + codes[3] + codes[4], 2);
}

static void inputs_that_are_independent_keep_the_nearest_codes(void **state)
{
    double v[N], h[N * N] = {0}, gradient[N];
    int16_t codes[N], before[N];

    (void)state;
    draw_state = 11;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < N; i++) {
            v[i] = draw_normal();
            h[i * N + i] = draw_uniform(0.1, 10);
        }
        nearest(v, N, 0.01, 127, before);
        memcpy(codes, before, sizeof codes);
        assert_int_equal(round_codes(v, N, 0.01, 127, h, gradient, codes), 0);
        assert_memory_equal(codes, before, sizeof codes);
    }
}

static void the_error_never_rises_and_no_single_step_lowers_it(void **state)
{
    double v[N], h[N * N], gradient[N];
    int16_t codes[N];

    (void)state;
    draw_state = 12;
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + draw_below(N);
        int32_t limit = round % 3 == 0 ? 7 : 127;
        double scale = draw_uniform(0.005, 0.05), before, after;

        random_moments(h, n);
        for (size_t i = 0; i < n; i++)
            v[i] = draw_normal();
        nearest(v, n, scale, limit, codes);
        before = round_codes_error(v, n, scale, h, codes);
        round_codes(v, n, scale, limit, h, gradient, codes);
        after = round_codes_error(v, n, scale, h, codes);
        assert_true(after <= before * (1 + 1e-12));
        for (size_t i = 0; i < n; i++) {
            assert_true(abs(codes[i]) <= limit);
            for (int step = -1; step <= 1; step += 2) {
                int16_t was = codes[i];

                if (abs(was + step) > limit)
                    continue;
                codes[i] = (int16_t)(was + step);
                assert_true(round_codes_error(v, n, scale, h, codes) >= after * (1 - 1e-6));
                codes[i] = was;
            }
        }
    }
}

/* ---- moments ---- */

enum { RECORDS = 3, SIDE = 5, CHANNELS = 6, GROUPS = 3, TAPS = 9, ROW = CHANNELS / GROUPS * TAPS };

/* A convolution of three groups, of 6 channels, 5 x 5, stride 2, pads of 1; its input in blocks of 4 channels. */
struct moments_setting {
    struct setting s;
    struct view view;
    float *blocked, *plain; /* the same numbers */
};

static struct moments_setting new_moments(void)
{
    struct moments_setting m = {.s = new_setting()};
    struct error err;
    size_t elements = (size_t)RECORDS * CHANNELS * SIDE * SIDE;
    int x = add_input(m.s.graph, "x", SHAPE(1, CHANNELS, SIDE, SIDE));
    int y = add_conv(m.s.graph, "conv", x, CHANNELS / GROUPS, CHANNELS, ACTIVATION_NONE);
    struct node *node = last_node(m.s.graph);

    node->attr.conv.group = GROUPS;
    node->attr.conv.window = make_window(3, 2, 1);
    assert_true(graph_add_output(m.s.graph, y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(m.s.graph, &err), err);
    m.plain = malloc(elements * sizeof *m.plain);
    m.view = (struct view){.records = RECORDS, .channels = CHANNELS, .spatial = SIDE * SIDE, .block = 4};
    m.blocked = calloc(view_span(&m.view), sizeof *m.blocked);
    assert_non_null(m.plain);
    assert_non_null(m.blocked);
    for (size_t i = 0; i < view_span(&m.view); i++) {
        size_t channel = i / 4 / m.view.spatial % view_blocks(&m.view) * 4 + i % 4;

        m.blocked[i] = channel < CHANNELS ? (float)(0.3 * draw_normal() + 3) : 0;
    }
    m.view.data = m.blocked;
    view_copy_plain(&m.view, m.plain);
    return m;
}

static void end_moments(struct moments_setting *m)
{
    free(m->blocked);
    free(m->plain);
    end_setting(&m->s);
}

/* Element `at` of the patch under output pixel (y, x). */
static double patch_element(const struct moments_setting *m, size_t record, size_t group, int y, int x, size_t at)
{
    int row = 2 * y - 1 + (int)(at % TAPS / 3), column = 2 * x - 1 + (int)(at % 3);
    size_t channel = group * (CHANNELS / GROUPS) + at / TAPS;

    return row < 0 || row >= SIDE || column < 0 || column >= SIDE
               ? 0
               : (double)m->plain[((record * CHANNELS + channel) * SIDE + (size_t)row) * SIDE + (size_t)column];
}

static void moments_are_those_of_all_patches(void **state)
{
    enum { FIRST = 4, COUNT = 11, OUT = 3, PATCHES = RECORDS * OUT * OUT };
    struct moments_setting m = new_moments();

    (void)state;
    for (int is_centred = 0; is_centred < 2; is_centred++) {
        double h[COUNT * COUNT], expected[COUNT * COUNT], x[PATCHES][COUNT], mean[COUNT] = {0}, trace = 0;
        struct error err;

        for (size_t p = 0; p < PATCHES; p++)
            for (size_t i = 0; i < COUNT; i++) {
                x[p][i] = patch_element(&m, p / 9, 1, (int)(p % 9 / 3), (int)(p % 3), FIRST + i);
                mean[i] += is_centred ? x[p][i] / PATCHES : 0;
            }
        for (size_t i = 0; i < COUNT; i++)
            for (size_t j = 0; j < COUNT; j++) {
                expected[i * COUNT + j] = 0;
                for (size_t p = 0; p < PATCHES; p++)
                    expected[i * COUNT + j] += (x[p][i] - mean[i]) * (x[p][j] - mean[j]) / PATCHES;
                trace += i == j ? expected[i * COUNT + j] : 0;
            }
        assert_succeeds(
            input_moments_find(m.s.graph, &m.s.graph->nodes[0], &m.view, 1, FIRST, COUNT, is_centred, h, &err), err);
        for (size_t i = 0; i < COUNT; i++)
            for (size_t j = 0; j < COUNT; j++) {
                double more = i == j ? (0.25 + (double)COUNT / PATCHES) * trace / COUNT : 0;

                assert_true(fabs(h[i * COUNT + j] - expected[i * COUNT + j] - more) < 1e-12);
            }
    }
    end_moments(&m);
}

static void moments_that_say_nothing_are_a_diagonal(void **state)
{
    struct moments_setting m = new_moments();
    double h[TAPS * TAPS];

    (void)state;
    for (int kind = 0; kind < 3; kind++) { /* something infinite, always the same, fewer patches than elements */
        struct error err;

        if (kind == 0)
            m.blocked[0] = INFINITY;
        for (size_t i = 0; kind == 1 && i < view_span(&m.view); i++)
            m.blocked[i] = 0;
        m.blocked[1] = 1;
        m.view.records = kind == 2 ? 1 : RECORDS;
        assert_succeeds(
            input_moments_find(m.s.graph, &m.s.graph->nodes[0], &m.view, kind == 1 ? 2 : 0, 0, TAPS, true, h, &err),
            err);
        for (size_t i = 0; i < TAPS; i++)
            for (size_t j = 0; j < TAPS; j++)
                assert_true(i == j ? h[i * TAPS + j] > 0 && isfinite(h[i * TAPS + j]) : h[i * TAPS + j] == 0);
    }
    end_moments(&m);
}

/* ---- a plan ---- */

/* Mean squared error of all outputs of group 1 of the convolution, over all patches. */
static double output_error(const struct moments_setting *m)
{
    const struct plan_node *p = &m->s.plan->nodes[0];
    const float *w = m->s.graph->values[m->s.graph->nodes[0].inputs[1]].data;
    double error = 0;

    for (size_t o = 2; o < 4; o++)
        for (size_t record = 0; record < RECORDS; record++)
            for (int pixel = 0; pixel < 9; pixel++) {
                double miss = 0;

                for (size_t i = 0; i < ROW; i++)
                    miss += ((double)p->weight_scale[o] * p->weight_codes[o * ROW + i] - (double)w[o * ROW + i]) *
                            patch_element(m, record, 1, pixel / 3, pixel % 3, i);
                error += miss * miss;
            }
    return error;
}

static void begin_rounding(struct moments_setting *m)
{
    m->s.profile.weight_limit = 7; /* coarse steps: much to gain */
    observe(&m->s, m->s.graph->nodes[0].inputs[0], 1, false);
    observe(&m->s, m->s.graph->nodes[0].outputs[0], 1, false);
    decide(&m->s, "minmax", "maxabs");
}

static void a_layer_that_is_rounded_errs_less_at_its_output(void **state)
{
    struct moments_setting m = new_moments();
    double h[ROW * ROW], before, mse;
    struct plan_node *p;
    struct error err;

    (void)state;
    begin_rounding(&m);
    p = &m.s.plan->nodes[0];
    before = output_error(&m);
    mse = p->weight_mse;
    assert_true(plan_can_round(m.s.plan, 0));
    assert_succeeds(input_moments_find(m.s.graph, &m.s.graph->nodes[0], &m.view, 1, 0, ROW, false, h, &err), err);
    assert_succeeds(plan_round_block(m.s.plan, 0, 1, 0, ROW, h, &err), err);
    assert_succeeds(plan_finish_rounding(m.s.plan, 0, NULL, &err), err);
    assert_true(output_error(&m) < 0.9 * before);
    assert_true(p->weight_mse > mse); /* what it costs, told as it is */
    assert_string_equal(p->method, "maxabs +out");
    assert_true(p->is_rounded);
    end_moments(&m);
}

static void codes_come_back_from_an_archive(void **state)
{
    struct moments_setting m = new_moments();
    uint8_t codes[CHANNELS * ROW];
    struct plan_node *p;
    struct error err = {0};

    (void)state;
    begin_rounding(&m);
    p = &m.s.plan->nodes[0];
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i] = (uint8_t)(PLAN_CODE_ZERO - 7 + i % 15);
    assert_succeeds(plan_restore_codes(m.s.plan, 0, codes, &err), err);
    for (size_t i = 0; i < sizeof codes; i++)
        assert_int_equal(p->weight_codes[i], (int)(i % 15) - 7);
    assert_true(p->is_rounded);
    codes[40] = PLAN_CODE_ZERO + 8;
    assert_int_equal(plan_restore_codes(m.s.plan, 0, codes, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "code 8 of weight 40"));
    end_moments(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_errors_that_add_up_are_shared_out),
        cmocka_unit_test(inputs_that_are_independent_keep_the_nearest_codes),
        cmocka_unit_test(the_error_never_rises_and_no_single_step_lowers_it),
        cmocka_unit_test(moments_are_those_of_all_patches),
        cmocka_unit_test(moments_that_say_nothing_are_a_diagonal),
        cmocka_unit_test(a_layer_that_is_rounded_errs_less_at_its_output),
        cmocka_unit_test(codes_come_back_from_an_archive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
