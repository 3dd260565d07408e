/* test_equalize.c — equalization brings ranges together and changes no bit of what a network computes. */
#include "random_graph.h"
#include "uneven_chain.h"
#include "reference_executor.h"

#include "common/equalize.h"
#include "common/passes.h"

#include <math.h>
#include <stdlib.h>

enum { N_INPUT = UNEVEN_INPUT, MAX_VALUES = 4096 };

/* ---- maxima ---- */

struct maxima {
    double *of_value[MAX_VALUES];
};

static void fill_maxima(struct maxima *maxima, const struct graph *g, const struct reference *run)
{
    assert_true(g->n_values <= MAX_VALUES);
    for (size_t v = 0; v < g->n_values; v++) {
        const struct shape *s = &g->values[v].shape;
        size_t channels = s->rank < 2 ? 1 : (size_t)s->dims[1], spatial;

        maxima->of_value[v] = NULL;
        if (!equalization_wants_maxima(g, (int)v))
            continue;
        maxima->of_value[v] = calloc(channels, sizeof(double));
        assert_non_null(maxima->of_value[v]);
        spatial = (size_t)shape_elements(s) / channels;
        for (size_t i = 0; i < channels * spatial; i++)
            maxima->of_value[v][i / spatial] = fmax(maxima->of_value[v][i / spatial], run->data[v][i]);
    }
}

static void free_maxima(struct maxima *maxima, const struct graph *g)
{
    for (size_t v = 0; v < g->n_values; v++)
        free(maxima->of_value[v]);
}

/* ---- what is promised ---- */

/* Equalizes `after`, of which `before` is a copy, and compares outputs to the last bit. Returns how many values were
 * equalized. */
static size_t assert_same_bits(const struct graph *before, struct graph *after)
{
    struct equalization found;
    struct maxima maxima;
    struct reference a, b;
    struct error err = {0};
    double input[N_INPUT];
    size_t n;

    for (size_t i = 0; i < N_INPUT; i++)
        input[i] = (double)(float)draw_uniform(-3, 3);
    a = reference_run(before, input);
    fill_maxima(&maxima, after, &a);
    assert_succeeds(equalization_search(after, (const double *const *)maxima.of_value, false, &found, &err), err);
    assert_succeeds(equalization_apply(after, &found, &err), err);
    assert_succeeds(graph_validate(after, &err), err);
    b = reference_run(after, input);
    for (size_t i = 0; i < before->n_outputs; i++)
        for (size_t k = 0; k < reference_size(&before->values[before->outputs[i]]); k++) {
            double x = a.data[before->outputs[i]][k], y = b.data[after->outputs[i]][k];

            if (x != y && !(isnan(x) && isnan(y)))
                fail_msg("output \"%s\"[%zu] was %.17g, is %.17g", before->values[before->outputs[i]].name, k, x, y);
        }
    n = found.n;
    equalization_fini(&found);
    equalization_fini(&found);
    free_maxima(&maxima, after);
    reference_free(&a);
    reference_free(&b);
    return n;
}

/* The range of the weights of one output channel. */
static double range(const struct graph *g, size_t node, size_t channel)
{
    const struct value *w = &g->values[g->nodes[node].inputs[1]];
    size_t row = (size_t)shape_elements(&w->shape) / (size_t)w->shape.dims[0];
    double widest = 0;

    for (size_t i = 0; i < row; i++)
        widest = fmax(widest, fabs((double)((const float *)w->data)[channel * row + i]));
    return widest;
}

/* Channel c of the first layer meets channel c of the depthwise one: how far apart their ranges are, at worst. */
static double unevenness(const struct graph *g)
{
    double worst = 1;

    for (size_t c = 0; c < 6; c++) {
        double ratio = range(g, 0, c) / range(g, 1, c);

        worst = fmax(worst, fmax(ratio, 1 / ratio));
    }
    return worst;
}

static void a_chain_keeps_every_bit_and_gets_even(void **state)
{
    const struct activation relu = {.kind = ACTIVATION_RELU};

    double worst_before = 1;

    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct graph *before = uneven_chain(seed, relu), *after = uneven_chain(seed, relu);

        assert_int_equal(assert_same_bits(before, after), 3);
        /* Each exponent is rounded by half at most: of ranges on both sides that is a factor of 2, and of what the
         * depthwise layer itself is divided by another root of 2. */
        assert_true(unevenness(after) < 3);
        worst_before = fmax(worst_before, unevenness(before));
        graph_destroy(before);
        graph_destroy(after);
    }
    assert_true(worst_before > 10);
}

static void the_known_answer_of_a_pair(void **state)
{
    /* Ranges 8 and 1/2: both become 2 (calibration.md section 10). */
    const float first[] = {8, 1}, second[] = {0.5F, 1};
    const double *none[8] = {NULL};
    struct equalization found;
    struct error err = {0};
    struct graph *g = new_graph();
    int x = add_input(g, "x", SHAPE(1, 1, 1, 1)), y;

    (void)state;
    x = add_node(g, OP_CONV, "one", INTS(x, add_floats(g, SHAPE(2, 1, 1, 1), first)));
    last_node(g)->attr.conv.window = make_window(1, 1, 0);
    last_node(g)->attr.conv.group = 1;
    x = settled(g, x);
    y = add_node(g, OP_CONV, "two", INTS(x, add_floats(g, SHAPE(1, 2, 1, 1), second)));
    last_node(g)->attr.conv.window = make_window(1, 1, 0);
    last_node(g)->attr.conv.group = 1;
    assert_true(graph_add_output(g, settled(g, y), &err) >= 0);
    assert_succeeds(equalization_search(g, none, false, &found, &err), err);
    assert_int_equal(found.n, 1);
    assert_int_equal(found.values[0].value, x);
    assert_int_equal(found.values[0].exponents[0], 2); /* 8 / 4 = 0.5 x 4 */
    assert_int_equal(found.values[0].exponents[1], 0);
    assert_succeeds(equalization_apply(g, &found, &err), err);
    assert_true(((const float *)g->values[g->nodes[0].inputs[1]].data)[0] == 2);
    assert_true(((const float *)g->values[g->nodes[1].inputs[1]].data)[0] == 2);
    equalization_fini(&found);
    graph_destroy(g);
}

static void a_clip_is_never_reached_by_what_did_not_reach_it_before(void **state)
{
    const struct activation relu6 = {.kind = ACTIVATION_CLIP, .alpha = 0, .beta = 6};
    size_t n = 0;

    (void)state;
    for (uint64_t seed = 1; seed < 60; seed++) {
        struct graph *before = uneven_chain(seed, relu6), *after = uneven_chain(seed, relu6);

        n += assert_same_bits(before, after); /* with these very inputs: a clip that moved would show */
        graph_destroy(before);
        graph_destroy(after);
    }
    assert_true(n > 60); /* and still there is something to do */
}

static void channels_whose_reach_is_unknown_are_left_alone(void **state)
{
    const struct activation relu6 = {.kind = ACTIVATION_CLIP, .alpha = 0, .beta = 6};
    struct graph *g = uneven_chain(1, relu6);
    double unknown[] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    const double *maxima[MAX_VALUES];
    struct equalization found;
    struct error err = {0};

    (void)state;
    for (size_t v = 0; v < g->n_values; v++)
        maxima[v] = unknown;
    assert_succeeds(equalization_search(g, maxima, false, &found, &err), err);
    for (size_t i = 0; i < found.n; i++)
        assert_false(equalization_wants_maxima(g, found.values[i].value));
    equalization_fini(&found);
    graph_destroy(g);
}

/* How many channels of equalized values have a bias, divided as they are, beyond the largest of their layer. */
static size_t count_raised_biases(const struct graph *g, bool keeps_biases)
{
    const double *none[MAX_VALUES] = {NULL};
    struct equalization found;
    struct error err = {0};
    size_t n = 0;

    assert_succeeds(equalization_search(g, none, keeps_biases, &found, &err), err);
    assert_true(found.n > 0);
    for (size_t i = 0; i < found.n; i++) {
        const struct node *node = &g->nodes[g->values[found.values[i].value].producer];
        const float *bias = g->values[node->inputs[2]].data;
        double largest = 0;

        for (size_t c = 0; c < found.values[i].n_channels; c++)
            largest = fmax(largest, fabs((double)bias[c]));
        for (size_t c = 0; c < found.values[i].n_channels; c++)
            n += ldexp(fabs((double)bias[c]), -found.values[i].exponents[c]) > largest;
    }
    equalization_fini(&found);
    return n;
}

static void biases_stay_within_the_largest_where_they_are_to_be_kept(void **state)
{
    size_t raised = 0;

    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct graph *g = uneven_chain(seed, (struct activation){.kind = ACTIVATION_RELU});

        assert_int_equal(count_raised_biases(g, true), 0);
        raised += count_raised_biases(g, false);
        graph_destroy(g);
    }
    assert_true(raised > 30);
}

static void random_networks_keep_every_bit(void **state)
{
    size_t n = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct graph *before = random_graph(seed), *after = random_graph(seed);
        struct error err = {0};

        assert_succeeds(graph_normalise(before, &err), err);
        assert_succeeds(graph_normalise(after, &err), err);
        n += assert_same_bits(before, after);
        graph_destroy(before);
        graph_destroy(after);
    }
    assert_true(n > 0);
}

static void what_more_than_one_layer_reads_is_left_alone(void **state)
{
    const struct activation relu = {.kind = ACTIVATION_RELU};
    const double *none[64] = {NULL};
    struct equalization found;
    struct error err = {0};
    struct graph *g = new_graph();
    int x = add_input(g, "x", SHAPE(1, CHANNELS, UNEVEN_SIDE, 6)), a, shared;

    (void)state;
    draw_state = 5;
    a = uneven_conv(g, x, 4, 1, relu);
    shared =
        binary(g, BINARY_ADD, uneven_conv(g, a, 4, 1, relu), a); /* a has two readers; both convolutions feed an add */
    assert_true(graph_add_output(g, shared, &err) >= 0);
    assert_true(
        graph_add_output(
            g,
            uneven_conv(g, uneven_conv(g, shared, 4, 1, (struct activation){.kind = ACTIVATION_SIGMOID}), 4, 1, relu),
            &err) >= 0);
    assert_succeeds(equalization_search(g, none, false, &found, &err), err);
    assert_int_equal(found.n, 0);
    equalization_fini(&found);
    graph_destroy(g);
}

static void an_equalization_of_another_graph_is_refused(void **state)
{
    struct graph *g = uneven_chain(1, (struct activation){.kind = ACTIVATION_RELU});
    int32_t exponents[5] = {1, 1, 1, 1, 1};
    struct equalized_value value = {g->nodes[0].outputs[0], 5, exponents};
    struct equalization wrong = {1, &value};
    struct error err;

    (void)state;
    assert_fails(equalization_apply(g, &wrong, &err), EX_DATAERR, err, "5 channels between two layers");
    value.value = g->outputs[0];
    assert_fails(equalization_apply(g, &wrong, &err), EX_DATAERR, err, "between two layers");
    value.value = g->inputs[0];
    assert_fails(equalization_apply(g, &wrong, &err), EX_DATAERR, err, "\"x\"");
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_answer_of_a_pair),
        cmocka_unit_test(a_chain_keeps_every_bit_and_gets_even),
        cmocka_unit_test(a_clip_is_never_reached_by_what_did_not_reach_it_before),
        cmocka_unit_test(channels_whose_reach_is_unknown_are_left_alone),
        cmocka_unit_test(biases_stay_within_the_largest_where_they_are_to_be_kept),
        cmocka_unit_test(random_networks_keep_every_bit),
        cmocka_unit_test(what_more_than_one_layer_reads_is_left_alone),
        cmocka_unit_test(an_equalization_of_another_graph_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
