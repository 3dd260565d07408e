/* test_tnn_layers.c — layers of TNN files that become several operators of ours, or unusual ones: what the engine
 * computes for each equals its formula.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/passes.h"
#include "formats/model.h"
#include "worker/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Files by hand */

struct file {
    uint8_t data[8192];
    size_t size;
};

static void put(struct file *file, const void *data, size_t size)
{
    assert_true(size <= sizeof file->data - file->size);
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

static void put_int(struct file *file, int32_t number)
{
    put(file, &number, sizeof number);
}

static void put_string(struct file *file, const char *text)
{
    put_int(file, (int32_t)strlen(text));
    put(file, text, strlen(text));
}

enum { MAGIC = (int32_t)0xfabc0004, FLOATS = 0, CODES = 2 }; /* of version 2; data types */

static void put_raw(struct file *file, int32_t dtype, const void *data, size_t size, const int32_t *dims, int32_t rank)
{
    put_int(file, MAGIC);
    put_int(file, dtype);
    put_int(file, (int32_t)size);
    put_int(file, rank);
    for (int32_t i = 0; i < rank; i++)
        put_int(file, dims[i]);
    put(file, data, size);
}

static void put_floats(struct file *file, const float *data, size_t n)
{
    put_raw(file, FLOATS, data, n * sizeof *data, NULL, 0);
}

/* What follows is the body of the only resource, of the layer "l". */
static void begin_model(struct file *file, const char *type)
{
    file->size = 0;
    put_int(file, MAGIC);
    put_int(file, type == NULL ? 0 : 1);
    if (type == NULL)
        return;
    put_int(file, 0);
    put_string(file, type);
    put_string(file, "l");
}

static void put_constant(struct file *file, const char *name, const float *data, const int32_t *dims, int32_t rank)
{
    size_t n = 1;

    for (int32_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    put_string(file, name);
    put_raw(file, FLOATS, data, n * sizeof *data, dims, rank);
}

/* ---- Running them */

enum { MAX_ELEMENTS = 4096 };

struct result {
    struct shape shape;
    float y[MAX_ELEMENTS];
};

/* The input of every test. */
static float x_at(size_t i)
{
    return (float)((int)(i * 37 % 23) - 11) / 7 + 0.05f;
}

static struct graph *import(const char *shape, const char *layer, const struct file *model, struct error *err)
{
    char proto[] = "/tmp/etalon_layer_XXXXXX", weights[] = "/tmp/etalon_layer_XXXXXX";
    int fd = mkstemp(proto), weights_fd = mkstemp(weights);
    struct model_request request = {.file = proto, .weights = weights};
    struct graph *graph;

    assert_true(fd >= 0 && weights_fd >= 0);
    dprintf(fd, "\"1 2 1 4206624772 ,\"\n\"x %s 0 ,\"\n\" x y ,\"\n\"y ,\"\n\" 1 ,\"\n\"%s ,\"\n", shape, layer);
    assert_int_equal(write(weights_fd, model->data, model->size), model->size);
    close(fd);
    close(weights_fd);
    graph = model_import(&request, err);
    unlink(proto);
    unlink(weights);
    return graph;
}

/* shape: "rank d0 d1 ..." as in a tnnproto; layer: its record. */
static struct result run(const char *shape, const char *layer, const struct file *model)
{
    static float x[MAX_ELEMENTS];
    const float *inputs[] = {x};
    struct result result = {0};
    struct error err = {0};
    struct graph *graph = import(shape, layer, model, &err);
    struct engine *engine;

    if (graph == NULL || graph_normalise(graph, &err) != 0)
        fail_msg("%s: %s", layer, err.text);
    engine = engine_create(graph, 1, NULL, &err);
    if (engine == NULL)
        fail_msg("%s: %s", layer, err.text);
    for (size_t i = 0; i < MAX_ELEMENTS; i++)
        x[i] = x_at(i);
    assert_int_equal(engine_run(engine, inputs, 1, NULL, NULL, &err), 0);
    result.shape = graph->values[graph->outputs[0]].shape;
    assert_true(shape_elements(&result.shape) <= MAX_ELEMENTS);
    memcpy(result.y, engine_output(engine, 0), (size_t)shape_elements(&result.shape) * sizeof(float));
    engine_destroy(engine);
    graph_destroy(graph);
    return result;
}

static void assert_near(const char *what, size_t i, double found, double expected)
{
    if (!(fabs(found - expected) <= 2e-5 * (1 + fabs(expected)))) /* float32, a few roundings */
        fail_msg("%s [%zu]: expected %.9g, found %.9g", what, i, expected, found);
}

static void assert_dims(const struct result *r, size_t rank, const int64_t *dims)
{
    assert_int_equal(r->shape.rank, rank);
    for (size_t i = 0; i < rank; i++)
        assert_int_equal(r->shape.dims[i], dims[i]);
}
#define DIMS(...)                                                                                                      \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[])                                                    \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static struct file no_weights(void)
{
    struct file file;

    begin_model(&file, NULL);
    return file;
}

/* ---- Element by element */

static double negated(double x)
{
    return -x;
}
static double inverse(double x)
{
    return 1 / x;
}
static double same(double x)
{
    return x;
}
static double selu(double x)
{
    return 1.05 * (x > 0 ? x : 1.67 * (exp(x) - 1));
}
static double hard_swish(double x)
{
    return x * fmax(0, fmin(1, 0.2 * x + 0.5));
}
static double zero(double x)
{
    return 0 * x;
}

static void element_wise_layers_compute_their_formulas(void **state)
{
    static const struct {
        const char *record;
        double (*formula)(double);
    } layers[] = {
        {"Neg l 1 1 x y", negated},
        {"Reciprocal l 1 1 x y", inverse},
        {"Cast l 1 1 x y 0", same},
        {"Cast l 1 1 x y 1", same},
        {"Selu l 1 1 x y 1.67 1.05", selu},
        {"HardSwish l 1 1 x y 0.2 0.5", hard_swish},
        {"HardSwish l 2 1 x x y 0.2 0.5", hard_swish},
        {"SquaredDifference l 2 1 x x y", zero},
    };
    const struct file model = no_weights();

    (void)state;
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        struct result r = run("4 1 2 3 4", layers[k].record, &model);

        assert_dims(&r, DIMS(1, 2, 3, 4));
        for (size_t i = 0; i < 24; i++)
            assert_near(layers[k].record, i, (double)r.y[i], layers[k].formula((double)x_at(i)));
    }
}

/* ---- Reductions: over the 3 rows of 1 x 2 x 3 x 4 */

static double sum_of(const double *x, double (*f)(double))
{
    return f(x[0]) + f(x[1]) + f(x[2]);
}
static double square(double x)
{
    return x * x;
}

static void reductions_compute_their_formulas(void **state)
{
    static const char *const types[] = {"ReduceL1", "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum"};
    const struct file model = no_weights();

    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (int keeps = 0; keeps < 2; keeps++) {
            char record[64];
            struct result r;

            snprintf(record, sizeof record, "%s l 1 1 x y %d 2", types[k], keeps);
            r = run("4 1 2 3 4", record, &model);
            if (keeps)
                assert_dims(&r, DIMS(1, 2, 1, 4));
            else
                assert_dims(&r, DIMS(1, 2, 4));
            for (size_t i = 0; i < 8; i++) {
                double x[3], expected;

                for (size_t row = 0; row < 3; row++)
                    x[row] = (double)x_at(i / 4 * 12 + row * 4 + i % 4);
                expected = k == 0   ? sum_of(x, fabs)
                           : k == 1 ? sum_of(x, square)
                           : k == 2 ? log(sum_of(x, exp))
                                    : log(sum_of(x, same));
                if (isnan(expected)) /* the logarithm of a negative sum */
                    assert_true(isnan(r.y[i]));
                else
                    assert_near(record, i, (double)r.y[i], expected);
            }
        }
}

/* ---- Normalisation */

/* Element i of x[0..n) standardised over the elements of the same group: those with equal i / size. */
static double standardised(size_t i, size_t size, double eps)
{
    double mean = 0, variance = 0;

    for (size_t k = i / size * size; k < i / size * size + size; k++)
        mean += (double)x_at(k) / (double)size;
    for (size_t k = i / size * size; k < i / size * size + size; k++)
        variance += ((double)x_at(k) - mean) * ((double)x_at(k) - mean) / (double)size;
    return ((double)x_at(i) - mean) / sqrt(variance + eps);
}

static const float scales[] = {1, -2, 0.5f, 3}, shifts[] = {0.25f, 1, -1, 2};

static void normalisations_compute_their_formulas(void **state)
{
    struct file model;
    struct result r;

    (void)state;
    begin_model(&model, "InstBatchNormCxx");
    put_floats(&model, scales, 4);
    put_floats(&model, shifts, 4);
    r = run("4 1 4 2 3", "InstBatchNormCxx l 1 1 x y 4 0.01", &model);
    for (size_t i = 0; i < 24; i++)
        assert_near("instance", i, (double)r.y[i],
                    standardised(i, 6, 0.01) * (double)scales[i / 6] + (double)shifts[i / 6]);

    begin_model(&model, NULL);
    put_int(&model, MAGIC);
    put_int(&model, 2);
    put_constant(&model, "s", scales, (int32_t[]){4}, 1);
    put_constant(&model, "b", shifts, (int32_t[]){4}, 1);
    r = run("4 1 4 2 3", "GroupNorm l 3 1 x s b y 2 0.01", &model);
    for (size_t i = 0; i < 24; i++)
        assert_near("group", i, (double)r.y[i],
                    standardised(i, 12, 0.01) * (double)scales[i / 6] + (double)shifts[i / 6]);
    r = run("3 1 6 4", "LayerNorm l 3 1 x s b y 1 0.01", &model);
    for (size_t i = 0; i < 24; i++)
        assert_near("layer", i, (double)r.y[i],
                    standardised(i, 4, 0.01) * (double)scales[i % 4] + (double)shifts[i % 4]);
}

static void norms_over_channels_divide(void **state)
{
    static const char *const orders[] = {"1", "2", "2147483647", "-2147483648"};
    const struct file model = no_weights();

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        char record[64];
        struct result r;

        snprintf(record, sizeof record, "Normalize l 1 1 x y 0 1e-6 1 1 %s", orders[k]);
        r = run("4 1 3 2 2", record, &model);
        for (size_t i = 0; i < 12; i++) {
            double x[3], norm;

            for (size_t c = 0; c < 3; c++)
                x[c] = (double)x_at(c * 4 + i % 4);
            norm = k == 0   ? sum_of(x, fabs)
                   : k == 1 ? sqrt(sum_of(x, square))
                   : k == 2 ? fmax(x[0], fmax(x[1], x[2]))
                            : fmin(x[0], fmin(x[1], x[2]));
            assert_near(record, i, (double)r.y[i], (double)x_at(i) / norm);
        }
    }
}

/* ---- Moving elements */

static void a_pixel_shuffle_deals_channels_out_to_pixels(void **state)
{
    const struct file model = no_weights();
    struct result r = run("4 1 8 2 3", "PixelShuffle l 1 1 x y 2", &model);

    (void)state;
    assert_dims(&r, DIMS(1, 2, 4, 6));
    for (size_t c = 0; c < 2; c++)
        for (size_t h = 0; h < 4; h++)
            for (size_t w = 0; w < 6; w++)
                assert_true(r.y[(c * 4 + h) * 6 + w] == x_at(((c * 4 + h % 2 * 2 + w % 2) * 2 + h / 2) * 3 + w / 2));
}

static void copies_repeat_and_expansions_stretch(void **state)
{
    const struct file model = no_weights();
    struct result r = run("4 1 2 2 3", "Tile l 1 1 x y 1 3 1 2", &model);

    (void)state;
    assert_dims(&r, DIMS(1, 6, 2, 6));
    for (size_t i = 0; i < 72; i++)
        assert_true(r.y[i] == x_at(i / 12 % 2 * 6 + i / 6 % 2 * 3 + i % 3));
    r = run("4 1 2 1 3", "Expand l 1 1 x y 4 1 2 4 3", &model);
    assert_dims(&r, DIMS(1, 2, 4, 3));
    for (size_t i = 0; i < 24; i++)
        assert_true(r.y[i] == x_at(i / 12 * 3 + i % 3));
}

static void a_reshape_in_nhwc_order_keeps_pixels_together(void **state)
{
    const struct file model = no_weights();
    struct result r = run("4 1 4 2 3", "Reshape l 1 1 x y 0 4 4 1 2 4 3 1", &model);

    (void)state;
    assert_dims(&r, DIMS(1, 2, 4, 3));
    for (size_t i = 0; i < 24; i++) { /* element number i of both, channels last */
        size_t from = i % 4 * 6 + i / 4, to = i % 2 * 12 + i / 2;

        assert_true(r.y[to] == x_at(from));
    }
}

/* One row, doubled: taps at -1, 0, 1, 2 around the source position, a = -3/4, edges repeated. */
static void a_cubic_upsample_weighs_four_pixels(void **state)
{
    const struct file model = no_weights();
    struct result r = run("4 1 1 1 5", "Upsample l 1 1 x y 3 1 2 0 1 10", &model);

    (void)state;
    assert_dims(&r, DIMS(1, 1, 1, 10));
    for (size_t i = 0; i < 10; i++) {
        double at = ((double)i + 0.5) / 2 - 0.5, sum = 0;

        for (int tap = -1; tap <= 2; tap++) {
            double pixel = floor(at) + tap, d = fabs(at - pixel), a = -0.75;
            double weight = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;

            sum += weight * (double)x_at((size_t)fmax(0, fmin(4, pixel)));
        }
        assert_near("cubic", i, (double)r.y[i], sum);
    }
}

/* ---- With weights */

static void a_convolution_along_a_signal_pads_its_end_first(void **state)
{
    static const float weights[12] = {1, 2, 3, -1, 0, 1, 2, -2, 1, 0.5f, 1, 1}, bias[2] = {0.5f, -1};
    struct file model;
    struct result r;

    (void)state;
    begin_model(&model, "Convolution1D");
    put_string(&model, "l");
    put_int(&model, 1);
    put_floats(&model, weights, 12);
    put_floats(&model, bias, 2);
    /* group, in, out, kernel, stride, pads at the end and at the beginning, bias, pad type, dilation, ReLU */
    r = run("3 1 2 7", "Convolution1D l 1 1 x y 1 2 2 3 2 2 1 1 -1 1 1", &model);
    assert_dims(&r, DIMS(1, 2, 4));
    for (size_t i = 0; i < 8; i++) {
        double sum = (double)bias[i / 4];

        for (int c = 0; c < 2; c++)
            for (int k = 0; k < 3; k++) {
                int at = (int)(i % 4) * 2 + k - 1;

                if (at >= 0 && at < 7)
                    sum += (double)x_at((size_t)(c * 7 + at)) * (double)weights[i / 4 * 6 + (size_t)(c * 3 + k)];
            }
        assert_near("signal", i, (double)r.y[i], fmax(0, sum));
    }
}

static void an_inner_product_may_begin_at_a_later_axis(void **state)
{
    static const float weights[8] = {1, 2, 3, 4, -1, 0, 1, 0.5f}, bias[2] = {10, -10};
    struct file model;
    struct result r;

    (void)state;
    begin_model(&model, "InnerProduct");
    put_string(&model, "l");
    put_floats(&model, weights, 8);
    put_floats(&model, bias, 2);
    r = run("3 1 3 4", "InnerProduct l 1 1 x y 2 1 0 2", &model);
    assert_dims(&r, DIMS(1, 3, 2));
    for (size_t i = 0; i < 6; i++) {
        double sum = (double)bias[i % 2];

        for (size_t k = 0; k < 4; k++)
            sum += (double)x_at(i / 2 * 4 + k) * (double)weights[i % 2 * 4 + k];
        assert_near("rows", i, (double)r.y[i], sum);
    }
}

/* Weights as codes: of the layer itself, or a constant that has its scale beside it. */
static void a_matrix_product_with_int8_weights_is_dequantized(void **state)
{
    static const int8_t codes[6] = {127, -127, 3, 0, -50, 1};
    static const char *const records[] = {"DynamicRangeQuantizedMatMul l 1 1 x y 1",
                                          "DynamicRangeQuantizedMatMul l 2 1 x w y -1"};
    const float scale = 0.25f;
    const int32_t dims[] = {3, 2};
    struct file models[2];

    (void)state;
    begin_model(&models[0], "MatMul");
    put_raw(&models[0], CODES, codes, sizeof codes, dims, 2);
    put_floats(&models[0], &scale, 1);
    begin_model(&models[1], NULL);
    put_int(&models[1], MAGIC);
    put_int(&models[1], 2);
    put_string(&models[1], "w");
    put_raw(&models[1], CODES, codes, sizeof codes, dims, 2);
    put_constant(&models[1], "w_dynamic_range_quant_scale", &scale, (int32_t[]){1}, 1);
    for (size_t k = 0; k < 2; k++) {
        struct result r = run("2 1 3", records[k], &models[k]);

        assert_dims(&r, DIMS(1, 2));
        for (size_t i = 0; i < 2; i++)
            assert_near(
                records[k], i, (double)r.y[i],
                0.25 * ((double)x_at(0) * codes[i] + (double)x_at(1) * codes[2 + i] + (double)x_at(2) * codes[4 + i]));
    }
}

static void a_constant_layer_is_an_operand(void **state)
{
    static const float numbers[3] = {1, -2, 4};
    struct file model;
    struct result r;

    (void)state;
    begin_model(&model, "Const");
    put_floats(&model, numbers, 3);
    r = run("3 1 2 3", "Const l 0 1 c 1 3 ,\"\n\"Mul m 2 1 x c y -1", &model);
    for (size_t i = 0; i < 6; i++)
        assert_true(r.y[i] == x_at(i) * numbers[i % 3]);
}

/* ---- Broken records */

static void broken_layers_are_refused_by_name(void **state)
{
    static const struct {
        const char *shape, *record;
        int code;
        const char *text;
    } cases[] = {
        {"4 1 8 2 3", "PixelShuffle l 1 1 x y 3", EX_DATAERR, "no multiple"},
        {"4 1 8 2 3", "PixelShuffle l 1 1 x y 0", EX_DATAERR, "no multiple"},
        {"3 1 8 2", "PixelShuffle l 1 1 x y 2", EX_UNAVAILABLE, "4 axes"},
        {"4 1 4 2 3", "GroupNorm l 3 1 x x x y 3 0", EX_DATAERR, "3 groups"},
        {"4 1 4 2 3", "GroupNorm l 3 1 x x x y 2 0", EX_UNAVAILABLE, "no constant"},
        {"4 1 4 2 3", "LayerNorm l 3 1 x x x y 2 0", EX_DATAERR, "its scale has 4 axes"},
        {"4 1 4 2 3", "Normalize l 1 1 x y 1 0 1 1 2", EX_UNAVAILABLE, "across the image"},
        {"4 1 4 2 3", "Normalize l 1 1 x y 0 0 1 1 3", EX_UNAVAILABLE, "order 3"},
        {"4 1 4 2 3", "Tile l 1 1 x y 2 1 1 1", EX_UNAVAILABLE, "axis 0"},
        {"4 1 4 2 3", "Tile l 1 1 x y 1 1 1 99999", EX_UNAVAILABLE, "99999 copies"},
        {"4 1 4 2 3", "Tile l 1 1 x y 1 1 1 1 1", EX_UNAVAILABLE, "5 axes"},
        {"4 1 4 2 3", "Expand l 1 1 x y 4 1 4 2 5", EX_DATAERR, "broadcast"},
        {"4 1 4 2 3", "Cast l 1 1 x y 3", EX_UNAVAILABLE, "data type 3"},
        {"4 1 4 2 3", "ReduceL1 l 1 1 x y 1 4", EX_DATAERR, "axis 4"},
        {"4 1 4 2 3", "Upsample l 1 1 x y 4 2 2 0", EX_UNAVAILABLE, "mode 4"},
        {"4 1 4 2 3", "Reshape l 1 1 x y 0 3 3 1 4 6 1", EX_UNAVAILABLE, "NHWC"},
        {"4 1 4 2 3", "Const l 0 1 y 1 3", EX_DATAERR, "no weights"},
        {"4 1 4 2 3", "Convolution1D l 1 1 x y 1 4 4 1 1 0 0 0 -1 1 0", EX_UNAVAILABLE, "3 axes"},
        {"4 1 4 2 3", "LSTMONNX l 1 1 x y 1 2", EX_UNAVAILABLE, "does not know"},
    };
    const struct file model = no_weights();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct graph *graph = import(cases[i].shape, cases[i].record, &model, &err);

        if (graph != NULL || err.code != cases[i].code || strstr(err.text, cases[i].text) == NULL ||
            strstr(err.text, "\"l\"") == NULL)
            fail_msg("%s: expected %d with \"%s\", found %d: %s", cases[i].record, cases[i].code, cases[i].text,
                     err.code, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(element_wise_layers_compute_their_formulas),
        cmocka_unit_test(reductions_compute_their_formulas),
        cmocka_unit_test(normalisations_compute_their_formulas),
        cmocka_unit_test(norms_over_channels_divide),
        cmocka_unit_test(a_pixel_shuffle_deals_channels_out_to_pixels),
        cmocka_unit_test(copies_repeat_and_expansions_stretch),
        cmocka_unit_test(a_reshape_in_nhwc_order_keeps_pixels_together),
        cmocka_unit_test(a_cubic_upsample_weighs_four_pixels),
        cmocka_unit_test(a_convolution_along_a_signal_pads_its_end_first),
        cmocka_unit_test(an_inner_product_may_begin_at_a_later_axis),
        cmocka_unit_test(a_matrix_product_with_int8_weights_is_dequantized),
        cmocka_unit_test(a_constant_layer_is_an_operand),
        cmocka_unit_test(broken_layers_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
