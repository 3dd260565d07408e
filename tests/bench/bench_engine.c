/* bench_engine.c — images a second of the fp32 engine on one thread, and where the time goes.
 *
 *   bench_engine [--network NAME]... [--batch N] [--runs N] [--profile]
 *
 * Prints, per network: the fastest of the runs in images/s, the same with an observer that does nothing, and the
 * engine's memory. --profile adds the time of every node, averaged over the runs. Time is the thread's own, so that
 * slices given to others do not count; the fastest run is the one whose caches they disturbed least.
 */
#include "worker/engine.h"

#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    const char *names[8];
    size_t n_names, batch, runs;
    bool is_profiled;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int observe_nothing(void *context, int node, int value, const struct view *view, struct error *err)
{
    (void)context;
    (void)node;
    (void)value;
    (void)view;
    (void)err;
    return 0;
}

struct profile {
    double *node_s; /* [n_nodes] */
    double last_s;
};

/* The time since the call before belongs to this node. */
static int observe_time(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct profile *profile = context;
    double now = seconds();

    (void)value;
    (void)view;
    (void)err;
    if (node != GRAPH_NONE)
        profile->node_s[node] += now - profile->last_s;
    profile->last_s = now;
    return 0;
}

/* One run; *best becomes its time where that is less. */
static int time_run(struct engine *engine, const float *input, size_t batch, engine_observer observer, void *context,
                    double *best, struct error *err)
{
    double begin = seconds(), took;

    if (engine_run(engine, &input, batch, observer, context, err) != 0)
        return -1;
    took = seconds() - begin;
    *best = took < *best ? took : *best;
    return 0;
}

static void print_profile(const struct graph *graph, const double *node_s, size_t runs)
{
    double total = 0;

    for (size_t i = 0; i < graph->n_nodes; i++)
        total += node_s[i];
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct value *y = &graph->values[graph->nodes[i].outputs[0]];
        char text[SHAPE_TEXT_BYTES];

        printf("  %3zu %-10s %-18s %9.1f us %5.1f %%\n", i, op_name(graph->nodes[i].op), shape_text(&y->shape, text),
               1e6 * node_s[i] / (double)runs, 100 * node_s[i] / total);
    }
}

static int run_all(struct engine *engine, const float *input, const struct graph *graph, const struct options *options,
                   double *node_s, struct error *err)
{
    double plain = INFINITY, observed = INFINITY, ignored = INFINITY;
    struct profile profile = {node_s, 0};

    if (engine_run(engine, &input, options->batch, NULL, NULL, err) != 0) /* touches all memory */
        return -1;
    for (size_t run = 0; run < options->runs; run++)
        if (time_run(engine, input, options->batch, NULL, NULL, &plain, err) != 0 ||
            time_run(engine, input, options->batch, observe_nothing, NULL, &observed, err) != 0)
            return -1;
    printf("%-12s batch %zu: %7.2f images/s, %+.2f %% time with an idle observer, %.1f MB\n", graph->name,
           options->batch, (double)options->batch / plain, 100 * (observed / plain - 1),
           (double)engine_memory_bytes(engine) / 1e6);
    if (!options->is_profiled)
        return 0;
    for (size_t run = 0; run < options->runs; run++)
        if (time_run(engine, input, options->batch, observe_time, &profile, &ignored, err) != 0)
            return -1;
    print_profile(graph, node_s, options->runs);
    return 0;
}

static int measure(const struct graph *graph, const struct options *options, struct error *err)
{
    size_t elements = (size_t)shape_elements(&graph->values[graph->inputs[0]].shape);
    struct engine *engine = engine_create(graph, options->batch, NULL, err);
    float *input = memory_create(options->batch * elements, sizeof *input, "input", err);
    double *node_s = memory_create(graph->n_nodes, sizeof *node_s, "a profile", err);
    int rc = -1;

    if (engine != NULL && input != NULL && node_s != NULL) {
        network_draw_input(1, input, options->batch * elements);
        rc = run_all(engine, input, graph, options, node_s, err);
    }
    engine_destroy(engine);
    free(input);
    free(node_s);
    return rc;
}

static int parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.batch = 8, .runs = 10};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--profile") == 0)
            options->is_profiled = true;
        else if (i + 1 < argc && strcmp(argv[i], "--network") == 0 && options->n_names < 8)
            options->names[options->n_names++] = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--batch") == 0)
            options->batch = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--runs") == 0)
            options->runs = strtoul(argv[++i], NULL, 10);
        else
            return -1;
    }
    if (options->n_names == 0) {
        options->names[options->n_names++] = "squeezenet";
        options->names[options->n_names++] = "resnet50";
    }
    return options->batch > 0 && options->runs > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options;

    if (parse(argc, argv, &options) != 0) {
        fprintf(stderr, "usage: bench_engine [--network NAME]... [--batch N] [--runs N] [--profile]\n");
        return EX_USAGE;
    }
    for (size_t i = 0; i < options.n_names; i++) {
        const struct network *network = network_find(options.names[i]);
        struct error err = {0};
        struct graph *graph = network == NULL ? NULL : network->build(&err);

        if (network == NULL)
            error_set(&err, EX_USAGE, "no network is called \"%s\"", options.names[i]);
        if (graph == NULL || measure(graph, &options, &err) != 0) {
            fprintf(stderr, "bench_engine: %s\n", err.text);
            graph_destroy(graph);
            return err.code;
        }
        graph_destroy(graph);
    }
    return 0;
}
