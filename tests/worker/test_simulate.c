/* test_simulate.c — the simulator's integers against definitions that a reader can check by hand. */
#include "worker/simulate_private.h"

#include "common/memory.h"
#include "worker/int_gemm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Relative to real zero. */
static int16_t sim_code(float ratio, struct code_range codes, enum rounding rounding)
{
    const struct plan_value value = {.codes = codes};
    struct sim_quantizer quantizer = sim_quantizer_of(&value, rounding);
    uint8_t byte;
    int16_t word;

    if (!quantizer.codes.are_bytes) {
        sim_quantize(&ratio, 1, &quantizer, &word);
        return word;
    }
    sim_quantize(&ratio, 1, &quantizer, &byte);
    return (int16_t)(byte + quantizer.codes.lowest);
}

static uint64_t seed = 1;

static int draw(int lo, int hi)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return lo + (int)((seed >> 33) % (uint64_t)(hi - lo + 1));
}

/* Rows and weights of one product, and the definition: a triple loop in 64 bits. */
struct product {
    size_t n, outputs, segments, items, stride; /* stride: bytes from segment to segment */
    bool are_bytes;
    int16_t *w;
    char *rows;
    size_t *at;
    int32_t *sums;
};

static int item_of(const struct product *p, const char *segment, size_t i)
{
    return p->are_bytes ? ((const uint8_t *)segment)[i] : ((const int16_t *)segment)[i];
}

static void draw_product(struct product *p, bool is_extreme)
{
    size_t bytes;

    *p = (struct product){.n = (size_t)draw(1, 37),
                          .outputs = (size_t)draw(1, 150),
                          .segments = (size_t)draw(1, 4),
                          .items = (size_t)draw(1, 150),
                          .are_bytes = draw(0, 1) == 1};
    p->stride = (p->items + (size_t)draw(4, 9)) * sizeof(int16_t);
    bytes = (p->n + 1) * p->segments * p->stride + 2 * INT_GEMM_UNIT;
    p->w = malloc(p->outputs * p->segments * p->items * sizeof *p->w);
    p->rows = malloc(bytes);
    p->at = malloc(p->n * sizeof *p->at);
    p->sums = malloc(p->n * INT_GEMM_PANEL * sizeof *p->sums);
    for (size_t i = 0; i < p->outputs * p->segments * p->items; i++)
        p->w[i] = (int16_t)(is_extreme ? (draw(0, 1) ? 127 : -127) : draw(-127, 127));
    for (size_t i = 0; i < bytes / sizeof(int16_t); i++)
        ((int16_t *)p->rows)[i] =
            (int16_t)(p->are_bytes ? (is_extreme ? -1 : draw(-32768, 32767)) : (is_extreme ? 255 : draw(-255, 255)));
    for (size_t i = 0; i < p->n; i++) /* rows overlap, as windows do */
        p->at[i] = (size_t)draw(0, (int)(p->n * p->segments)) * sizeof(int16_t);
}

static void check_product(const struct product *p, const struct int_weights *packed)
{
    struct int_rows rows = {p->rows, p->at, p->n, p->segments, p->stride, int_gemm_units(p->items, p->are_bytes)};

    for (size_t o = 0; o < p->outputs; o++) {
        if (o % INT_GEMM_PANEL == 0)
            int_gemm(&rows, packed, o / INT_GEMM_PANEL, 0, p->sums);
        for (size_t i = 0; i < p->n; i++) {
            int64_t sum = 0;

            for (size_t s = 0; s < p->segments; s++)
                for (size_t k = 0; k < p->items; k++)
                    sum += (int64_t)item_of(p, p->rows + p->at[i] + s * p->stride, k) *
                           p->w[(o * p->segments + s) * p->items + k];
            assert_int_equal(p->sums[i * INT_GEMM_PANEL + o % INT_GEMM_PANEL], sum);
        }
    }
}

static void products_are_exact_for_every_shape(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct int_weights packed;
        struct error err = {0};
        struct product p;

        draw_product(&p, round % 3 == 0);
        assert_int_equal(int_weights_init(&packed, p.w, p.outputs, p.segments, p.items, p.are_bytes, &err), 0);
        check_product(&p, &packed);
        int_weights_fini(&packed);
        free(p.w);
        free(p.rows);
        free(p.at);
        free(p.sums);
    }
}

/* A sum of halves of weights stops before 32 bits do: a row may be continued from any of its units. */
static void a_part_of_a_row_meets_its_part_of_the_weights(void **state)
{
    const int16_t w[] = {1, 2, 3, 4, 5, 6}, row[] = {10, 20, 30, 40, 50, 60};
    const size_t at = 0;
    struct int_rows rows = {(const char *)(row + 2), &at, 1, 1, 0, 2};
    int32_t sums[INT_GEMM_PANEL];
    struct int_weights packed;
    struct error err = {0};

    (void)state;
    assert_int_equal(int_weights_init(&packed, w, 1, 1, 6, false, &err), 0);
    int_gemm(&rows, &packed, 0, 1, sums);
    assert_int_equal(sums[0], 3 * 30 + 4 * 40 + 5 * 50 + 6 * 60);
    int_weights_fini(&packed);
}

static void codes_saturate_and_round_as_the_profile_says(void **state)
{
    struct code_range s8 = {-128, 127, 0}, u8 = {0, 255, 0}, shifted = {0, 255, 128};

    (void)state;
    assert_int_equal(sim_code(2.5f, s8, ROUND_HALF_EVEN), 2);
    assert_int_equal(sim_code(2.5f, s8, ROUND_HALF_AWAY), 3);
    assert_int_equal(sim_code(-2.5f, s8, ROUND_HALF_AWAY), -3);
    assert_int_equal(sim_code(-2.5f, s8, ROUND_HALF_UP), -2);
    assert_int_equal(sim_code(1e30f, s8, ROUND_HALF_EVEN), 127);
    assert_int_equal(sim_code(-1e30f, s8, ROUND_HALF_EVEN), -128);
    assert_int_equal(sim_code(-1.0f, u8, ROUND_HALF_EVEN), 0);
    assert_int_equal(sim_code(300.0f, u8, ROUND_HALF_EVEN), 255);
    assert_int_equal(sim_code(300.0f, shifted, ROUND_HALF_EVEN), 127);
    assert_int_equal(sim_code(-300.0f, shifted, ROUND_HALF_EVEN), -128);
    assert_int_equal(sim_code(NAN, shifted, ROUND_HALF_EVEN), 0);
}

static void small_rounding_equals_the_exact_one(void **state)
{
    struct code_range wide = {-300, 300, 0};

    (void)state;
    for (int i = 0; i < 400000; i++) {
        /* multiples of 1/8 and their neighbours, where ties and near-ties are */
        float x = (float)draw(-2400, 2400) / 8;
        int away = draw(-2, 2);
        enum rounding mode = (enum rounding)draw(ROUND_HALF_EVEN, ROUND_FLOOR);

        while (away != 0) {
            x = nextafterf(x, away > 0 ? INFINITY : -INFINITY);
            away += away > 0 ? -1 : 1;
        }
        if (fabsf(x) < 300)
            assert_int_equal(sim_code(x, wide, mode), round_to_integer((double)x, mode));
    }
}

/* ---- whole convolutions against a loop nest over taps ---- */

struct conv_case {
    int channels, outputs, size, kernel, stride, dilation, pad_begin, pad_end, group;
    bool ratio, has_relu;
};

struct made {
    struct graph *graph;
    struct plan *plan;
    struct profile profile;
    int x, y, node;
};

static int add_constant(struct graph *g, const char *name, size_t rank, const int64_t *dims, const void *data)
{
    struct tensor t = {.dtype = DTYPE_FLOAT32, .data = data};
    struct error err = {0};
    int index;

    t.shape.rank = rank;
    memcpy(t.shape.dims, dims, rank * sizeof *dims);
    index = graph_add_constant(g, name, &t, &err);
    assert_true(index >= 0);
    return index;
}

static float zero_weights[8192];

static void make(const struct conv_case *c, struct made *m)
{
    struct error err = {0};
    int64_t in_group = c->channels / c->group;
    int64_t out = conv_output_size(c->size, c->kernel, c->stride, c->dilation, c->pad_begin, c->pad_end);
    struct shape xs = {4, {1, c->channels, c->size, c->size}}, ys = {4, {1, c->outputs, out, out}};
    int inputs[3], output;
    struct plan_node *n;

    m->graph = graph_create("test", &err);
    m->x = graph_add_value(m->graph, "x", DTYPE_FLOAT32, &xs, &err);
    m->y = graph_add_value(m->graph, "y", DTYPE_FLOAT32, &ys, &err);
    inputs[0] = m->x;
    inputs[1] = add_constant(m->graph, "w", 4, (int64_t[]){c->outputs, in_group, c->kernel, c->kernel}, zero_weights);
    inputs[2] = add_constant(m->graph, "b", 1, (int64_t[]){c->outputs}, zero_weights);
    output = m->y;
    m->node = graph_add_node(m->graph, OP_CONV, "conv", "Conv", inputs, 3, &output, 1, &err);
    assert_true(m->node >= 0);
    graph_add_input(m->graph, m->x, &err);
    graph_add_output(m->graph, m->y, &err);
    m->graph->nodes[m->node].attr.conv.group = c->group;
    for (int i = 0; i < 2; i++) {
        struct window *w = &m->graph->nodes[m->node].attr.conv.window;

        w->kernel[i] = c->kernel;
        w->stride[i] = c->stride;
        w->dilation[i] = c->dilation;
        w->pad_begin[i] = c->pad_begin;
        w->pad_end[i] = c->pad_end;
    }
    if (c->has_relu)
        m->graph->nodes[m->node].fused = (struct activation){ACTIVATION_RELU, 0, 0};
    assert_int_equal(graph_infer_shapes(m->graph, &err), 0);
    m->profile = (struct profile){.name = "test",
                                  .signed_codes = {-128, 127, 0},
                                  .requantization = c->ratio ? REQUANTIZE_RATIO : REQUANTIZE_DEQUANTIZED,
                                  .activation_rounding = c->ratio ? ROUND_HALF_AWAY : ROUND_HALF_EVEN};
    m->plan = plan_create(m->graph, &m->profile, &err);
    for (int v = 0; v < 2; v++) {
        struct plan_value *p = &m->plan->values[v == 0 ? m->x : m->y];

        p->is_quantized = true;
        p->codes = m->profile.signed_codes;
        p->n_scales = 1;
        p->scale = arena_create_array(m->plan->arena, 1, sizeof *p->scale, &err);
        p->scale[0] = v == 0 ? 0.03125f : 0.7f;
    }
    n = &m->plan->nodes[m->node];
    n->is_quantized = true;
    n->n_weight_scales = (size_t)c->outputs;
    n->weight_codes = arena_create_array(m->plan->arena, (size_t)(c->outputs * in_group * c->kernel * c->kernel),
                                         sizeof *n->weight_codes, &err);
    n->acc_scale = arena_create_array(m->plan->arena, (size_t)c->outputs, sizeof(float), &err);
    n->bias_codes = arena_create_array(m->plan->arena, (size_t)c->outputs, sizeof(int32_t), &err);
    for (int64_t i = 0; i < c->outputs * in_group * c->kernel * c->kernel; i++)
        n->weight_codes[i] = (int16_t)draw(-127, 127);
    for (int o = 0; o < c->outputs; o++) {
        n->acc_scale[o] = 0.0003f * (float)(1 + o);
        n->bias_codes[o] = draw(-5000, 5000);
    }
}

static int64_t accumulate(const struct conv_case *c, const struct made *m, const int16_t *x, int o, int oy, int ox)
{
    const struct plan_node *n = &m->plan->nodes[m->node];
    int in_group = c->channels / c->group, out_group = c->outputs / c->group;
    int64_t sum = n->bias_codes[o];

    for (int i = 0; i < in_group; i++)
        for (int ky = 0; ky < c->kernel; ky++)
            for (int kx = 0; kx < c->kernel; kx++) {
                int y = oy * c->stride - c->pad_begin + ky * c->dilation,
                    xx = ox * c->stride - c->pad_begin + kx * c->dilation;

                if (y < 0 || y >= c->size || xx < 0 || xx >= c->size)
                    continue;
                sum += (int64_t)x[((o / out_group * in_group + i) * c->size + y) * c->size + xx] *
                       n->weight_codes[((o * in_group + i) * c->kernel + ky) * c->kernel + kx];
            }
    return sum;
}

static void convolutions_equal_the_loop_nest_bit_for_bit(void **state)
{
    static const struct conv_case cases[] = {
        {3, 5, 7, 3, 1, 1, 1, 1, 1, true, true},    {3, 20, 8, 3, 2, 1, 0, 1, 1, false, false},
        {8, 16, 6, 1, 1, 1, 0, 0, 1, true, false},  {5, 17, 5, 1, 2, 1, 0, 0, 1, false, true},
        {12, 12, 9, 3, 1, 2, 2, 2, 12, true, true}, {12, 18, 6, 3, 1, 1, 1, 1, 3, false, false},
        {4, 4, 11, 5, 3, 1, 2, 1, 4, true, false},  {16, 33, 10, 3, 1, 1, 1, 1, 1, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct conv_case *c = &cases[i];
        struct made m;
        struct error err = {0};
        size_t records = 3, in = (size_t)(c->channels * c->size * c->size);
        float *x = malloc(records * in * sizeof *x);
        const float *inputs[] = {x};
        struct simulator *s;
        const int16_t *got, *codes;
        int out;

        make(c, &m);
        for (size_t j = 0; j < records * in; j++)
            x[j] = (float)draw(-140, 140) * 0.03125f; /* some saturate */
        s = simulator_create(m.plan, records, &err);
        assert_non_null(s);
        assert_int_equal(simulator_begin(s, inputs, records, &err), 0);
        codes = simulator_codes(s, m.x);
        for (size_t j = 0; j < records * in; j++)
            assert_int_equal(codes[j], fmaxf(-128, fminf(127, x[j] / 0.03125f)));
        {
            int16_t *kept = malloc(records * in * sizeof *kept);

            memcpy(kept, codes, records * in * sizeof *kept);
            assert_int_equal(simulator_step(s, m.node, &err), 0);
            got = simulator_codes(s, m.y);
            out = (int)m.graph->values[m.y].shape.dims[2];
            for (size_t r = 0; r < records; r++)
                for (int o = 0; o < c->outputs; o++)
                    for (int p = 0; p < out * out; p++) {
                        float acc = (float)accumulate(c, &m, kept + r * in, o, p / out, p % out);
                        float scale = m.plan->nodes[m.node].acc_scale[o];
                        float steps = c->ratio ? acc * (scale / 0.7f) : acc * scale / 0.7f;

                        if (c->has_relu && steps < 0)
                            steps = 0;
                        assert_int_equal(*got++,
                                         sim_code(steps, m.profile.signed_codes, m.profile.activation_rounding));
                    }
            free(kept);
        }
        simulator_destroy(s);
        plan_destroy(m.plan);
        graph_destroy(m.graph);
        free(x);
    }
}

/* As the correction of biases does, layer by layer. */
static void a_float_bias_counts_as_it_is_when_the_layer_runs(void **state)
{
    static const struct conv_case c = {1, 1, 1, 1, 1, 1, 0, 0, 1, false, false};
    const float x = 0, *inputs[] = {&x};
    struct made m;
    struct error err = {0};
    struct simulator *s;
    float *bias;

    (void)state;
    make(&c, &m);
    bias = arena_create_array(m.plan->arena, 1, sizeof *bias, &err);
    m.plan->nodes[m.node].bias_codes = NULL;
    m.plan->nodes[m.node].bias = bias;
    m.plan->values[m.y].is_quantized = false;
    bias[0] = 1;
    s = simulator_create(m.plan, 1, &err);
    assert_non_null(s);
    bias[0] = 2.5F;
    assert_int_equal(simulator_begin(s, inputs, 1, &err), 0);
    assert_int_equal(simulator_step(s, m.node, &err), 0);
    assert_true(simulator_value(s, m.y)[0] == 2.5F);
    simulator_destroy(s);
    plan_destroy(m.plan);
    graph_destroy(m.graph);
}

/* A layer whose codes count from -128 adds up 128 steps of its output less: with its bias, that may leave 32 bits. */
static void hidden_zero_points_count_among_what_an_accumulator_holds(void **state)
{
    static const struct conv_case c = {1, 1, 1, 1, 1, 1, 0, 0, 1, false, false};
    static const struct {
        float steps; /* of the accumulator in one of the output */
        int32_t bias;
        bool fits;
    } cases[] = {
        {0x1p22F, -(1 << 30), true},
        {0x1p23F, -(1 << 30), false},
        {0x1p23F, 1 << 29, true},
        {0x1p100F, INT32_MAX, false}, /* as a hostile file may have it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct plan_value *y;
        struct made m;

        make(&c, &m);
        y = &m.plan->values[m.y];
        y->codes.zero_point = -128;
        y->hides_zero_point = true;
        y->scale[0] = m.plan->nodes[m.node].acc_scale[0] * cases[i].steps;
        m.plan->nodes[m.node].bias_codes[0] = cases[i].bias;
        assert_int_equal(simulator_check(m.plan, &err), cases[i].fits ? 0 : -1);
        assert_int_equal(err.code, cases[i].fits ? 0 : EX_UNAVAILABLE);
        plan_destroy(m.plan);
        graph_destroy(m.graph);
    }
}

/* An average of codes is quantized like a layer with weights; whoever else reads the value reads the reals. */
static void a_pool_on_codes_makes_them_of_reals_for_itself(void **state)
{
    static const float x[4] = {0.4F, 0.4F, 1.4F, 1.4F}; /* codes 0, 0, 1, 1 */
    const float *inputs[] = {x};
    struct shape shape = {4, {1, 1, 2, 2}};
    struct profile profile = {.name = "test", .signed_codes = {-128, 127, 0}, .keeps_reals = true};
    struct error err = {0};
    struct graph *graph = graph_create("test", &err);
    int in = graph_add_value(graph, "in", DTYPE_FLOAT32, &shape, &err), node;
    float scale = 1;

    (void)state;
    graph_add_input(graph, in, &err);
    for (int i = 0; i < 2; i++) {
        int out = graph_add_value(graph, i == 0 ? "coded" : "real", DTYPE_FLOAT32, NULL, &err);

        node = graph_add_node(graph, OP_POOL, i == 0 ? "coded" : "real", "AveragePool", &in, 1, &out, 1, &err);
        assert_true(node >= 0);
        graph->nodes[node].attr.pool.kind = POOL_AVERAGE;
        graph->nodes[node].attr.pool.window = (struct window){{2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
        graph->nodes[node].attr.pool.output[0] = graph->nodes[node].attr.pool.output[1] = 1;
        graph_add_output(graph, out, &err);
    }
    assert_int_equal(graph_infer_shapes(graph, &err), 0);
    {
        struct plan *plan = plan_create(graph, &profile, &err);
        struct simulator *s;

        plan->nodes[0].is_quantized = true;
        plan->values[in].is_quantized = true;
        plan->values[in].codes = profile.signed_codes;
        plan->values[in].n_scales = 1;
        plan->values[in].scale = &scale;
        s = simulator_create(plan, 1, &err);
        assert_non_null(s);
        assert_int_equal(simulator_begin(s, inputs, 1, &err), 0);
        assert_int_equal(simulator_step(s, 0, &err), 0);
        assert_int_equal(simulator_step(s, 1, &err), 0);
        assert_true(simulator_value(s, graph->nodes[0].outputs[0])[0] == 0.5F);
        assert_true(fabsf(simulator_value(s, graph->nodes[1].outputs[0])[0] - 0.9F) < 1e-6F);
        simulator_destroy(s);
        plan_destroy(plan);
    }
    graph_destroy(graph);
}

/* in -> means of 2 x 2 -> their mean, with codes of half a unit. What the second step reads is put there by hand. */
static void check_replacement(bool hides_zero_point)
{
    static const float x[16] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, reals[4] = {0.6F, 1.4F, 2.1F, 200};
    static float scale = 0.5F;
    const float *inputs[] = {x}, *seen;
    struct shape shape = {4, {1, 1, 4, 4}};
    struct profile profile = {.name = "test", .activation_rounding = ROUND_HALF_EVEN};
    struct code_range codes = {-128, 127, hides_zero_point ? -128 : 0};
    struct error err = {0};
    struct graph *graph = graph_create("test", &err);
    int values[3] = {graph_add_value(graph, "in", DTYPE_FLOAT32, &shape, &err)};
    struct plan *plan;
    struct simulator *s;

    graph_add_input(graph, values[0], &err);
    for (int i = 0; i < 2; i++) {
        int node;

        values[1 + i] = graph_add_value(graph, i == 0 ? "first" : "second", DTYPE_FLOAT32, NULL, &err);
        node =
            graph_add_node(graph, OP_POOL, i == 0 ? "a" : "b", "AveragePool", &values[i], 1, &values[1 + i], 1, &err);
        assert_true(node >= 0);
        graph->nodes[node].attr.pool.kind = POOL_AVERAGE;
        graph->nodes[node].attr.pool.window = (struct window){{2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}};
        graph->nodes[node].attr.pool.output[0] = graph->nodes[node].attr.pool.output[1] = 2 - i;
    }
    graph_add_output(graph, values[2], &err);
    assert_int_equal(graph_infer_shapes(graph, &err), 0);
    plan = plan_create(graph, &profile, &err);
    plan->values[values[1]] = (struct plan_value){
        .is_quantized = true, .codes = codes, .n_scales = 1, .scale = &scale, .hides_zero_point = hides_zero_point};
    s = simulator_create(plan, 1, &err);
    assert_non_null(s);
    assert_int_equal(simulator_begin(s, inputs, 1, &err), 0);
    assert_int_equal(simulator_step(s, 0, &err), 0);
    simulator_replace(s, values[1], reals);
    seen = simulator_value(s, values[1]);
    assert_true(seen[0] == 0.5F && seen[1] == 1.5F && seen[2] == 2);
    assert_true(seen[3] == (hides_zero_point ? 127.5F : 63.5F)); /* the largest code */
    assert_int_equal(simulator_step(s, 1, &err), 0);
    assert_true(simulator_value(s, values[2])[0] == (hides_zero_point ? 131.5F : 67.5F) / 4);
    simulator_destroy(s);
    plan_destroy(plan);
    graph_destroy(graph);
}

static void a_step_behind_a_replacement_starts_from_what_was_put_there(void **state)
{
    (void)state;
    check_replacement(false);
    check_replacement(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact_for_every_shape),
        cmocka_unit_test(a_part_of_a_row_meets_its_part_of_the_weights),
        cmocka_unit_test(codes_saturate_and_round_as_the_profile_says),
        cmocka_unit_test(small_rounding_equals_the_exact_one),
        cmocka_unit_test(convolutions_equal_the_loop_nest_bit_for_bit),
        cmocka_unit_test(hidden_zero_points_count_among_what_an_accumulator_holds),
        cmocka_unit_test(a_float_bias_counts_as_it_is_when_the_layer_runs),
        cmocka_unit_test(a_pool_on_codes_makes_them_of_reals_for_itself),
        cmocka_unit_test(a_step_behind_a_replacement_starts_from_what_was_put_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
