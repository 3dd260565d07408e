/* test_simulate_profiles.c — every operator under every profile, on random shapes, against its arithmetic written down
 * plainly: loops over taps in 64 bits, one rounding at a time.
 *
 * Profiles are those of the targets, and one of each form of requantization with each rounding.
 */
#include "worker/metrics.h"
#include "worker/simulate.h"

#include "common/memory.h"
#include "common/requantize.h"
#include "formats/cambricon/profile.h"
#include "formats/onnx_qdq/profile.h"
#include "formats/sophon/profile.h"
#include "formats/target.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <stdlib.h>

enum { RECORDS = 2, ROUNDS = 6, MAX_ELEMENTS = 4096 };

__extension__ typedef __int128 int128;
__extension__ typedef _Float16 half;

/* ---- one node, its plan, and what it reads ---- */

struct setting {
    const struct profile *profile;
    struct graph *graph;
    struct plan *plan;
    struct node *node;
    struct simulator *simulator;
    int y;
    const int16_t *codes; /* of y once it has run, or NULL */
    const float *reals;
    float inputs[2][RECORDS * MAX_ELEMENTS];
};

/* Any code, and often one of the outermost, which pads and saturation then share. */
static int32_t draw_zero_point(struct code_range codes)
{
    switch (draw_below(4)) {
    case 0:
        return codes.lo;
    case 1:
        return codes.hi;
    default:
        return codes.lo + (int32_t)draw_below((size_t)(codes.hi - codes.lo) + 1);
    }
}

static void quantize_value(struct setting *s, int v, double scale)
{
    struct plan_value *p = &s->plan->values[v];
    bool is_unsigned = !s->profile->zero_points_in_biases && draw_below(2) == 0;

    p->is_quantized = true;
    p->codes = is_unsigned ? s->profile->unsigned_codes : s->profile->signed_codes;
    if (s->profile->affine_activations)
        p->codes.zero_point = draw_zero_point(p->codes);
    p->n_scales = 1;
    p->scale = arena_create_array(s->plan->arena, 1, sizeof *p->scale, NULL);
    p->scale[0] = (float)scale;
}

static double draw_scale(void)
{
    return draw_uniform(0.01, 0.1);
}

/* Codes of the weights and of the bias, and a step that brings typical accumulators to typical codes. */
static void draw_weights(struct setting *s, size_t outputs, size_t k)
{
    struct plan_node *p = &s->plan->nodes[0];
    const struct plan_value *out = &s->plan->values[s->y];
    double scale = out->is_quantized && !s->profile->keeps_reals ? (double)out->scale[0] : 0.05;
    double typical = sqrt((double)k) * s->profile->weight_limit * s->profile->signed_steps / 4;
    int32_t limit = s->profile->weight_limit, most_bias = s->profile->bias_limit == 0 ? 20000 : s->profile->bias_limit;

    p->is_quantized = true;
    p->n_weight_scales = s->profile->per_channel_weights ? outputs : 1;
    p->weight_codes = arena_create_array(s->plan->arena, outputs * k, sizeof *p->weight_codes, NULL);
    p->acc_scale = arena_create_array(s->plan->arena, outputs, sizeof *p->acc_scale, NULL);
    for (size_t i = 0; i < outputs * k; i++)
        p->weight_codes[i] = (int16_t)((int)draw_below(2 * (size_t)limit + 1) - limit);
    for (size_t o = 0; o < outputs; o++) {
        double factor = draw_uniform(50, 200) / typical;

        if (s->profile->requantization == REQUANTIZE_SHIFT)
            factor = exp2(floor(log2(factor)));
        p->acc_scale[o] = (float)scale * (float)factor;
    }
    if (s->profile->integer_bias) {
        p->bias_codes = arena_create_array(s->plan->arena, outputs, sizeof *p->bias_codes, NULL);
        for (size_t o = 0; o < outputs; o++)
            p->bias_codes[o] = (int32_t)draw_below(2 * (size_t)most_bias) - most_bias;
    } else {
        p->bias = arena_create_array(s->plan->arena, outputs, sizeof *p->bias, NULL);
        for (size_t o = 0; o < outputs; o++)
            p->bias[o] = (float)draw_uniform(-3, 3);
    }
}

/* Shapes are inferred, the plan is made: every input has codes, and the output has, except in one case of four. */
static void begin(struct setting *s)
{
    struct error err;

    assert_true(graph_add_output(s->graph, s->y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(s->graph, &err), err);
    s->plan = plan_create(s->graph, s->profile, &err);
    assert_non_null(s->plan);
    s->node = &s->graph->nodes[0];
    for (size_t i = 0; i < s->graph->n_inputs; i++)
        quantize_value(s, s->graph->inputs[i], draw_scale());
    if (draw_below(4) > 0)
        quantize_value(s, s->y, draw_scale());
}

/* A node without weights. Between reals only what the profile lists makes codes. */
static void quantize_node(struct setting *s)
{
    s->plan->nodes[0].is_quantized = !s->profile->keeps_reals || (s->profile->quantized_ops >> s->node->op & 1) != 0;
}

/* Real zero is nowhere clipped, whichever code it is. */
static void check_code_use(struct setting *s)
{
    const struct code_range codes = s->plan->values[s->y].codes;
    size_t n = RECORDS * (size_t)shape_elements(&s->graph->values[s->y].shape);
    uint64_t used[METRICS_CODES / 64] = {0}, clipped = 0, found = simulator_code_use(s->simulator, s->y, used);

    for (size_t i = 0; s->codes != NULL && i < n; i++) {
        int32_t code = s->codes[i] + codes.zero_point;

        clipped += s->codes[i] != 0 && (code == codes.lo || code == codes.hi);
    }
    if (s->codes != NULL)
        assert_int_equal(found, clipped);
}

static void run(struct setting *s)
{
    const float *inputs[] = {s->inputs[0], s->inputs[1]};
    struct error err = {0};

    for (size_t i = 0; i < s->graph->n_inputs; i++) {
        double wide = 1.1 * s->profile->signed_steps * (double)s->plan->values[s->graph->inputs[i]].scale[0];

        for (size_t j = 0; j < RECORDS * MAX_ELEMENTS; j++) /* some saturate */
            s->inputs[i][j] = (float)draw_uniform(-wide, wide);
    }
    s->simulator = simulator_create(s->plan, RECORDS, &err);
    if (s->simulator == NULL)
        fail_msg("%s", err.text);
    assert_succeeds(simulator_begin(s->simulator, inputs, RECORDS, &err), err);
    assert_succeeds(simulator_step(s->simulator, 0, &err), err);
    s->codes = simulator_codes(s->simulator, s->y);
    s->reals = simulator_value(s->simulator, s->y);
    check_code_use(s);
}

static void end(struct setting *s)
{
    simulator_destroy(s->simulator);
    plan_destroy(s->plan);
    graph_destroy(s->graph);
}

static size_t elements_of(const struct setting *s, int value)
{
    return (size_t)shape_elements(&s->graph->values[value].shape);
}

static int64_t dim(const struct setting *s, int value, size_t axis)
{
    return s->graph->values[value].shape.dims[axis];
}

/* ---- the plain arithmetic ---- */

static float store(const struct setting *s, float x)
{
    return s->profile->float_type == FLOAT_TYPE_FP16 ? (float)(half)x : x;
}

/* The code of a real under a value's scale, relative to real zero. */
static int code_of(const struct setting *s, int value, float x, float scale)
{
    struct code_range codes = s->plan->values[value].codes;

    return quantize(x, scale, codes, s->profile->activation_rounding) - codes.zero_point;
}

/* What a quantized node reads as code `i` of input `k`, and what any other node reads as a real. */
static int input_code(const struct setting *s, size_t k, size_t i)
{
    int value = s->graph->inputs[k];

    return code_of(s, value, s->profile->keeps_reals ? store(s, s->inputs[k][i]) : s->inputs[k][i],
                   s->plan->values[value].scale[0]);
}

static float input_real(const struct setting *s, size_t k, size_t i)
{
    if (s->profile->keeps_reals && !s->plan->nodes[0].is_quantized)
        return store(s, s->inputs[k][i]);
    return s->plan->values[s->graph->inputs[k]].scale[0] * (float)input_code(s, k, i);
}

/* x m / 2^n by long division. */
static int64_t scaled(int64_t x, struct multiplier by, enum rounding rounding)
{
    int128 one = 1, divisor = one << (by.shift > 0 ? by.shift : 0), product = (int128)x * by.m;
    int128 dividend = by.shift < 0 ? product * (one << -by.shift) : product, quotient = dividend / divisor;
    int128 rest = dividend % divisor, twice = 2 * (rest < 0 ? -rest : rest);
    int away = dividend < 0 ? -1 : 1;

    switch (rounding) {
    case ROUND_HALF_EVEN:
        return (int64_t)(quotient + (twice > divisor || (twice == divisor && quotient % 2 != 0) ? away : 0));
    case ROUND_HALF_AWAY:
        return (int64_t)(quotient + (twice >= divisor ? away : 0));
    case ROUND_HALF_UP:
        return (int64_t)(quotient + (twice > divisor || (twice == divisor && away > 0) ? away : 0));
    case ROUND_FLOOR:
        return (int64_t)(quotient - (rest < 0));
    case ROUND_TOWARD_ZERO:
        break;
    }
    return (int64_t)quotient;
}

/* gemmlowp: the high half of twice the product, ties upward; then a power of two, ties away. */
static int64_t scaled_twice(int64_t x, struct multiplier by)
{
    int exponent = 31 - by.shift;
    struct multiplier high = {by.m, 31}, low = {1, exponent < 0 ? -exponent : 0};

    return scaled(scaled(exponent > 0 ? x * (INT64_C(1) << exponent) : x, high, ROUND_HALF_UP), low, ROUND_HALF_AWAY);
}

static float relu(const struct setting *s, float x)
{
    return s->node->fused.kind == ACTIVATION_RELU && x < 0 ? 0 : x;
}

static int64_t integer_steps(const struct setting *s, int64_t sum, double factor)
{
    const struct profile *p = s->profile;

    switch (p->requantization) {
    case REQUANTIZE_Q31_TWICE:
        return scaled_twice(sum, multiplier_of_31_bits(factor));
    case REQUANTIZE_Q31:
        return scaled(sum, multiplier_of_31_bits(factor), p->requantization_rounding);
    case REQUANTIZE_MULTIPLIER:
        return scaled(sum, multiplier_of_bits(factor, p->multiplier_bits), p->requantization_rounding);
    default:
        return scaled(sum, (struct multiplier){1, -(int)lround(log2(factor))}, p->requantization_rounding);
    }
}

static void assert_code(struct setting *s, size_t at, int expected)
{
    int found = s->codes[at];

    if (found != expected)
        fail_msg("%s, %s: element %zu: expected code %d, found %d", s->profile->name, op_name(s->node->op), at,
                 expected, found);
}

/* The output as a real, which may be kept as one. */
static void assert_real(struct setting *s, size_t at, float real)
{
    const struct plan_value *out = &s->plan->values[s->y];
    float stored = store(s, real), found;

    if (out->is_quantized && !s->profile->keeps_reals) {
        assert_code(s, at, code_of(s, s->y, real, out->scale[0]));
        return;
    }
    found = s->reals[at];
    if (memcmp(&found, &stored, sizeof found) != 0 && !(found == 0 && stored == 0))
        fail_msg("%s, %s: element %zu: expected %a, found %a", s->profile->name, op_name(s->node->op), at,
                 (double)stored, (double)found);
}

static void assert_sum(struct setting *s, size_t at, size_t channel, int64_t sum)
{
    const struct plan_node *w = &s->plan->nodes[0];
    const struct plan_value *out = &s->plan->values[s->y];
    float acc_scale = w->acc_scale[w->n_weight_scales == 1 ? 0 : channel],
          bias = w->bias == NULL ? 0 : w->bias[channel];

    sum += w->bias_codes == NULL ? 0 : w->bias_codes[channel];
    if (s->profile->requantization == REQUANTIZE_DEQUANTIZED || !out->is_quantized || s->profile->keeps_reals)
        assert_real(s, at, relu(s, store(s, (float)sum * acc_scale + store(s, bias))));
    else if (s->profile->requantization == REQUANTIZE_RATIO)
        assert_code(s, at, code_of(s, s->y, relu(s, (float)sum * (acc_scale / out->scale[0])), 1));
    else
        assert_code(
            s, at,
            code_of(
                s, s->y,
                relu(s, (float)fmin(
                            fmax((double)integer_steps(s, sum, (double)acc_scale / (double)out->scale[0]), -1e5), 1e5)),
                1));
}

/* ---- convolutions, their transposes, dense layers ---- */

/* Adds what input pixel (y, x) and tap (ky, kx) contribute to an output pixel, wherever that is: scattered, so that a
 * transposed convolution is its definition, and a convolution is checked from the other end. */
static void scatter(const struct setting *s, size_t record, size_t o, size_t i, int64_t *sums)
{
    const struct window *w = &s->node->attr.conv.window;
    int v = s->graph->inputs[0];
    int64_t group = s->node->attr.conv.group, rows = dim(s, v, 2), columns = dim(s, v, 3), out_rows = dim(s, s->y, 2),
            out_columns = dim(s, s->y, 3), in_group = dim(s, v, 1) / group, out_group = dim(s, s->y, 1) / group;
    int64_t taps = w->kernel[0] * w->kernel[1], in = (int64_t)o / out_group * in_group + (int64_t)i;
    const int16_t *codes =
        s->plan->nodes[0].weight_codes + (s->node->op == OP_DECONV ? (in * out_group + (int64_t)o % out_group) * taps
                                                                   : ((int64_t)o * in_group + (int64_t)i) * taps);

    for (int64_t oy = 0; oy < (s->node->op == OP_DECONV ? rows : out_rows); oy++)
        for (int64_t ox = 0; ox < (s->node->op == OP_DECONV ? columns : out_columns); ox++)
            for (int64_t t = 0; t < taps; t++) {
                int64_t y = oy * w->stride[0] - w->pad_begin[0] + t / w->kernel[1] * w->dilation[0];
                int64_t x = ox * w->stride[1] - w->pad_begin[1] + t % w->kernel[1] * w->dilation[1];
                bool is_back = s->node->op == OP_DECONV;
                int64_t from_y = is_back ? oy : y, from_x = is_back ? ox : x, to_y = is_back ? y : oy,
                        to_x = is_back ? x : ox;

                if (from_y < 0 || from_y >= rows || from_x < 0 || from_x >= columns || to_y < 0 || to_y >= out_rows ||
                    to_x < 0 || to_x >= out_columns)
                    continue;
                sums[to_y * out_columns + to_x] +=
                    (int64_t)codes[t] *
                    input_code(s, 0,
                               (record * (size_t)dim(s, v, 1) + (size_t)in) * (size_t)(rows * columns) +
                                   (size_t)(from_y * columns + from_x));
            }
}

static void check_convolution(struct setting *s)
{
    size_t channels = (size_t)dim(s, s->y, 1), pixels = (size_t)(dim(s, s->y, 2) * dim(s, s->y, 3));
    size_t in_group = (size_t)(dim(s, s->graph->inputs[0], 1) / s->node->attr.conv.group);
    int64_t *sums = malloc(pixels * sizeof *sums);

    for (size_t r = 0; r < RECORDS; r++)
        for (size_t o = 0; o < channels; o++) {
            memset(sums, 0, pixels * sizeof *sums);
            for (size_t i = 0; i < in_group; i++)
                scatter(s, r, o, i, sums);
            for (size_t p = 0; p < pixels; p++)
                assert_sum(s, (r * channels + o) * pixels + p, o, sums[p]);
        }
    free(sums);
}

static void try_convolution(struct setting *s, enum op op)
{
    int64_t in = 1 + (int64_t)draw_below(12), out = 1 + (int64_t)draw_below(18), group = 1, size;
    int64_t kernel = 1 + (int64_t)draw_below(4);
    size_t elements;
    float *zeros;
    int x, w;

    if (draw_below(3) == 0) { /* of groups, the smallest of which are depthwise */
        group = 1 + (int64_t)draw_below(5);
        in = group * (1 + (int64_t)draw_below(2));
        out = group * (1 + (int64_t)draw_below(2));
    } else if (draw_below(4) == 0) {
        in = 40; /* many products */
    }
    size = kernel + 2 + (int64_t)draw_below(4);
    elements = (size_t)(out * in / group * kernel * kernel);
    zeros = calloc(elements, sizeof *zeros);
    x = add_input(s->graph, "x", SHAPE(1, in, size, size));
    w = op == OP_CONV ? add_floats(s->graph, SHAPE(out, in / group, kernel, kernel), zeros)
                      : add_floats(s->graph, SHAPE(in, out / group, kernel, kernel), zeros);
    s->y = add_node(s->graph, op, "y", INTS(x, w, add_floats(s->graph, SHAPE(out), zeros)));
    last_node(s->graph)->attr.conv.group = group;
    last_node(s->graph)->attr.conv.window = (struct window){{kernel, kernel},
                                                            {1 + (int64_t)draw_below(2), 1 + (int64_t)draw_below(3)},
                                                            {1 + (int64_t)(kernel < 3 && draw_below(2) == 0), 1},
                                                            {(int64_t)draw_below(2), (int64_t)draw_below(2)},
                                                            {(int64_t)draw_below(2), 0}};
    last_node(s->graph)->fused.kind = draw_below(2) == 0 ? ACTIVATION_NONE : ACTIVATION_RELU;
    begin(s);
    draw_weights(s, (size_t)out, elements / (size_t)out);
    run(s);
    check_convolution(s);
    free(zeros);
}

static void try_conv(struct setting *s)
{
    try_convolution(s, OP_CONV);
}

static void try_deconv(struct setting *s)
{
    try_convolution(s, OP_DECONV);
}

static void try_dense(struct setting *s)
{
    int64_t in = 1 + (int64_t)draw_below(600), out = 1 + (int64_t)draw_below(40);
    float *zeros = calloc((size_t)(in * out), sizeof *zeros);
    int x = add_input(s->graph, "x", SHAPE(1, in));

    s->y = add_node(s->graph, OP_DENSE, "y",
                    INTS(x, add_floats(s->graph, SHAPE(out, in), zeros), add_floats(s->graph, SHAPE(out), zeros)));
    begin(s);
    draw_weights(s, (size_t)out, (size_t)in);
    run(s);
    for (size_t r = 0; r < RECORDS; r++)
        for (int64_t o = 0; o < out; o++) {
            int64_t sum = 0;

            for (int64_t i = 0; i < in; i++)
                sum +=
                    (int64_t)s->plan->nodes[0].weight_codes[o * in + i] * input_code(s, 0, r * (size_t)in + (size_t)i);
            assert_sum(s, r * (size_t)out + (size_t)o, (size_t)o, sum);
        }
    free(zeros);
}

/* ---- operators without weights ---- */

/* Operand k's element in steps of the output; false where the profile computes on reals. */
static bool operand_steps(const struct setting *s, size_t k, size_t i, int64_t *steps)
{
    const struct plan_value *out = &s->plan->values[s->y];

    if (!s->profile->operands_are_rescaled || !out->is_quantized)
        return false;
    *steps = scaled(input_code(s, k, i),
                    multiplier_of_bits((double)s->plan->values[s->graph->inputs[k]].scale[0] / (double)out->scale[0],
                                       s->profile->multiplier_bits),
                    s->profile->requantization_rounding);
    return true;
}

/* QLinearAdd's code, by fused multiply and add; saturation stands in for a ReLU where it can. */
static bool ratio_sum(const struct setting *s, size_t i, int *code)
{
    const struct plan_value *a = &s->plan->values[s->graph->inputs[0]], *b = &s->plan->values[s->graph->inputs[1]];
    const struct plan_value *y = &s->plan->values[s->y];
    float zero_a = (float)a->codes.zero_point, zero_b = (float)b->codes.zero_point, of_a, of_b, fixed, sum;

    if (!s->profile->adds_by_ratios || !y->is_quantized ||
        (s->node->fused.kind == ACTIVATION_RELU && y->codes.zero_point > y->codes.lo))
        return false;
    of_a = a->scale[0] / y->scale[0];
    of_b = b->scale[0] / y->scale[0];
    fixed = (float)y->codes.zero_point - fmaf(of_a, zero_a, of_b * zero_b);
    sum = fmaf((float)input_code(s, 0, i) + zero_a, of_a, fmaf((float)input_code(s, 1, i) + zero_b, of_b, fixed));
    *code = (int)fmaxf(fminf(rintf(sum), (float)y->codes.hi), (float)y->codes.lo) - y->codes.zero_point;
    return true;
}

static void try_add(struct setting *s)
{
    struct shape shape = SHAPE(1, 1 + (int64_t)draw_below(5), 1 + (int64_t)draw_below(6), 1 + (int64_t)draw_below(6));
    int a = add_input(s->graph, "a", shape), b = add_input(s->graph, "b", shape);

    s->y = add_node(s->graph, OP_BINARY, "y", INTS(a, b));
    last_node(s->graph)->fused.kind = draw_below(2) == 0 ? ACTIVATION_NONE : ACTIVATION_RELU;
    begin(s);
    quantize_node(s);
    run(s);
    for (size_t i = 0; i < RECORDS * elements_of(s, s->y); i++) {
        int64_t left, right;
        int code;

        if (ratio_sum(s, i, &code))
            assert_code(s, i, code);
        else if (operand_steps(s, 0, i, &left) && operand_steps(s, 1, i, &right))
            assert_code(s, i, code_of(s, s->y, relu(s, (float)(left + right)), 1));
        else
            assert_real(s, i, relu(s, input_real(s, 0, i) + input_real(s, 1, i)));
    }
}

static void try_concat(struct setting *s)
{
    int64_t size = 1 + (int64_t)draw_below(5), first = 1 + (int64_t)draw_below(4), second = 1 + (int64_t)draw_below(4);
    int a = add_input(s->graph, "a", SHAPE(1, first, size, size));
    int b = add_input(s->graph, "b", SHAPE(1, second, size, size));

    s->y = add_node(s->graph, OP_CONCAT, "y", INTS(a, b));
    last_node(s->graph)->attr.axis = 1;
    begin(s);
    quantize_node(s);
    run(s);
    for (size_t i = 0; i < RECORDS * elements_of(s, s->y); i++) {
        size_t n = elements_of(s, s->y), head = elements_of(s, a), record = i / n, at = i % n;
        size_t k = at >= head, from = k == 0 ? record * head + at : record * (n - head) + at - head;
        int64_t steps;

        if (operand_steps(s, k, from, &steps))
            assert_code(s, i, code_of(s, s->y, (float)steps, 1));
        else
            assert_real(s, i, input_real(s, k, from));
    }
}

static void try_pool(struct setting *s)
{
    int64_t channels = 1 + (int64_t)draw_below(4), size = 4 + (int64_t)draw_below(4);
    int x = add_input(s->graph, "x", SHAPE(1, channels, size, size));
    bool is_max = draw_below(2) == 0;

    s->y = add_node(s->graph, OP_POOL, "y", INTS(x));
    last_node(s->graph)->attr.pool.kind = is_max ? POOL_MAX : POOL_AVERAGE;
    last_node(s->graph)->attr.pool.window = make_window(3, 1, 0);
    last_node(s->graph)->attr.pool.output[0] = last_node(s->graph)->attr.pool.output[1] = size - 2;
    begin(s);
    quantize_node(s);
    if (is_max && s->plan->values[s->y].is_quantized) /* codes are selected */
        s->plan->values[s->y] = s->plan->values[x];
    run(s);
    for (size_t i = 0; i < RECORDS * elements_of(s, s->y); i++) {
        size_t wide = (size_t)size, out = wide - 2, plane = i / (out * out), y = i / out % out, column = i % out;
        double sum = 0, largest = -INFINITY;

        for (size_t t = 0; t < 9; t++) {
            double real = (double)input_real(s, 0, (plane * wide + y + t / 3) * wide + column + t % 3);

            sum += real;
            largest = fmax(largest, real);
        }
        assert_real(s, i, (float)(is_max ? largest : sum / 9));
    }
}

static void try_relu(struct setting *s)
{
    int x = add_input(s->graph, "x", SHAPE(1, 1 + (int64_t)draw_below(300)));

    s->y = add_node(s->graph, OP_ACTIVATION, "y", INTS(x));
    last_node(s->graph)->attr.activation.kind = ACTIVATION_RELU;
    begin(s);
    quantize_node(s);
    run(s);
    for (size_t i = 0; i < RECORDS * elements_of(s, s->y); i++)
        assert_real(s, i, fmaxf(input_real(s, 0, i), 0));
}

/* ---- all of it ---- */

static void (*const operators[])(struct setting *) = {try_conv,   try_deconv, try_dense, try_add,
                                                      try_concat, try_pool,   try_relu};

static void assert_all_operators(const struct profile *profile)
{
    for (size_t op = 0; op < sizeof operators / sizeof *operators; op++)
        for (int round = 0; round < ROUNDS; round++) {
            struct setting s = {.profile = profile, .graph = new_graph()};

            operators[op](&s);
            end(&s);
        }
}

static void integers_of_every_target_are_its_profiles_to_the_last(void **state)
{
    static const struct profile *const others[] = {
        &onnx_qdq_tensorrt_profile,     &sophon_bm1684_profile,          &cambricon_mlu220_profile,
        &cambricon_mlu270_fp32_profile, &cambricon_mlu270_int16_profile, &cambricon_mlu220_int16_fp32_profile,
    };

    (void)state;
    for (size_t i = 0; targets[i] != NULL; i++)
        assert_all_operators(targets[i]->profile);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_all_operators(others[i]);
}

static void every_requantization_rounds_in_every_way(void **state)
{
    (void)state;
    for (int form = REQUANTIZE_DEQUANTIZED; form <= REQUANTIZE_SHIFT; form++)
        for (int rounding = ROUND_HALF_EVEN; rounding <= ROUND_FLOOR; rounding++)
            for (int wide = 0; wide < 2; wide++) {
                const int32_t limit = wide ? 32767 : 127;
                const struct profile profile = {
                    .name = "synthetic",
                    .signed_codes = {-limit - 1, limit, 0},
                    .unsigned_codes = {-limit - 1, limit, 0},
                    .signed_steps = limit,
                    .unsigned_steps = limit,
                    .activation_rounding = (enum rounding)rounding,
                    .weight_limit = limit,
                    .per_channel_weights = rounding % 2 == 0,
                    .integer_bias = true,
                    .requantization = (enum requantization)form,
                    .multiplier_bits = wide ? 16 : 8,
                    .largest_shift = 31,
                    .requantization_rounding = (enum rounding)rounding,
                    .operands_are_rescaled = form >= REQUANTIZE_MULTIPLIER,
                };

                if (!wide || form != REQUANTIZE_Q31_TWICE) /* that is an arithmetic of 32-bit accumulators */
                    assert_all_operators(&profile);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_target_are_its_profiles_to_the_last),
        cmocka_unit_test(every_requantization_rounds_in_every_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
