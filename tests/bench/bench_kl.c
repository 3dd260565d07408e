/* Times of the decisions, by the thread's own clock: KL over 1,000 histograms of 2,048 bins, the mse search of 8,192,
 * every threshold method for all channels of a ResNet-50, every weight method per channel, and the sweep for all
 * weights of a ResNet-50. `bench_kl METHOD...` times those threshold methods only. */
#include "../common/draw.h"
#include "coordinator/thresholds/kl.h"
#include "coordinator/weights.h"

#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BINS = 8192, HISTOGRAMS = 1000, SEARCHES = 20 };

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Counts of a two-sided exponential, a tenth of the range wide, with some noise. */
static void fill(uint64_t *counts, size_t bins)
{
    for (size_t k = 0; k < bins; k++)
        counts[k] = (uint64_t)(1e6 * exp(-10.0 * (double)k / (double)bins) * draw_uniform(0.5, 1.5));
    counts[bins - 1] = 1;
}

static int bench_kl(size_t levels, struct error *err)
{
    static uint64_t counts[KL_BINS];
    struct kl_request request = {counts, KL_BINS, levels, 1, KL_EVEN, false, 0};
    size_t kept = 0;
    double divergence, start;

    fill(counts, KL_BINS);
    start = now_s();
    for (int i = 0; i < HISTOGRAMS; i++) {
        if (kl_search(&request, &kept, &divergence, err) != 0)
            return -1;
    }
    printf("kl: %d histograms of %d bins, %zu levels: %.3f s (keeps %zu)\n", HISTOGRAMS, KL_BINS, levels,
           now_s() - start, kept);
    return 0;
}

static int bench_mse(int32_t steps, struct error *err)
{
    static uint64_t counts[BINS];
    struct histogram h = {.bins = BINS, .exponent = -10, .positive = counts, .max = 7.9995F};
    struct threshold_request request = {.histogram = &h, .steps = steps};
    const struct threshold_method *method = threshold_method_find("mse");
    struct threshold_found found = {0};
    double start;

    fill(counts, BINS);
    start = now_s();
    for (int i = 0; i < SEARCHES; i++) {
        if (method->search(method, &request, &found, err) != 0)
            return -1;
    }
    printf("mse: %d bins, %d steps: %.2f ms (T = %g of %g)\n", BINS, steps, (now_s() - start) / SEARCHES * 1e3,
           (double)found.threshold, (double)h.max);
    return 0;
}

static int bench_weights(size_t n, struct error *err)
{
    float *w = malloc(n * sizeof *w), scale = 0;
    int rc = w == NULL ? error_set(err, EX_OSERR, "cannot allocate weights") : 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        w[i] = (float)draw_normal();
    for (const struct weight_method *const *method = weight_methods; rc == 0 && *method != NULL; method++) {
        double start = now_s();

        for (int i = 0; rc == 0 && i < SEARCHES; i++)
            rc = (*method)->search(w, n, 127, &scale, err);
        printf("%s: n = %zu: %.3f ms (error %.4g)\n", (*method)->name, n, (now_s() - start) / SEARCHES * 1e3,
               weight_codes(w, n, 127, scale, NULL));
    }
    free(w);
    return rc;
}

/* One search for each output channel of every layer with weights. */
static int bench_resnet50(const char *name, struct error *err)
{
    const struct weight_method *method = weight_method_find(name);
    struct graph *graph = network_find("resnet50")->build(err);
    size_t weights = 0, groups = 0;
    double start = now_s();

    if (graph == NULL)
        return -1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const struct value *w = node->op == OP_CONV || node->op == OP_DENSE ? &graph->values[node->inputs[1]] : NULL;
        size_t rows = w == NULL ? 0 : (size_t)w->shape.dims[0];
        size_t row = w == NULL ? 0 : (size_t)shape_elements(&w->shape) / rows;
        float scale;

        for (size_t o = 0; o < rows; o++) {
            if (method->search((const float *)w->data + o * row, row, 127, &scale, err) != 0) {
                graph_destroy(graph);
                return -1;
            }
        }
        weights += rows * row;
        groups += rows;
    }
    printf("%s: all %zu weights of a ResNet-50, %zu channels: %.1f s\n", name, weights, groups, now_s() - start);
    graph_destroy(graph);
    return 0;
}

/* As methods search: histograms of 2,048 bins, as many as ResNet-50 has channels; timed on some of them. */
static int bench_method(const struct threshold_method *method, struct error *err)
{
    enum { CHANNEL_BINS = 2048, CHANNELS = 26000, TIMED = 100 };
    static uint64_t positive[CHANNEL_BINS], negative[CHANNEL_BINS];
    struct histogram h = {.bins = CHANNEL_BINS, .exponent = -8, .max = 7.9995F, .min = -7.9995F};
    struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.9999};
    struct threshold_found found = {0};
    double start, each;

    h.positive = positive;
    h.negative = negative;
    draw_state = 1;
    fill(positive, CHANNEL_BINS);
    fill(negative, CHANNEL_BINS);
    for (size_t k = 0; k < CHANNEL_BINS; k++)
        h.n += positive[k] + negative[k];
    start = now_s();
    for (int i = 0; i < TIMED; i++) {
        if (method->search(method, &request, &found, err) != 0)
            return -1;
    }
    each = (now_s() - start) / TIMED;
    printf("%s: %.3f ms, %d histograms of %d bins: %.1f s (T = %g of %g)\n", method->name, each * 1e3, CHANNELS,
           CHANNEL_BINS, each * CHANNELS, (double)found.threshold, (double)h.max);
    return 0;
}

static int bench_methods(char **names, struct error *err)
{
    for (; *names != NULL; names++) {
        const struct threshold_method *method = threshold_method_find(*names);

        if (method == NULL)
            return error_set(err, EX_USAGE, "no threshold method is called \"%s\"", *names);
        if (bench_method(method, err) != 0)
            return -1;
    }
    return 0;
}

static int bench_all(struct error *err)
{
    if (bench_kl(128, err) != 0 || bench_kl(256, err) != 0 || bench_mse(127, err) != 0 || bench_mse(255, err) != 0)
        return -1;
    for (const struct threshold_method *const *method = threshold_methods; *method != NULL; method++) {
        if (bench_method(*method, err) != 0)
            return -1;
    }
    return bench_weights(27, err) != 0 || bench_weights(576, err) != 0 || bench_weights(4608, err) != 0 ||
                   bench_resnet50("sweep", err) != 0 || bench_resnet50("grid", err) != 0
               ? -1
               : 0;
}

int main(int argc, char **argv)
{
    struct error err = {0};

    if ((argc > 1 ? bench_methods(argv + 1, &err) : bench_all(&err)) != 0) {
        fprintf(stderr, "bench_kl: %s\n", err.text);
        return err.code;
    }
    return 0;
}
