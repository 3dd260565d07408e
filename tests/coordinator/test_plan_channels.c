/* test_plan_channels.c — plans with a scale per channel: who has them, what shares them, what weights make of them. */
#include "channel_net.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
