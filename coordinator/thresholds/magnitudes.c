/* magnitudes.c — see magnitudes.h. */
#include "coordinator/thresholds/magnitudes.h"

#include "common/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int magnitudes_init(struct magnitudes *m, const struct threshold_request *request, struct error *err)
{
    const struct histogram *h = request->histogram;
    float limit = threshold_limit(request);

    *m = (struct magnitudes){.bins = h->bins, .exponent = h->exponent};
    if (limit <= 0)
        return error_set(err, EX_SOFTWARE, "a threshold was asked for values that are all zero or below");
    m->limit = ldexp((double)limit, -h->exponent);
    m->count = memory_create(h->bins, sizeof *m->count, "the counts of a threshold search", err);
    if (m->count == NULL)
        return -1;
    if (request->is_unsigned)
        memcpy(m->count, h->positive, h->bins * sizeof *m->count);
    else
        histogram_magnitudes(h, m->count);
    for (size_t k = 0; k < m->bins; k++)
        m->total += m->count[k];
    return 0;
}

void magnitudes_fini(struct magnitudes *m)
{
    free(m->count);
    *m = (struct magnitudes){0};
}

float magnitudes_threshold(const struct magnitudes *m, double bins)
{
    float threshold = (float)ldexp(fmin(bins, m->limit), m->exponent);

    return fmaxf(threshold, FLT_TRUE_MIN);
}
