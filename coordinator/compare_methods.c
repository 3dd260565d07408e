/* compare_methods.c — see compare_methods.h. Every threshold is a search of its own, dealt out to ranks. */
#include "coordinator/compare_methods.h"

#include "common/memory.h"
#include "common/plan.h"
#include "coordinator/share.h"

#include <stdlib.h>

enum { STEPS = 127 };

bool compared_method(const struct threshold_method *method)
{
    return method->reads == THRESHOLD_FROM_ARCHIVE && method->wants == 0;
}

size_t compared_methods(const struct threshold_method **methods)
{
    size_t n = 0;

    for (size_t i = 0; threshold_methods[i] != NULL; i++)
        if (compared_method(threshold_methods[i])) {
            if (methods != NULL)
                methods[n] = threshold_methods[i];
            n++;
        }
    return n;
}

struct searches {
    const struct histogram *const *histograms;
    size_t n_methods;
    const struct threshold_method **methods;
    double percentile;
    float *found; /* of each histogram, n_methods */
};

static uint64_t cost(void *context, size_t i)
{
    struct searches *s = context;

    return s->histograms[i / s->n_methods]->bins;
}

static int search(void *context, size_t i, struct error *err)
{
    struct searches *s = context;
    struct threshold_request request = {
        .histogram = s->histograms[i / s->n_methods], .steps = STEPS, .percentile = s->percentile};
    char decided[PLAN_METHOD_BYTES];

    s->found[i] = 0;
    if (request.histogram->n == 0)
        return 0;
    return threshold_decide(s->methods[i % s->n_methods], &request, &s->found[i], decided, err);
}

int compare_methods(const struct comm *comm, const struct histogram *const *histograms, size_t n, double percentile,
                    float **thresholds, struct error *err)
{
    struct searches s = {histograms, compared_methods(NULL), NULL, percentile, NULL};
    int rc;

    s.methods = memory_create(s.n_methods, sizeof *s.methods, "the thresholds of all methods", err);
    s.found = memory_create(n, s.n_methods * sizeof *s.found, "the thresholds of all methods", err);
    rc = comm_agree(comm, s.methods == NULL || s.found == NULL ? -1 : 0, err);
    if (rc == 0) {
        compared_methods(s.methods);
        rc = share_run(comm, &(struct share_work){&s, n * s.n_methods, cost, search, s.found, sizeof *s.found}, err);
    }
    free(s.methods);
    *thresholds = s.found;
    if (rc != 0) {
        free(s.found);
        *thresholds = NULL;
    }
    return rc;
}
