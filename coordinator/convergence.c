/* convergence.c — see convergence.h. Every threshold is a search of its own, dealt out to ranks as those of plans are.
 */
#include "coordinator/convergence.h"

#include "common/memory.h"
#include "common/plan.h"
#include "coordinator/share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 127 };

/* How often each part counts. */
struct mix {
    uint8_t times[OBSERVE_PARTS];
};

/* The searches of one value: the same mixes for each. */
struct searches {
    const struct threshold_method *method;
    double percentile;
    const struct observe_parts *parts;
    size_t n_mixes;
    const struct mix *mixes;
    size_t *values; /* those that have parts */
    float *found;   /* of each, n_mixes */
};

/* Fewer blocks than parts leave some without any. */
static size_t list_filled(const struct observe_parts *parts, size_t filled[OBSERVE_PARTS])
{
    size_t n = 0;

    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        if (parts->cut.n_blocks[p] > 0)
            filled[n++] = p;
    return n;
}

/* The same draw on every machine: splitmix64 from a fixed seed. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct mix first_parts(size_t n)
{
    struct mix mix = {{0}};

    memset(mix.times, 1, n);
    return mix;
}

/* As many parts as are drawn from, with replacement. All values share the draws. */
static void resample(const struct observe_parts *parts, struct mix mixes[CONVERGENCE_RESAMPLES])
{
    size_t filled[OBSERVE_PARTS], n = list_filled(parts, filled);
    uint64_t state = 1;

    for (size_t i = 0; i < CONVERGENCE_RESAMPLES; i++) {
        mixes[i] = (struct mix){{0}};
        for (size_t p = 0; p < n; p++)
            mixes[i].times[filled[(draw(&state) >> 32) * n >> 32]]++;
    }
}

static uint64_t cost(void *context, size_t i)
{
    struct searches *s = context;

    return s->parts->of[0][s->values[i / s->n_mixes]].bins;
}

/* 0 where nothing was seen. */
static int search(void *context, size_t i, struct error *err)
{
    struct searches *s = context;
    size_t v = s->values[i / s->n_mixes];
    const struct mix *mix = &s->mixes[i % s->n_mixes];
    struct threshold_request request = {.steps = STEPS, .percentile = s->percentile};
    char decided[PLAN_METHOD_BYTES];
    struct histogram sum;
    int rc = histogram_init(&sum, s->parts->of[0][v].bins, err);

    if (rc == 0)
        rc = observe_parts_sum(s->parts, v, mix->times, &sum, err);
    request.histogram = &sum;
    if (rc == 0 && sum.n > 0)
        rc = threshold_decide(s->method, &request, &s->found[i], decided, err);
    histogram_fini(&sum);
    return rc;
}

/* Collective. thresholds[n_values][n_mixes], the same on every rank; rows of values without parts are 0. */
static int search_all(const struct comm *comm, struct searches *s, float **thresholds, struct error *err)
{
    size_t n_values = s->parts->n_values, n = 0, row = s->n_mixes * sizeof(float);
    int rc;

    s->values = memory_create(n_values, sizeof *s->values, "thresholds of parts", err);
    s->found = memory_create(n_values, row, "thresholds of parts", err);
    *thresholds = memory_create(n_values, row, "thresholds of parts", err);
    rc = comm_agree(comm, s->values == NULL || s->found == NULL || *thresholds == NULL ? -1 : 0, err);
    for (size_t v = 0; rc == 0 && v < n_values; v++)
        if (s->parts->of[0][v].bins > 0)
            s->values[n++] = v;
    if (rc == 0)
        rc = share_run(comm, &(struct share_work){s, n * s->n_mixes, cost, search, s->found, sizeof *s->found}, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        memcpy(*thresholds + s->values[i] * s->n_mixes, s->found + i * s->n_mixes, row);
    free(s->values);
    free(s->found);
    if (rc != 0) {
        free(*thresholds);
        *thresholds = NULL;
    }
    return rc;
}

/* |now - before| / now; what nothing is known about has not moved. */
static double movement(float before, float now)
{
    return now > 0 ? fabs((double)now - (double)before) / (double)now : 0;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* From the thresholds of the prefixes, then those of the resamples, which are sorted here. */
static void read_value(const float *prefixes, float *resamples, struct convergence_value *value)
{
    memcpy(value->thresholds, prefixes, sizeof value->thresholds);
    qsort(resamples, CONVERGENCE_RESAMPLES, sizeof *resamples, by_size);
    value->low = resamples[CONVERGENCE_OUTSIDE];
    value->high = resamples[CONVERGENCE_RESAMPLES - 1 - CONVERGENCE_OUTSIDE];
}

int convergence_find(const struct comm *comm, const struct threshold_method *method, double percentile,
                     const struct observe_parts *parts, struct convergence *out, struct error *err)
{
    enum { MIXES = OBSERVE_PARTS + CONVERGENCE_RESAMPLES };
    struct mix mixes[MIXES];
    struct searches searches = {method, percentile, parts, MIXES, mixes, NULL, NULL};
    float *thresholds = NULL;
    int rc;

    *out = (struct convergence){.most = -1};
    if (parts == NULL || method->reads == THRESHOLD_FROM_MODEL || method->wants != 0) /* extras have no parts */
        return 0;
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        mixes[p] = first_parts(p + 1);
        out->records[p] = parts->n_records[p] + (p > 0 ? out->records[p - 1] : 0);
    }
    resample(parts, mixes + OBSERVE_PARTS);
    out->values = memory_create(parts->n_values, sizeof *out->values, "thresholds of parts", err);
    rc = comm_agree(comm, out->values == NULL ? -1 : 0, err);
    if (rc == 0)
        rc = search_all(comm, &searches, &thresholds, err);
    out->n_values = parts->n_values;
    for (size_t v = 0; rc == 0 && v < parts->n_values; v++) {
        const float *prefixes = thresholds + v * MIXES;
        double moved = movement(prefixes[OBSERVE_PARTS / 2 - 1], prefixes[OBSERVE_PARTS - 1]);

        read_value(prefixes, thresholds + v * MIXES + OBSERVE_PARTS, &out->values[v]);
        if (parts->of[0][v].bins > 0 && (out->most < 0 || moved > out->moved)) {
            out->moved = moved;
            out->most = (int)v;
        }
    }
    free(thresholds);
    if (rc != 0)
        convergence_fini(out);
    return rc;
}

void convergence_fini(struct convergence *convergence)
{
    free(convergence->values);
    *convergence = (struct convergence){.most = -1};
}

int convergence_find_movement(const struct comm *comm, const struct threshold_method *method, double percentile,
                              const struct observe_parts *parts, double *moved, struct error *err)
{
    const struct mix mixes[] = {first_parts(OBSERVE_PARTS / 2), first_parts(OBSERVE_PARTS)};
    struct searches searches = {method, percentile, parts, 2, mixes, NULL, NULL};
    float *thresholds = NULL;
    int rc = search_all(comm, &searches, &thresholds, err);

    *moved = 0;
    for (size_t v = 0; rc == 0 && v < parts->n_values; v++)
        *moved = fmax(*moved, movement(thresholds[2 * v], thresholds[2 * v + 1]));
    free(thresholds);
    return rc;
}

size_t convergence_settled(const struct convergence *convergence, double limit)
{
    size_t settled = 0;

    for (size_t v = 0; v < convergence->n_values; v++) {
        const float *t = convergence->values[v].thresholds;

        for (size_t p = settled; p < OBSERVE_PARTS; p++)
            if (movement(t[p], t[OBSERVE_PARTS - 1]) > limit)
                settled = p + 1;
    }
    return settled;
}
