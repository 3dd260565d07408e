/* octav.c — the fixed point of Sakr et al., Optimal Clipping and Magnitude-aware Differentiation, 2022,
 * arXiv:2206.06501, from the sums of the whole calibration set.
 *
 * It minimises J(s) = c s^2 P(0 < |X| <= s) + E[(|X| - s)^2; |X| > s], with c s^2 the variance of evenly spread
 * rounding errors: s = E[|X|; |X| > s] / (c P(0 < |X| <= s) + P(|X| > s)). Codes show Q + 1 magnitudes (128 of a signed
 * byte, 256 of an unsigned one), so c = 1 / (12 (Q + 1)^2), which is 4^-B / 3 and 4^-B / 12.
 */
#include "coordinator/thresholds/magnitudes.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_STEPS = 200 }; /* 20 are usual; the map is piecewise smooth and may step to and fro between two bins */

struct above {
    double count, absolute; /* of bins from here on: values, and sum of their centres */
};

/* above[k]: bins k and up; above[bins] is nothing. */
static struct above *sum_from_above(const struct magnitudes *m, struct error *err)
{
    struct above *above = memory_create(m->bins + 1, sizeof *above, "the sums of a threshold search", err);

    for (size_t k = m->bins; above != NULL && k-- > 0;) {
        double count = (double)m->count[k];

        above[k] = (struct above){above[k + 1].count + count, above[k + 1].absolute + count * magnitudes_centre(m, k)};
    }
    return above;
}

static double fixed_point(const struct magnitudes *m, const struct above *above, double c)
{
    double s = above[0].absolute / above[0].count;

    for (int step = 0; step < MAX_STEPS; step++) {
        size_t k = (size_t)s; /* the bin of s is above it where its centre is */
        const struct above *over;
        double next;

        k += k < m->bins && magnitudes_centre(m, k) <= s;
        over = &above[k];
        if (k >= m->bins || over->count == 0)
            return m->limit;
        next = over->absolute / (c * (above[0].count - over->count) + over->count);
        if (next == s)
            break;
        s = fmin(next, m->limit);
    }
    return s;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    double codes = (double)request->steps + 1;
    struct above *above;
    struct magnitudes m;
    int rc = -1;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    above = sum_from_above(&m, err);
    if (above != NULL) {
        found->threshold = magnitudes_threshold(&m, fixed_point(&m, above, 1 / (12 * codes * codes)));
        rc = 0;
    }
    free(above);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_octav = {
    .name = "octav",
    .summary = "fixed point of clipping and evenly spread rounding errors (Sakr 2022)",
    .minimizes_error = true,
    .search = search,
};
