/* How evenly ranks share the searches: started by mpirun -n N, all weights of a ResNet-50 by the exact sweep, and KL
 * for all of its channels. Prints each kind's times by the ranks' own processor clocks; their sum over the longest is
 * what N ranks gain where each has a core. */
#include "../common/draw.h"
#include "common/clock.h"
#include "common/memory.h"
#include "coordinator/share.h"
#include "coordinator/thresholds.h"
#include "coordinator/weights.h"

#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- weights ---- */

struct row {
    const float *weights;
    size_t n;
};

struct weights {
    const struct weight_method *method;
    struct row *rows;
    float *scales;
};

static uint64_t row_cost(void *context, size_t i)
{
    return ((struct weights *)context)->rows[i].n;
}

static int search_row(void *context, size_t i, struct error *err)
{
    struct weights *w = context;

    return w->method->search(w->rows[i].weights, w->rows[i].n, 127, &w->scales[i], err);
}

static size_t list_rows(const struct graph *graph, struct row *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const struct value *w = node->op == OP_CONV || node->op == OP_DENSE ? &graph->values[node->inputs[1]] : NULL;
        size_t count = w == NULL ? 0 : (size_t)w->shape.dims[0];
        size_t row = w == NULL ? 0 : (size_t)shape_elements(&w->shape) / count;

        for (size_t o = 0; o < count; o++, n++)
            if (rows != NULL)
                rows[n] = (struct row){(const float *)w->data + o * row, row};
    }
    return n;
}

/* ---- thresholds ---- */

enum { BINS = 2048, CHANNELS = 26560 };

struct thresholds {
    const struct threshold_method *method;
    struct threshold_request request;
    struct threshold_found *found;
};

static uint64_t histogram_cost(void *context, size_t i)
{
    (void)i;
    return ((struct thresholds *)context)->request.histogram->bins;
}

static int search_histogram(void *context, size_t i, struct error *err)
{
    struct thresholds *t = context;

    return t->method->search(t->method, &t->request, &t->found[i], err);
}

/* ---- */

struct timed { /* the time of searches alone: waiting for other ranks keeps a processor busy, too */
    const struct share_work *work;
    double seconds;
};

static uint64_t timed_cost(void *context, size_t i)
{
    const struct share_work *work = ((struct timed *)context)->work;

    return work->cost(work->context, i);
}

static int timed_search(void *context, size_t i, struct error *err)
{
    struct timed *t = context;
    double start = processor_seconds();
    int rc = t->work->search(t->work->context, i, err);

    t->seconds += processor_seconds() - start;
    return rc;
}

/* Collective. */
static int measure(const struct comm *comm, const char *what, const struct share_work *work, struct error *err)
{
    struct timed timed = {work, 0};
    double *seconds = memory_create((size_t)comm->size, sizeof *seconds, "times", err), sum = 0, most = 0;
    double start = clock_seconds();
    int rc = comm_agree(comm, seconds == NULL ? -1 : 0, err);

    if (rc == 0)
        rc = share_run(
            comm, &(struct share_work){&timed, work->n, timed_cost, timed_search, work->results, work->bytes}, err);
    if (rc == 0) {
        seconds[comm->rank] = timed.seconds;
        comm_gather_shares(comm, seconds, (size_t)comm->size, sizeof *seconds);
        for (int r = 0; r < comm->size; r++) {
            sum += seconds[r];
            most = fmax(most, seconds[r]);
        }
        if (comm->rank == 0)
            printf("%s: %zu searches, %.1f s by the clock on the wall; processor %.1f s together, %.1f s at most: %.2f "
                   "times as fast with %d ranks\n",
                   what, work->n, clock_seconds() - start, sum, most, sum / most, comm->size);
    }
    free(seconds);
    return rc;
}

static int measure_weights(const struct comm *comm, struct error *err)
{
    struct graph *graph = network_find("resnet50")->build(err);
    size_t n = graph == NULL ? 0 : list_rows(graph, NULL);
    struct weights w = {weight_method_find("sweep"), memory_create(n, sizeof *w.rows, "rows", err),
                        memory_create(n, sizeof *w.scales, "scales", err)};
    int rc = graph == NULL || w.rows == NULL || w.scales == NULL ? -1 : 0;

    if (rc == 0) {
        list_rows(graph, w.rows);
        rc = measure(comm, "weights by sweep",
                     &(struct share_work){&w, n, row_cost, search_row, w.scales, sizeof *w.scales}, err);
    }
    free(w.rows);
    free(w.scales);
    graph_destroy(graph);
    return rc;
}

/* Counts of a two-sided exponential, a tenth of the range wide, with some noise. */
static int measure_thresholds(const struct comm *comm, struct error *err)
{
    static uint64_t counts[BINS];
    const struct histogram h = {.bins = BINS, .exponent = -8, .positive = counts, .max = 7.9995F, .min = 0};
    struct thresholds t = {threshold_method_find("kl"),
                           {.histogram = &h, .steps = 127},
                           memory_create(CHANNELS, sizeof *t.found, "thresholds", err)};
    int rc = t.found == NULL ? -1 : 0;

    for (size_t k = 0; k < BINS; k++)
        counts[k] = (uint64_t)(1e6 * exp(-10.0 * (double)k / BINS) * draw_uniform(0.5, 1.5));
    counts[BINS - 1] = 1;
    if (rc == 0)
        rc = measure(comm, "thresholds by kl",
                     &(struct share_work){&t, CHANNELS, histogram_cost, search_histogram, t.found, sizeof *t.found},
                     err);
    free(t.found);
    return rc;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct comm comm;
    int rc = comm_init(&argc, &argv, &comm, &err);

    if (rc == 0)
        rc = measure_weights(&comm, &err);
    if (rc == 0)
        rc = measure_thresholds(&comm, &err);
    if (rc != 0)
        fprintf(stderr, "bench_share: %s\n", err.text);
    comm_finalize();
    return rc == 0 ? 0 : err.code;
}
