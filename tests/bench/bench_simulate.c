/* bench_simulate.c — images a second of simulated int8 on one thread, beside fp32.
 *
 *   bench_simulate [--network NAME] [--target NAME] [--batch N] [--runs N] [--profile]
 *
 * The network's scales come from what one batch of its own made-up input observes. Prints both rates and their ratio;
 * no metric is taken. --profile adds the nodes that take longest. Time is the thread's own; the fastest run counts.
 */
#include "coordinator/plan_decide.h"
#include "formats/target.h"
#include "worker/engine.h"
#include "worker/observe.h"
#include "worker/simulate.h"

#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    const char *network, *target;
    size_t batch, runs;
    bool is_profiled;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The plan of a target, min-max and max-abs, from what one run observes. */
static struct plan *decide(const struct graph *graph, const struct target *target, struct engine *engine,
                           const float *input, size_t batch, struct error *err)
{
    struct observation *o = observation_create(graph, 2048, 0, err);
    const struct histogram **histograms = memory_create(graph->n_values, sizeof *histograms, "histograms", err);
    struct plan *plan = plan_create(graph, target_profile(target, NULL), err);
    int rc = o == NULL || histograms == NULL || plan == NULL ? -1 : 0;

    if (rc == 0)
        rc = engine_run(engine, &input, batch, observation_observe, o, err);
    if (rc == 0)
        observation_settle(o);
    for (size_t v = 0; rc == 0 && v < graph->n_values; v++)
        histograms[v] = o->tensor[v].bins > 0 ? &o->tensor[v] : NULL;
    if (rc == 0)
        rc = plan_decide_values(plan, histograms, "minmax", 0.9999, err);
    if (rc == 0)
        rc = plan_decide_weights(plan, "maxabs", err);
    observation_destroy(o);
    free(histograms);
    if (rc == 0)
        return plan;
    plan_destroy(plan);
    return NULL;
}

static int simulate(struct simulator *simulator, const struct graph *graph, const float *input, size_t batch,
                    double *node_s, struct error *err)
{
    int rc = simulator_begin(simulator, &input, batch, err);

    for (size_t n = 0; rc == 0 && n < graph->n_nodes; n++) {
        double start = seconds();

        rc = simulator_step(simulator, (int)n, err);
        node_s[n] = fmin(node_s[n], seconds() - start);
    }
    return rc;
}

static void print_slowest(const struct graph *graph, double *node_s)
{
    for (int line = 0; line < 12; line++) {
        size_t slowest = 0;

        for (size_t n = 0; n < graph->n_nodes; n++)
            if (node_s[n] > node_s[slowest])
                slowest = n;
        printf("  %-24s %-10s %8.3f ms\n", graph->nodes[slowest].name, op_name(graph->nodes[slowest].op),
               1e3 * node_s[slowest]);
        node_s[slowest] = 0;
    }
}

static int compare(const struct graph *graph, const struct options *options, struct engine *engine,
                   struct simulator *simulator, const float *input, double *node_s, struct error *err)
{
    double fp32 = INFINITY, int8 = INFINITY;

    for (size_t n = 0; n < graph->n_nodes; n++)
        node_s[n] = INFINITY;
    for (size_t run = 0; run < options->runs; run++) {
        double start = seconds(), middle;

        if (engine_run(engine, &input, options->batch, NULL, NULL, err) != 0)
            return -1;
        middle = seconds();
        fp32 = fmin(fp32, middle - start);
        if (simulate(simulator, graph, input, options->batch, node_s, err) != 0)
            return -1;
        int8 = fmin(int8, seconds() - middle);
    }
    printf("%-12s %-10s batch %zu: fp32 %7.2f, int8 %7.2f images/s, ratio %.2f\n", graph->name, options->target,
           options->batch, (double)options->batch / fp32, (double)options->batch / int8, fp32 / int8);
    if (options->is_profiled)
        print_slowest(graph, node_s);
    return 0;
}

static int measure(const struct graph *graph, const struct target *target, const struct options *options,
                   struct error *err)
{
    size_t elements = (size_t)shape_elements(&graph->values[graph->inputs[0]].shape);
    struct engine *engine = engine_create(graph, options->batch, NULL, err);
    float *input = memory_create(options->batch * elements, sizeof *input, "input", err);
    double *node_s = memory_create(graph->n_nodes, sizeof *node_s, "a profile", err);
    struct simulator *simulator = NULL;
    struct plan *plan = NULL;
    int rc = -1;

    if (engine != NULL && input != NULL && node_s != NULL) {
        network_draw_input(1, input, options->batch * elements);
        plan = decide(graph, target, engine, input, options->batch, err);
        simulator = plan == NULL ? NULL : simulator_create(plan, options->batch, err);
    }
    if (simulator != NULL)
        rc = compare(graph, options, engine, simulator, input, node_s, err);
    simulator_destroy(simulator);
    plan_destroy(plan);
    engine_destroy(engine);
    free(input);
    free(node_s);
    return rc;
}

static int parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.network = "resnet50", .target = "onnx-qdq", .batch = 4, .runs = 5};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--profile") == 0)
            options->is_profiled = true;
        else if (i + 1 < argc && strcmp(argv[i], "--network") == 0)
            options->network = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--target") == 0)
            options->target = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--batch") == 0)
            options->batch = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--runs") == 0)
            options->runs = strtoul(argv[++i], NULL, 10);
        else
            return -1;
    }
    return options->batch > 0 && options->runs > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = {0};
    const struct network *network;
    const struct target *target;
    struct graph *graph;
    int rc;

    if (parse(argc, argv, &options) != 0) {
        fprintf(stderr, "usage: bench_simulate [--network NAME] [--target NAME] [--batch N] [--runs N] [--profile]\n");
        return EX_USAGE;
    }
    network = network_find(options.network);
    target = target_find(options.target);
    if (network == NULL || target == NULL) {
        fprintf(stderr, "bench_simulate: no network \"%s\", or no target \"%s\"\n", options.network, options.target);
        return EX_USAGE;
    }
    graph = network->build(&err);
    rc = graph == NULL ? -1 : measure(graph, target, &options, &err);
    graph_destroy(graph);
    if (rc != 0)
        fprintf(stderr, "bench_simulate: %s\n", err.text);
    return rc == 0 ? 0 : err.code;
}
