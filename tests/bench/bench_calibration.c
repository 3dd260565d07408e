/* bench_calibration.c — what statistics cost: the time of calibration over that of plain inference, on one thread.
 *
 *   bench_calibration [--network NAME]... [--bins N] [--channel-bins N] [--rounds N] [--slice N]
 *                     [--profile]
 *
 * Both run the same engine on the same blocks of 8 images, and take turns, each going first in every other round; the
 * data pass only: no reading, no decoding, no merging. Prints, per network, without histograms per channel, with them
 * beside the tensor's (a job with granularity: per-channel), and with the tensor's as their sum (the same with equal
 * bins):
 * the median over all rounds of (calibration / inference of that round), the quotient of the fastest runs, and
 * images/s. Time is the thread's own, so that slices given to others do not count; their use of the caches does, hence
 * the median. Then what the eight parts of statistics cost, in a pass of 1,000 images: at each change the counts are
 * moved, and the next block finds empty histograms, which fold anew. --profile adds the observer's time by value,
 * slowest first.
 */
#include "../common/draw.h"
#include "worker/engine.h"
#include "worker/observe.h"

#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 8, /* the default block of a job */
    BLOCKS = 4,
    MAX_NAMES = 8,
    MAX_ROUNDS = 1000,
    SLOWEST = 12, /* lines of a profile */
};

struct options {
    const char *names[MAX_NAMES];
    size_t n_names, bins, channel_bins, rounds, slice;
    bool is_profiled;
};

struct bench {
    const struct graph *graph;
    struct engine *engine;
    size_t elements;       /* of an image */
    float *images[BLOCKS]; /* [BATCH x elements of the input] */
    double *value_s;       /* [graph->n_values]: seconds in the observer, all rounds */
};

struct times {
    double plain_s[MAX_ROUNDS], observed_s[MAX_ROUNDS], ratio[MAX_ROUNDS];
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts x. */
static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}

/* ---- one run ---- */

struct profile {
    struct observation *observation;
    double *value_s;
};

static int observe_timed(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct profile *profile = context;
    double begin = seconds();
    int rc = observation_observe(profile->observation, node, value, view, err);

    profile->value_s[value] += seconds() - begin;
    return rc;
}

/* Plain inference where observer is NULL. */
static int time_run(const struct bench *bench, size_t block, engine_observer observer, void *context, double *took,
                    struct error *err)
{
    size_t slice = engine_batch(bench->engine);
    double begin = seconds();

    for (size_t first = 0; first < BATCH; first += slice) {
        const float *input = bench->images[block] + first * bench->elements;

        if (engine_run(bench->engine, &input, slice, observer, context, err) != 0)
            return -1;
    }
    *took = seconds() - begin;
    return 0;
}

static int time_round(const struct bench *bench, size_t round, struct observation *observation, struct times *times,
                      struct error *err)
{
    size_t block = round % BLOCKS;

    for (size_t turn = 0; turn < 2; turn++) {
        bool is_plain = (round + turn) % 2 == 0;
        int rc = is_plain ? time_run(bench, block, NULL, NULL, &times->plain_s[round], err)
                          : time_run(bench, block, observation_observe, observation, &times->observed_s[round], err);

        if (rc != 0)
            return -1;
    }
    times->ratio[round] = times->observed_s[round] / times->plain_s[round];
    return 0;
}

/* ---- one case: a network, and how finely it is observed ---- */

static void print_profile(const struct bench *bench, size_t rounds)
{
    double total = 0;

    for (size_t v = 0; v < bench->graph->n_values; v++)
        total += bench->value_s[v];
    printf("  observer %.2f ms a block, of which\n", 1e3 * total / (double)rounds);
    for (size_t line = 0; line < SLOWEST && line < bench->graph->n_values; line++) {
        size_t slowest = 0;
        char text[SHAPE_TEXT_BYTES];

        for (size_t v = 0; v < bench->graph->n_values; v++)
            if (bench->value_s[v] > bench->value_s[slowest])
                slowest = v;
        printf("  %-20s %-14s %9.1f us %5.1f %%\n", bench->graph->values[slowest].name,
               shape_text(&bench->graph->values[slowest].shape, text), 1e6 * bench->value_s[slowest] / (double)rounds,
               100 * bench->value_s[slowest] / total);
        bench->value_s[slowest] = 0;
    }
}

static int profile(const struct bench *bench, size_t rounds, struct observation *observation, struct error *err)
{
    struct profile profile = {observation, bench->value_s};
    double ignored;

    memset(bench->value_s, 0, bench->graph->n_values * sizeof *bench->value_s);
    for (size_t round = 0; round < rounds; round++)
        if (time_run(bench, round % BLOCKS, observe_timed, &profile, &ignored, err) != 0)
            return -1;
    print_profile(bench, rounds);
    return 0;
}

static void print_case(const char *network, size_t bins, size_t channel_bins, size_t rounds, struct times *times)
{
    double ratio = median(times->ratio, rounds), plain = median(times->plain_s, rounds);
    double observed = median(times->observed_s, rounds);
    char grain[48] = "per tensor";

    if (channel_bins > 0)
        snprintf(grain, sizeof grain, "per channel, %s", observation_has_wholes(bins, channel_bins) ? "both" : "sums");
    /* The medians have sorted the times: the first is the least. */
    printf("%-12s %-22s ratio %.3f (fastest %.3f), inference %7.2f images/s, calibration %7.2f images/s\n", network,
           grain, ratio, times->observed_s[0] / times->plain_s[0], BATCH / plain, BATCH / observed);
    fflush(stdout);
}

enum { CHANGES = 15, PASS_IMAGES = 1000 };

/* What a change of parts takes beyond the block that follows it; `usual`: the time of a block between changes. */
static int measure_parts(const struct bench *bench, struct observation *observation, double usual, struct error *err)
{
    struct observation *whole = observation_create(bench->graph, observation->bins, 0, err);
    double taken[CHANGES];
    int rc = whole == NULL ? -1 : observation_keep_parts(whole, err);

    for (size_t i = 0; rc == 0 && i < CHANGES; i++) {
        double begin = seconds(), block = 0;

        rc = observation_move(whole, i % OBSERVE_PARTS, observation->tensor, err);
        taken[i] = seconds() - begin;
        if (rc == 0)
            rc = time_run(bench, i % BLOCKS, observation_observe, observation, &block, err);
        taken[i] += block - usual;
    }
    if (rc == 0)
        printf("%-12s a change of parts takes %.2f ms; eight of them are %.2f %% of a pass over %d images\n",
               bench->graph->name, 1e3 * median(taken, CHANGES),
               100 * OBSERVE_PARTS * median(taken, CHANGES) / (usual * PASS_IMAGES / BATCH), PASS_IMAGES);
    observation_destroy(whole);
    return rc;
}

static int measure_case(const struct bench *bench, const struct options *options, size_t bins, size_t channel_bins,
                        struct error *err)
{
    static struct times times;
    struct observation *observation = observation_create(bench->graph, bins, channel_bins, err);
    double ignored;
    int rc = -1;

    if (observation == NULL)
        return -1;
    /* Once through all blocks: touches all memory, and folds the histograms to where a long pass has them. */
    for (size_t block = 0; block < BLOCKS; block++)
        if (time_run(bench, block, observation_observe, observation, &ignored, err) != 0)
            goto done;
    for (size_t round = 0; round < options->rounds; round++)
        if (time_round(bench, round, observation, &times, err) != 0)
            goto done;
    print_case(bench->graph->name, bins, channel_bins, options->rounds, &times);
    if (channel_bins == 0 && measure_parts(bench, observation, median(times.observed_s, options->rounds), err) != 0)
        goto done;
    rc = options->is_profiled ? profile(bench, options->rounds, observation, err) : 0;
done:
    observation_destroy(observation);
    return rc;
}

/* ---- all cases ---- */

static int draw_images(struct bench *bench, struct error *err)
{
    size_t n = BATCH * bench->elements;

    for (size_t block = 0; block < BLOCKS; block++) {
        bench->images[block] = memory_create(n, sizeof(float), "images", err);
        if (bench->images[block] == NULL)
            return -1;
        for (size_t i = 0; i < n; i++)
            bench->images[block][i] = (float)draw_normal();
    }
    return 0;
}

static int measure_cases(const struct bench *bench, const struct options *options, struct error *err)
{
    size_t bins = options->bins, channel_bins = options->channel_bins;

    if (measure_case(bench, options, bins, 0, err) != 0)
        return -1;
    return channel_bins > 0 && (measure_case(bench, options, bins, channel_bins, err) != 0 ||
                                measure_case(bench, options, channel_bins, channel_bins, err) != 0)
               ? -1
               : 0;
}

static int measure(const struct network *network, const struct options *options, struct error *err)
{
    struct graph *graph = network->build(err);
    struct bench bench = {.graph = graph};
    int rc = -1;

    if (graph == NULL)
        return -1;
    bench.elements = (size_t)shape_elements(&graph->values[graph->inputs[0]].shape);
    bench.engine = engine_create(graph, options->slice, NULL, err);
    bench.value_s = memory_create(graph->n_values, sizeof *bench.value_s, "a profile", err);
    if (bench.engine != NULL && bench.value_s != NULL && draw_images(&bench, err) == 0 &&
        measure_cases(&bench, options, err) == 0)
        rc = 0;
    for (size_t block = 0; block < BLOCKS; block++)
        free(bench.images[block]);
    free(bench.value_s);
    engine_destroy(bench.engine);
    graph_destroy(graph);
    return rc;
}

static int parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.bins = 8192, .channel_bins = 2048, .rounds = 15, .slice = BATCH};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--profile") == 0)
            options->is_profiled = true;
        else if (i + 1 < argc && strcmp(argv[i], "--network") == 0 && options->n_names < MAX_NAMES)
            options->names[options->n_names++] = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--bins") == 0)
            options->bins = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--channel-bins") == 0)
            options->channel_bins = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--rounds") == 0)
            options->rounds = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--slice") == 0)
            options->slice = strtoul(argv[++i], NULL, 10);
        else
            return -1;
    }
    if (options->n_names == 0) {
        options->names[options->n_names++] = "squeezenet";
        options->names[options->n_names++] = "resnet50";
    }
    return options->rounds > 0 && options->rounds <= MAX_ROUNDS && options->slice > 0 && BATCH % options->slice == 0
               ? 0
               : -1;
}

int main(int argc, char **argv)
{
    struct options options;

    if (parse(argc, argv, &options) != 0) {
        fprintf(stderr, "usage: bench_calibration [--network NAME]... [--bins N] [--channel-bins N] [--rounds N] "
                        "[--profile]\n");
        return EX_USAGE;
    }
    for (size_t i = 0; i < options.n_names; i++) {
        const struct network *network = network_find(options.names[i]);
        struct error err = {0};

        if (network == NULL)
            error_set(&err, EX_USAGE, "no network is called \"%s\"", options.names[i]);
        if (network == NULL || measure(network, &options, &err) != 0) {
            fprintf(stderr, "bench_calibration: %s\n", err.text);
            return err.code;
        }
    }
    return 0;
}
