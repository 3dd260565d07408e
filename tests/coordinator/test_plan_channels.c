/* test_plan_channels.c — plans with a scale per channel: who has them, what shares them, what weights make of them. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_groups.h"
#include "coordinator/plan_mark.h"
#include "formats/model.h"
#include "formats/target.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"
#include "plan_setting.h"

#include <float.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_CHANNELS = 8, TAPS = 9 };

/* The channels of a value: which one of the network each is, and by which power of two it is multiplied. */
struct order {
    size_t n;
    int id[MAX_CHANNELS], shift[MAX_CHANNELS];
};

static struct order plain_order(size_t n)
{
    struct order order = {.n = n};

    for (size_t c = 0; c < n; c++)
        order.id[c] = (int)c;
    return order;
}

static struct order joined(struct order a, struct order b)
{
    struct order order = {.n = a.n + b.n};

    for (size_t c = 0; c < order.n; c++) {
        order.id[c] = c < a.n ? a.id[c] : (int)a.n + b.id[c - a.n];
        order.shift[c] = c < a.n ? a.shift[c] : b.shift[c - a.n];
    }
    return order;
}

/* Where channel `id` of the network is. */
static size_t place_of(const struct order *order, int id)
{
    for (size_t c = 0; c < order->n; c++) {
        if (order->id[c] == id)
            return c;
    }
    fail();
    return 0;
}

/* conv+relu, max pool, conv+relu, conv, add+relu, concat, max pool, depthwise conv, conv, average pool, reshape, dense,
 * softmax. The order of its channels is free. */
struct net {
    struct setting set;
    struct histogram channel_storage[MAX_VALUES][MAX_CHANNELS];
    const struct histogram *channels[MAX_VALUES];
    struct order of_x, of_a, of_b; /* a, p, c and sum have the same */
    struct order of_cat, of_d;     /* cat, m and e */
    int x, a, p, b, c, sum, cat, m, e, d, u, r, v, y;
};

/* Statistics of a value whose channel `id` is always the same up to its power of two; of 0 alone where id is `dead`. */
static int observe_channels(struct net *n, int value, const struct order *order, bool is_positive, int dead)
{
    struct histogram *tensor = &n->set.storage[value];
    struct error err;

    assert_succeeds(histogram_init(tensor, 2048, &err), err);
    for (size_t c = 0; c < order->n; c++) {
        struct histogram *h = &n->channel_storage[value][c];

        draw_state = 88172645463325252u + (uint64_t)(value * 64 + order->id[c]) * 0x9e3779b97f4a7c15u;
        assert_succeeds(histogram_init(h, 256, &err), err);
        for (int i = 0; i < 500; i++) {
            double x = order->id[c] == dead ? 0 : draw_normal() * (1 + order->id[c] * order->id[c]);
            float scaled = (float)ldexp((double)(float)(is_positive ? fmax(x, 0) : x), order->shift[c]);

            assert_succeeds(histogram_observe(h, &scaled, 1, &err), err);
            assert_succeeds(histogram_observe(tensor, &scaled, 1, &err), err);
        }
    }
    n->set.histograms[value] = tensor;
    n->channels[value] = n->channel_storage[value];
    return value;
}

/* 3 x 3, with a bias. A weight belongs to its two channels wherever they are. `in` NULL: depthwise. */
static int add_ordered_conv(struct net *n, const char *name, int x, const struct order *in, const struct order *out,
                            enum activation_kind fused)
{
    struct graph *g = n->set.graph;
    float weights[MAX_CHANNELS * MAX_CHANNELS * TAPS], bias[MAX_CHANNELS];
    size_t per_group = in == NULL ? 1 : in->n, at = 0;
    int w, b, y;

    for (size_t o = 0; o < out->n; o++) {
        for (size_t i = 0; i < per_group; i++) {
            int id = in == NULL ? 0 : in->id[i], shift = in == NULL ? 0 : out->shift[o] - in->shift[i];

            draw_state = 88172645463325252u + (uint64_t)((name[0] * 8 + out->id[o]) * 8 + id) * 0x9e3779b97f4a7c15u;
            for (int t = 0; t < TAPS; t++)
                weights[at++] = (float)ldexp((double)(float)(draw_normal() * 0.1), shift);
        }
        bias[o] = (float)ldexp(0.25 * (1 + out->id[o]), out->shift[o]);
    }
    w = add_floats(g, SHAPE((int64_t)out->n, (int64_t)per_group, 3, 3), weights);
    b = add_floats(g, SHAPE((int64_t)out->n), bias);
    y = add_node(g, OP_CONV, name, INTS(x, w, b));
    last_node(g)->attr.conv.window = make_window(3, 1, 1);
    last_node(g)->attr.conv.group = in == NULL ? (int64_t)out->n : 1;
    last_node(g)->fused.kind = fused;
    return y;
}

static int add_max_pool(struct net *n, const char *name, int x, int64_t size)
{
    struct graph *g = n->set.graph;
    int y = add_node(g, OP_POOL, name, INTS(x));

    last_node(g)->attr.pool.kind = POOL_MAX;
    last_node(g)->attr.pool.window = make_window(2, 2, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = size;
    return y;
}

static void add_classifier(struct net *n)
{
    struct order classes = plain_order(3);
    struct graph *g = n->set.graph;
    struct error err;

    n->u = observe_channels(n, add_node(g, OP_POOL, "u", INTS(n->d)), &n->of_d, false, -1);
    last_node(g)->attr.pool.kind = POOL_AVERAGE;
    last_node(g)->attr.pool.is_global = true;
    last_node(g)->attr.pool.window = make_window(2, 1, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = 1;
    n->r = observe_channels(n, add_node(g, OP_RESHAPE, "r", INTS(n->u)), &n->of_d, false, -1);
    g->values[n->r].shape = SHAPE(1, 5);
    g->values[n->r].has_shape = true;
    n->v = observe_channels(n, add_dense(g, "v", n->r, 5, 3), &classes, false, -1);
    n->y = add_node(g, OP_SOFTMAX, "y", INTS(n->v));
    last_node(g)->attr.softmax.axis = 1;
    assert_true(graph_add_output(g, n->y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
}

/* The orders of x, a and b are set. `dead`: a channel of b that never shows anything, or -1. */
static void build_net(struct net *n, int dead)
{
    struct graph *g = n->set.graph;

    n->of_cat = joined(n->of_a, n->of_b);
    n->of_d = plain_order(5);
    n->x = observe_channels(n, add_input(g, "x", SHAPE(1, 3, 8, 8)), &n->of_x, false, -1);
    n->a = observe_channels(n, add_ordered_conv(n, "a", n->x, &n->of_x, &n->of_a, ACTIVATION_RELU), &n->of_a, true, -1);
    n->p = observe_channels(n, add_max_pool(n, "p", n->a, 4), &n->of_a, true, -1);
    n->b =
        observe_channels(n, add_ordered_conv(n, "b", n->p, &n->of_a, &n->of_b, ACTIVATION_RELU), &n->of_b, true, dead);
    n->c =
        observe_channels(n, add_ordered_conv(n, "c", n->b, &n->of_b, &n->of_a, ACTIVATION_NONE), &n->of_a, false, -1);
    n->sum = add_node(g, OP_BINARY, "sum", INTS(n->p, n->c));
    last_node(g)->fused.kind = ACTIVATION_RELU;
    observe_channels(n, n->sum, &n->of_a, true, -1);
    n->cat = add_node(g, OP_CONCAT, "cat", INTS(n->sum, n->b));
    last_node(g)->attr.axis = 1;
    dead = dead < 0 ? -1 : (int)n->of_a.n + dead;
    observe_channels(n, n->cat, &n->of_cat, true, dead);
    n->m = observe_channels(n, add_max_pool(n, "m", n->cat, 2), &n->of_cat, true, dead);
    n->e =
        observe_channels(n, add_ordered_conv(n, "e", n->m, NULL, &n->of_cat, ACTIVATION_NONE), &n->of_cat, false, -1);
    n->d =
        observe_channels(n, add_ordered_conv(n, "d", n->e, &n->of_cat, &n->of_d, ACTIVATION_NONE), &n->of_d, false, -1);
    add_classifier(n);
}

static struct net *new_net(void)
{
    struct net *n = calloc(1, sizeof *n);

    assert_non_null(n);
    n->set = new_setting();
    n->set.profile = *target_find("tnn")->profile;
    n->of_x = plain_order(3);
    n->of_a = plain_order(4);
    n->of_b = plain_order(3);
    return n;
}

static void end_net(struct net *n)
{
    for (size_t v = 0; v < MAX_VALUES; v++) {
        for (size_t c = 0; c < MAX_CHANNELS; c++)
            histogram_fini(&n->channel_storage[v][c]);
    }
    end_setting(&n->set);
    free(n);
}

/* What decide.c does, in one process. `means` as in plan_choices. */
static void decide_channels(struct net *n, const char *activations, const char *weights, const double *const *means)
{
    struct plan_choices choices = {.activations = threshold_method_find(activations),
                                   .percentile = 0.999,
                                   .weights = weight_method_find(weights),
                                   .channel_histograms = n->channels,
                                   .input_means = means};
    const struct threshold_job *jobs;
    const struct weight_job *weight_jobs;
    struct threshold_result results[MAX_VALUES * MAX_CHANNELS];
    float scales[MAX_VALUES * MAX_CHANNELS];
    struct error err;
    size_t n_jobs;

    begin_plan(&n->set);
    assert_succeeds(plan_threshold_jobs(n->set.plan, n->set.histograms, &choices, &jobs, &n_jobs, &err), err);
    assert_true(n_jobs <= MAX_VALUES * MAX_CHANNELS);
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_threshold_search(&jobs[i], &results[i], &err), err);
    assert_succeeds(plan_apply_thresholds(n->set.plan, jobs, n_jobs, results, &err), err);
    assert_succeeds(plan_weight_jobs(n->set.plan, &choices, &weight_jobs, &n_jobs, &err), err);
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_weight_search(n->set.plan, &weight_jobs[i], &choices, &scales[i], &err), err);
    assert_succeeds(plan_apply_weights(n->set.plan, &choices, weight_jobs, n_jobs, scales, &err), err);
}

static const struct plan_value *planned(const struct net *n, int value)
{
    assert_true(n->set.plan->values[value].is_quantized);
    return &n->set.plan->values[value];
}

static const struct plan_node *planned_node(const struct net *n, const char *name)
{
    return &n->set.plan->nodes[graph_find_node(n->set.graph, name)];
}

/* ---- who has a scale per channel, and what shares it ---- */

static float threshold_of_channels(const struct net *n, const char *method, const struct scale_place *places,
                                   size_t count)
{
    struct histogram together = {0};
    struct threshold_request request = {.histogram = &together, .steps = 127, .percentile = 0.999};
    char decided[PLAN_METHOD_BYTES];
    struct error err;
    float threshold;

    assert_succeeds(histogram_init(&together, 256, &err), err);
    for (size_t i = 0; i < count; i++)
        assert_succeeds(histogram_merge(&together, &n->channels[places[i].value][places[i].channel], &err), err);
    assert_succeeds(threshold_decide(threshold_method_find(method), &request, &threshold, decided, &err), err);
    histogram_fini(&together);
    return threshold;
}

static void images_have_a_scale_per_channel_and_vectors_one(void **state)
{
    struct net *n = new_net();

    (void)state;
    build_net(n, -1);
    decide_channels(n, "kl", "sweep", NULL);
    {
        const int images[] = {n->x, n->a, n->p, n->b, n->c, n->sum, n->cat, n->m, n->e, n->d};
        const int vectors[] = {n->u, n->r, n->v};

        for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
            const struct plan_value *value = planned(n, images[i]);
            int64_t channels = n->set.graph->values[images[i]].shape.dims[1];

            assert_int_equal(value->n_scales, channels);
            for (int64_t c = 0; c < channels; c++) {
                assert_true(value->scale[c] == value->threshold[c] / 127);
                assert_true(value->threshold[c] <= value->threshold[value->widest]);
            }
        }
        for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
            assert_int_equal(planned(n, vectors[i])->n_scales, 1);
    }
    end_net(n);
}

static void channels_share_scales_where_codes_move(void **state)
{
    struct net *n = new_net();

    (void)state;
    build_net(n, -1);
    decide_channels(n, "mse", "sweep", NULL);
    assert_memory_equal(planned(n, n->a)->scale, planned(n, n->p)->scale, 4 * sizeof(float));
    assert_memory_equal(planned(n, n->sum)->scale, planned(n, n->cat)->scale, 4 * sizeof(float));
    assert_memory_equal(planned(n, n->b)->scale, planned(n, n->cat)->scale + 4, 3 * sizeof(float));
    assert_memory_equal(planned(n, n->m)->scale, planned(n, n->cat)->scale, 7 * sizeof(float));
    for (size_t c = 0; c < 4;
         c++) { /* of a max pool only the output counts; a concat's own statistics are its inputs' */
        struct scale_place at_p = {n->p, c}, at_m = {n->m, c}, at_c = {n->c, c};

        assert_true(planned(n, n->a)->threshold[c] == threshold_of_channels(n, "mse", &at_p, 1));
        assert_true(planned(n, n->sum)->threshold[c] == threshold_of_channels(n, "mse", &at_m, 1));
        assert_true(planned(n, n->c)->threshold[c] == threshold_of_channels(n, "mse", &at_c, 1));
    }
    for (size_t c = 0; c < 3; c++) { /* a convolution reads b as well */
        const struct scale_place places[] = {{n->b, c}, {n->m, 4 + c}};

        assert_true(planned(n, n->b)->threshold[c] == threshold_of_channels(n, "mse", places, 2));
    }
    assert_int_equal(planned(n, n->cat)->scale_from, n->m);
    end_net(n);
}

/* Values of one graph that must keep one scale, each for another reason. */
static void one_scale_spreads_through_all_but_convolutions(void **state)
{
    enum { LOGITS, NO_STATISTICS, NO_SUCH_TARGET };

    (void)state;
    for (int reason = LOGITS; reason <= NO_SUCH_TARGET; reason++) {
        struct net *n = new_net();
        struct error err;

        build_net(n, -1);
        if (reason == LOGITS)
            assert_true(graph_add_output(n->set.graph, n->b, &err) >= 0);
        else if (reason == NO_STATISTICS)
            n->channels[n->m] = NULL;
        else
            n->set.profile.per_channel_activations = false;
        decide_channels(n, "mse", "sweep", NULL);
        {
            const int joined_values[] = {n->a, n->p, n->b, n->c, n->sum, n->cat, n->m}, others[] = {n->x, n->e, n->d};

            for (size_t i = 0; i < sizeof joined_values / sizeof *joined_values; i++)
                assert_int_equal(planned(n, joined_values[i])->n_scales, 1);
            for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                assert_int_equal(planned(n, others[i])->n_scales > 1, reason != NO_SUCH_TARGET);
        }
        assert_true(planned(n, n->b)->scale[0] != planned(n, n->cat)->scale[0]); /* TNN rescales operands then */
        end_net(n);
    }
}

/* On a target that would compute all of these on integers. */
static void what_mixes_or_moves_channels_keeps_one_scale(void **state)
{
    enum { ADD, PRODUCT, BROADCAST, TRANSPOSED, N_CASES };

    (void)state;
    for (int what = ADD; what < N_CASES; what++) {
        struct net *n = new_net();
        struct graph *g = n->set.graph;
        struct order order = plain_order(4);
        struct shape second = what == BROADCAST ? SHAPE(1, 4, 1, 1) : SHAPE(1, 4, 4, 4);
        int a = observe_channels(n, add_input(g, "a", SHAPE(1, 4, 4, 4)), &order, false, -1);
        int b = observe_channels(n, add_input(g, "b", second), &order, false, -1), mixed, y;
        struct error err;

        if (what == TRANSPOSED) {
            mixed = add_node(g, OP_TRANSPOSE, "mixed", INTS(a));
            memcpy(last_node(g)->attr.perm, (int64_t[]){0, 2, 1, 3}, 4 * sizeof(int64_t));
        } else {
            mixed = add_node(g, OP_BINARY, "mixed", INTS(a, b));
            last_node(g)->attr.binary.kind = what == PRODUCT ? BINARY_MUL : BINARY_ADD;
        }
        observe_channels(n, mixed, &order, false, -1);
        y = add_ordered_conv(n, "y", mixed, &order, &order, ACTIVATION_NONE);
        observe_channels(n, y, &order, false, -1);
        assert_true(graph_add_output(g, y, &err) >= 0);
        assert_succeeds(graph_infer_shapes(g, &err), err);
        n->set.profile = test_profile();
        n->set.profile.per_channel_activations = true;
        decide_channels(n, "mse", "sweep", NULL);
        assert_int_equal(planned(n, mixed)->n_scales, what == ADD ? 4 : 1);
        assert_int_equal(planned(n, a)->n_scales, what == ADD ? 4 : 1);
        end_net(n);
    }
}

/* What is not an image has no channels, whoever reads it. */
static void a_sum_of_vectors_has_one_scale(void **state)
{
    for (int is_image = 0; is_image < 2; is_image++) {
        struct net *n = new_net();
        struct graph *g = n->set.graph;
        struct shape shape = is_image ? SHAPE(1, 5, 1, 1) : SHAPE(1, 5);
        struct order order = plain_order(5);
        int a = observe_channels(n, add_input(g, "a", shape), &order, false, -1);
        int b = observe_channels(n, add_input(g, "b", shape), &order, false, -1);
        int sum = observe_channels(n, add_node(g, OP_BINARY, "sum", INTS(a, b)), &order, false, -1), y;
        struct error err;

        (void)state;
        y = add_node(g, OP_ACTIVATION, "y", INTS(sum)); /* in float; nor does it keep the sum's order */
        last_node(g)->attr.activation.kind = ACTIVATION_ABS;
        assert_true(graph_add_output(g, y, &err) >= 0);
        assert_succeeds(graph_infer_shapes(g, &err), err);
        decide_channels(n, "mse", "sweep", NULL);
        assert_int_equal(planned(n, sum)->n_scales, is_image ? 5 : 1);
        assert_int_equal(planned(n, a)->n_scales, is_image ? 5 : 1);
        end_net(n);
    }
}

/* TNN tells by the operands' numbers of scales whether a concat moves bytes: one each would be taken for one scale. */
static void a_concat_of_single_channels_keeps_one_scale(void **state)
{
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        struct net *n = new_net();
        struct graph *g = n->set.graph;
        struct order one = plain_order(1), other = plain_order(is_wide ? 2 : 1), three = plain_order(3), both;
        int a, b, y, z;
        struct error err;

        (void)state;
        both = joined(one, other);
        n->x = observe_channels(n, add_input(g, "x", SHAPE(1, 3, 4, 4)), &three, false, -1);
        a = observe_channels(n, add_ordered_conv(n, "a", n->x, &three, &one, ACTIVATION_NONE), &one, false, -1);
        b = observe_channels(n, add_ordered_conv(n, "b", n->x, &three, &other, ACTIVATION_NONE), &other, false, -1);
        y = add_node(g, OP_CONCAT, "y", INTS(a, b));
        last_node(g)->attr.axis = 1;
        observe_channels(n, y, &both, false, -1);
        z = observe_channels(n, add_ordered_conv(n, "z", y, &both, &three, ACTIVATION_NONE), &three, false, -1);
        assert_true(graph_add_output(g, z, &err) >= 0);
        assert_succeeds(graph_infer_shapes(g, &err), err);
        decide_channels(n, "mse", "sweep", NULL);
        assert_int_equal(planned(n, y)->n_scales, is_wide ? 3 : 1);
        assert_int_equal(planned(n, z)->n_scales, 1); /* an output */
        if (is_wide)
            assert_true(planned(n, y)->scale[0] == planned(n, a)->scale[0] &&
                        planned(n, y)->scale[2] == planned(n, b)->scale[1]);
        end_net(n);
    }
}

/* Signed and unsigned codes cannot mix within a value, nor along a concat. */
static void one_negative_channel_makes_all_that_is_tied_to_it_signed(void **state)
{
    for (int is_negative = 0; is_negative < 2; is_negative++) {
        struct net *n = new_net();
        const float x = -FLT_MIN;
        struct error err;

        (void)state;
        build_net(n, -1);
        n->set.profile.zero_points_in_biases = false;
        n->set.profile.unsigned_codes = (struct code_range){0, 255, 0};
        n->set.profile.unsigned_steps = 255;
        if (is_negative) {
            assert_succeeds(histogram_observe(&n->set.storage[n->sum], &x, 1, &err), err);
            assert_succeeds(histogram_observe(&n->channel_storage[n->sum][2], &x, 1, &err), err);
        }
        decide_channels(n, "mse", "sweep", NULL);
        assert_int_equal(planned(n, n->sum)->is_unsigned, !is_negative);
        assert_int_equal(planned(n, n->b)->is_unsigned, !is_negative);
        assert_int_equal(planned(n, n->m)->codes.lo, is_negative ? -128 : 0);
        assert_true(planned(n, n->b)->scale[1] == planned(n, n->b)->threshold[1] / (float)(is_negative ? 127 : 255));
        assert_true(planned(n, n->a)->is_unsigned);
        end_net(n);
    }
}

/* ---- invariants ---- */

static void assert_same_channels(const struct net *one, const struct net *two, int value, const struct order *order_one,
                                 const struct order *order_two)
{
    for (size_t c = 0; c < order_one->n; c++) {
        size_t there = place_of(order_two, order_one->id[c]);
        int shift = order_two->shift[there] - order_one->shift[c];

        assert_true(planned(two, value)->scale[there] == ldexpf(planned(one, value)->scale[c], shift));
    }
}

static void assert_same_layer(const struct net *one, const struct net *two, const char *name, const struct order *in[2],
                              const struct order *out[2])
{
    const struct plan_node *a = planned_node(one, name), *b = planned_node(two, name);
    size_t inputs = in[0] == NULL ? 1 : in[0]->n;

    for (size_t o = 0; o < out[0]->n; o++) {
        size_t there = place_of(out[1], out[0]->id[o]);
        int shift = out[1]->shift[there] - out[0]->shift[o];

        assert_true(b->acc_scale[there] == ldexpf(a->acc_scale[o], shift));
        assert_int_equal(b->bias_codes[there], a->bias_codes[o]);
        for (size_t i = 0; i < inputs; i++) {
            size_t from = in[0] == NULL ? 0 : place_of(in[1], in[0]->id[i]);

            assert_memory_equal(b->weight_codes + (there * inputs + from) * TAPS,
                                a->weight_codes + (o * inputs + i) * TAPS, TAPS * sizeof *a->weight_codes);
        }
    }
}

/* Channels in another order, each times a power of two that the weights of the next layer undo: the same integers. */
static void neither_order_nor_magnitude_of_channels_matters(void **state)
{
    struct net *one = new_net(), *two = new_net();

    (void)state;
    two->of_x = (struct order){3, {2, 0, 1}, {3, -2, 5}};
    two->of_a = (struct order){4, {1, 3, 2, 0}, {0, 7, -4, 2}};
    two->of_b = (struct order){3, {2, 1, 0}, {-9, 4, 1}};
    build_net(one, -1);
    build_net(two, -1);
    decide_channels(one, "mse", "maxabs", NULL);
    decide_channels(two, "mse", "maxabs", NULL);
    assert_same_channels(one, two, one->x, &one->of_x, &two->of_x);
    assert_same_channels(one, two, one->p, &one->of_a, &two->of_a);
    assert_same_channels(one, two, one->c, &one->of_a, &two->of_a);
    assert_same_channels(one, two, one->m, &one->of_cat, &two->of_cat);
    assert_same_channels(one, two, one->e, &one->of_cat, &two->of_cat);
    assert_same_layer(one, two, "a", (const struct order *[]){&one->of_x, &two->of_x},
                      (const struct order *[]){&one->of_a, &two->of_a});
    assert_same_layer(one, two, "b", (const struct order *[]){&one->of_a, &two->of_a},
                      (const struct order *[]){&one->of_b, &two->of_b});
    assert_same_layer(one, two, "e", (const struct order *[]){NULL, NULL},
                      (const struct order *[]){&one->of_cat, &two->of_cat});
    assert_same_layer(one, two, "d", (const struct order *[]){&one->of_cat, &two->of_cat},
                      (const struct order *[]){&one->of_d, &two->of_d});
    end_net(one);
    end_net(two);
}

/* ---- weights ---- */

/* Max-abs of the weights times the scales of the channels they meet, by definition (TNN's tool, section 3.6). */
static void assert_folded(const struct net *n, const char *name, int input, size_t in, size_t out)
{
    const struct node *node = find_node(n->set.graph, name);
    const float *w = n->set.graph->values[node->inputs[1]].data, *b = n->set.graph->values[node->inputs[2]].data;
    const struct plan_node *p = planned_node(n, name);

    for (size_t o = 0; o < out; o++) {
        float v[MAX_CHANNELS * TAPS], largest = 0;

        for (size_t i = 0; i < in * TAPS; i++) {
            v[i] = w[o * in * TAPS + i] * planned(n, input)->scale[i / TAPS];
            largest = fmaxf(largest, fabsf(v[i]));
        }
        assert_true(p->weight_scale[o] == largest / 127 && p->acc_scale[o] == largest / 127);
        for (size_t i = 0; i < in * TAPS; i++)
            assert_int_equal(p->weight_codes[o * in * TAPS + i], (int)roundf(v[i] / p->weight_scale[o]));
        assert_true(fabs((double)p->bias_codes[o] - (double)b[o] / (double)p->acc_scale[o]) <= 0.5);
    }
}

static void weights_take_up_the_scales_of_their_input_channels(void **state)
{
    struct net *n = new_net();
    const struct plan_node *e;
    const float *w;

    (void)state;
    build_net(n, -1);
    decide_channels(n, "mse", "maxabs", NULL);
    assert_folded(n, "a", n->x, 3, 4);
    assert_folded(n, "b", n->p, 4, 3);
    assert_folded(n, "c", n->b, 3, 4);
    assert_folded(n, "d", n->e, 7, 5);
    e = planned_node(n, "e"); /* depthwise: the scale stays outside */
    w = n->set.graph->values[find_node(n->set.graph, "e")->inputs[1]].data;
    for (size_t c = 0; c < 7; c++) {
        float largest = 0;

        for (size_t t = c * TAPS; t < (c + 1) * TAPS; t++)
            largest = fmaxf(largest, fabsf(w[t]));
        assert_true(e->weight_scale[c] == largest / 127);
        assert_true(e->acc_scale[c] == e->weight_scale[c] * planned(n, n->m)->scale[c]);
        for (size_t t = c * TAPS; t < (c + 1) * TAPS; t++)
            assert_int_equal(e->weight_codes[t], (int)roundf(w[t] / e->weight_scale[c]));
    }
    end_net(n);
}

/* Where the target has one weight scale, one accumulator step is shared by all channels, depthwise ones too. */
static void one_weight_scale_takes_up_all_input_channels(void **state)
{
    struct net *n = new_net();
    const struct plan_node *e;
    const float *w;
    float largest = 0;

    (void)state;
    build_net(n, -1);
    n->set.profile.per_channel_weights = false;
    decide_channels(n, "mse", "maxabs", NULL);
    e = planned_node(n, "e");
    w = n->set.graph->values[find_node(n->set.graph, "e")->inputs[1]].data;
    for (size_t i = 0; i < 7 * TAPS; i++)
        largest = fmaxf(largest, fabsf(w[i] * planned(n, n->m)->scale[i / TAPS]));
    assert_int_equal(e->n_weight_scales, 1);
    assert_true(e->acc_scale[0] == largest / 127);
    for (size_t i = 0; i < 7 * TAPS; i++)
        assert_int_equal(e->weight_codes[i], (int)roundf(w[i] * planned(n, n->m)->scale[i / TAPS] / e->acc_scale[0]));
    end_net(n);
}

/* Its scale is next to 0, so that its weights do not decide the scale that they share with others. */
static void a_dead_channel_disturbs_no_other(void **state)
{
    enum { DEAD = 1 };
    struct net *with = new_net(), *without = new_net();
    const struct plan_node *c, *d;

    (void)state;
    build_net(with, DEAD);
    build_net(without, -1);
    decide_channels(with, "mse", "maxabs", NULL);
    decide_channels(without, "mse", "maxabs", NULL);
    assert_true(planned(with, with->b)->scale[DEAD] == 0x1p-100F);
    assert_true(planned(with, with->m)->scale[4 + DEAD] == 0x1p-100F);
    for (size_t i = 0; i < 7; i++) {
        if (i != 4 + DEAD)
            assert_true(planned(with, with->cat)->scale[i] == planned(without, with->cat)->scale[i]);
    }
    assert_string_equal(planned(with, with->b)->method, "mse");
    c = planned_node(with, "c");
    for (size_t o = 0; o < 4; o++) {
        for (size_t t = 0; t < TAPS; t++)
            assert_int_equal(c->weight_codes[(o * 3 + DEAD) * TAPS + t], 0);
        assert_true(isnormal(c->acc_scale[o]));
    }
    /* A depthwise layer reads the dead channel alone: what it makes is its bias. */
    d = planned_node(with, "e");
    assert_true(isnormal(d->acc_scale[4 + DEAD]));
    assert_true(fabs((double)d->acc_scale[4 + DEAD] * d->bias_codes[4 + DEAD] / (0.25 * 6) - 1) < 1e-6);
    end_net(with);
    end_net(without);
}

/* The mean output on the integers' weights, folded or not, is that of the floats. */
static void bias_correction_sees_real_weights(void **state)
{
    static const struct {
        const char *name;
        size_t in, out;
    } layers[] = {{"b", 4, 3}, {"e", 1, 7}, {"d", 7, 5}};
    double means[MAX_VALUES][MAX_CHANNELS];
    const double *list[MAX_VALUES];
    struct net *n = new_net();

    (void)state;
    build_net(n, -1);
    for (size_t v = 0; v < MAX_VALUES; v++) {
        list[v] = means[v];
        for (size_t c = 0; c < MAX_CHANNELS; c++)
            means[v][c] = 0.5 + (double)c;
    }
    decide_channels(n, "mse", "maxabs", list);
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        const struct node *node = find_node(n->set.graph, layers[k].name);
        const struct graph *g = n->set.graph;
        const struct plan_node *p = planned_node(n, layers[k].name);
        const float *w = g->values[node->inputs[1]].data, *b = g->values[node->inputs[2]].data;
        bool is_depthwise = node->attr.conv.group > 1;

        for (size_t o = 0; o < layers[k].out; o++) {
            double real = (double)b[o], coded = (double)p->bias[o];

            for (size_t i = 0; i < layers[k].in * TAPS; i++) {
                size_t at = o * layers[k].in * TAPS + i, channel = is_depthwise ? o : i / TAPS;
                double step = (double)p->acc_scale[o] / (double)planned(n, node->inputs[0])->scale[channel];

                real += (double)w[at] * means[node->inputs[0]][channel];
                coded += step * p->weight_codes[at] * means[node->inputs[0]][channel];
            }
            assert_true(fabs(real - coded) < 1e-5 * (1 + fabs(real)));
            assert_true(p->bias[o] != b[o]);
        }
        assert_string_equal(p->method, "maxabs +bias");
    }
    end_net(n);
}

/* ---- TNN's files ---- */

static void read_model(const char *path, struct bytes *file, struct arena *arena, struct tnn_model *model)
{
    struct error err;

    assert_succeeds(bytes_read(path, 1 << 20, file, &err), err);
    assert_succeeds(tnn_model_read(file, arena, model, &err), err);
}

static const struct tnn_resource *scale_of(const struct tnn_model *model, const char *blob)
{
    char name[300];

    snprintf(name, sizeof name, "%s" TNN_SCALE_SUFFIX, blob);
    assert_non_null(tnn_resource_find(model, name));
    return tnn_resource_find(model, name);
}

static void assert_floats(const struct tnn_raw *raw, const float *expected, size_t n)
{
    assert_int_equal(tnn_raw_count(raw), n);
    assert_memory_equal(raw->data, expected, n * sizeof *expected);
}

/* Imported, a weight is its code's: within half a step of the accumulator over the scale of its input channel. */
static void assert_imported(const struct net *n, const struct graph *again, const char *name, size_t in, size_t out)
{
    const struct node *node = find_node(n->set.graph, name), *found = find_node(again, name);
    const float *w = n->set.graph->values[node->inputs[1]].data, *x = again->values[found->inputs[1]].data;
    const float *scale = planned(n, node->inputs[0])->scale;

    for (size_t i = 0; i < out * in * TAPS; i++) {
        size_t o = i / (in * TAPS), channel = node->attr.conv.group > 1 ? o : i / TAPS % in;
        double step = (double)planned_node(n, name)->acc_scale[o] / (double)scale[channel];

        assert_true(fabs((double)w[i] - (double)x[i]) <= 0.5001 * step);
    }
}

static void what_is_emitted_for_tnn_holds_every_channel(void **state)
{
    static const struct emit_info info = {
        .fingerprint = "0", .version = "0", .records = 1, .method = "mse", .model_name = "net"};
    char root[] = "/tmp/etalon_channels_XXXXXX", path[300];
    struct net *n = new_net();
    struct arena *arena = arena_create(NULL);
    struct model_request request = {.file = path};
    struct bytes file = {0};
    struct tnn_model model;
    struct output *output;
    struct graph *again;
    struct error err;

    (void)state;
    build_net(n, 2);
    decide_channels(n, "mse", "sweep", NULL);
    assert_non_null(mkdtemp(root));
    output = output_open(root, &err);
    assert_non_null(output);
    assert_succeeds(target_find("tnn")->emit(n->set.plan, &info, output, &err), err);
    output_close(output);
    snprintf(path, sizeof path, "%s/tnn/net.quantized.tnnmodel", root);
    read_model(path, &file, arena, &model);
    {
        const int values[] = {n->x, n->a, n->p, n->b, n->c, n->sum, n->cat, n->m, n->e, n->d, n->u, n->v};
        static const char *const layers[] = {"a", "b", "c", "d", "e", "v"};

        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            assert_floats(&scale_of(&model, n->set.graph->values[values[i]].name)->scale, planned(n, values[i])->scale,
                          planned(n, values[i])->n_scales);
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            assert_floats(&tnn_resource_find(&model, layers[i])->scale, planned_node(n, layers[i])->acc_scale,
                          planned_node(n, layers[i])->n_weight_scales);
    }
    snprintf(path, sizeof path, "%s/tnn/net.quantized.tnnproto", root);
    again = model_import(&request, &err);
    assert_non_null(again);
    assert_imported(n, again, "a", 3, 4);
    assert_imported(n, again, "e", 1, 7);
    assert_imported(n, again, "d", 7, 5);
    graph_destroy(again);
    bytes_free(&file);
    arena_destroy(arena);
    snprintf(path, sizeof path, "rm -rf '%s'", root);
    assert_int_equal(system(path), 0);
    end_net(n);
}

/* Min-max weights per channel under the scales of its own tool; those of a dead channel are 0 there. */
static void weights_are_coded_as_tnns_own_tool_codes_them(void **state)
{
    static const char *const layers[][2] = {{"conv1", "data"}, {"dw", "p1"}, {"pw", "r2"},
                                            {"b1", "r3"},      {"b2", "r3"}, {"conv3", "bn_o"}};
    const struct model_request request = {.file = SHARED_DATA "/tnn_golden/tiny_v2.tnnproto"};
    struct arena *arena;
    struct bytes file = {0};
    struct tnn_model model;
    struct graph *graph;
    struct plan *plan;
    struct error err;

    (void)state;
    if (access(request.file, R_OK) != 0)
        skip();
    arena = arena_create(NULL);
    read_model(SHARED_DATA "/tnn_golden/b0w0t0.quantized.tnnmodel", &file, arena, &model);
    graph = model_import(&request, &err);
    assert_non_null(graph);
    plan = plan_create(graph, target_find("tnn")->profile, &err);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        int n = graph_find_node(graph, layers[i][0]);
        const struct tnn_raw *scale = &scale_of(&model, layers[i][1])->scale;
        struct plan_value *input = &plan->values[graph->nodes[n].inputs[0]];

        plan->nodes[n].is_quantized = true;
        input->n_scales = (size_t)tnn_raw_count(scale);
        assert_int_equal(input->n_scales, graph->values[graph->nodes[n].inputs[0]].shape.dims[1]);
        input->scale = arena_create_array(arena, input->n_scales, sizeof *input->scale, NULL);
        for (size_t c = 0; c < input->n_scales; c++)
            input->scale[c] = tnn_raw_real(scale, c) > 0 ? (float)tnn_raw_real(scale, c) : 0x1p-100F;
    }
    assert_succeeds(plan_decide_weights(plan, "maxabs", &err), err);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const struct tnn_resource *layer = tnn_resource_find(&model, layers[i][0]);
        const struct plan_node *p = &plan->nodes[graph_find_node(graph, layers[i][0])];

        assert_floats(&layer->scale, p->acc_scale, p->n_weight_scales);
        for (size_t k = 0; k < layer->main.size; k++)
            assert_int_equal((int8_t)layer->main.data[k], p->weight_codes[k]);
        for (size_t o = 0; layer->bias.size > 0 && o < p->n_weight_scales; o++) /* it truncates, we round */
            assert_in_range(p->bias_codes[o] - tnn_raw_integer(&layer->bias, o) + 1, 0, 2);
    }
    plan_destroy(plan);
    graph_destroy(graph);
    bytes_free(&file);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_have_a_scale_per_channel_and_vectors_one),
        cmocka_unit_test(channels_share_scales_where_codes_move),
        cmocka_unit_test(one_scale_spreads_through_all_but_convolutions),
        cmocka_unit_test(what_mixes_or_moves_channels_keeps_one_scale),
        cmocka_unit_test(a_sum_of_vectors_has_one_scale),
        cmocka_unit_test(a_concat_of_single_channels_keeps_one_scale),
        cmocka_unit_test(one_negative_channel_makes_all_that_is_tied_to_it_signed),
        cmocka_unit_test(neither_order_nor_magnitude_of_channels_matters),
        cmocka_unit_test(weights_take_up_the_scales_of_their_input_channels),
        cmocka_unit_test(one_weight_scale_takes_up_all_input_channels),
        cmocka_unit_test(a_dead_channel_disturbs_no_other),
        cmocka_unit_test(bias_correction_sees_real_weights),
        cmocka_unit_test(what_is_emitted_for_tnn_holds_every_channel),
        cmocka_unit_test(weights_are_coded_as_tnns_own_tool_codes_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
