/* kl_fractional.c — KL divergence with levels of equal real width, as TNN, MNN and ncnn compute it (calibration.md
 * section 3, tnn.md section 3.5), in O(levels) a candidate instead of O(bins).
 *
 * Q is constant, v_j, on the whole bins of level j; the bin across levels j and j + 1 gets its parts of both. So
 * D(i) = sum P ln P, a prefix sum and the edge, less one logarithm a level and one a shared bin. Masses of runs are
 * differences of integer counts: those of floats would lose the floor beside large counts.
 */
#include "coordinator/thresholds/kl.h"

#include "common/math.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

struct prefix {
    const struct kl_fractional_request *request;
    uint64_t *mass; /* [bins + 1] counts below bin k */
    double *self;   /* [bins + 1] sum of P ln P below bin k */
    double *weight; /* [2 levels] P of the whole bins of a level, then of the bin that it shares with the next */
    double *logs;   /* [2 levels] Q there, then its logarithm */
    double total;   /* all counts and floors */
};

/* Probability of bins [from, to). */
static double mass_of(const struct prefix *p, size_t from, size_t to)
{
    return ((double)(p->mass[to] - p->mass[from]) + (double)(to - from) * p->request->floor) / p->total;
}

static int prefix_create(struct prefix *p, const struct kl_fractional_request *request, struct error *err)
{
    size_t bins = request->bins, levels = request->levels;
    double *real;

    *p = (struct prefix){.request = request};
    p->mass = memory_create(2 * (bins + 1) + 4 * levels, sizeof *p->mass, "a KL search", err);
    if (p->mass == NULL)
        return -1;
    real = (double *)p->mass + bins + 1;
    p->self = real;
    p->weight = real + bins + 1;
    p->logs = p->weight + 2 * levels;
    for (size_t k = 0; k < bins; k++)
        p->mass[k + 1] = p->mass[k] + request->counts[k];
    p->total = (double)p->mass[bins] + (double)bins * request->floor;
    for (size_t k = 0; k < bins; k++) {
        double cell = mass_of(p, k, k + 1) + request->epsilon;

        p->self[k + 1] = p->self[k] + (cell > 0 ? cell * math_log(cell) : 0);
    }
    return 0;
}

/* weight and logs of all levels when i bins are kept. Level j covers [j i / L, (j + 1) i / L): whole bins from `first`
 * up to `end`, `into` / L of bin `end`, and the rest of the bin before `first`, `rest` / L. Bresenham's line again. */
static void fill_levels(const struct prefix *p, size_t i)
{
    size_t levels = p->request->levels, first = 0, rest = 0;
    double epsilon = p->request->epsilon, width = (double)i / (double)levels, shared = 0;

    for (size_t j = 0, end = 0, into = 0; j < levels; j++) {
        double mass, mean;

        end += i / levels;
        into += i % levels;
        if (into >= levels) {
            into -= levels;
            end++;
        }
        mass = mass_of(p, first, end);
        p->weight[j] = mass + (double)(end - first) * epsilon;
        if (rest > 0)
            mass += (double)rest / (double)levels * mass_of(p, first - 1, first);
        if (into > 0)
            mass += (double)into / (double)levels * mass_of(p, end, end + 1);
        mean = mass / width;
        p->logs[j] = mean + epsilon;
        if (j > 0) /* of the bin shared with the level before */
            p->logs[levels + j - 1] = rest > 0 ? shared + (double)rest / (double)levels * mean + epsilon : 1;
        shared = (double)into / (double)levels * mean;
        rest = into > 0 ? levels - into : 0;
        first = end + (into > 0);
        p->weight[levels + j] = into > 0 ? mass_of(p, end, end + 1) + epsilon : 0;
    }
    p->logs[2 * levels - 1] = 1;
}

static double divergence_of(const struct prefix *p, size_t i)
{
    size_t bins = p->request->bins, levels = p->request->levels;
    double clipped = mass_of(p, i, bins), edge = mass_of(p, i - 1, bins) + p->request->epsilon, d = p->self[i - 1];

    d += edge > 0 ? edge * math_log(edge) : 0;
    fill_levels(p, i);
    p->weight[levels - 1] += clipped;
    for (size_t j = 0; j < 2 * levels; j++) { /* where P and Q are both 0 nothing is lost */
        if (p->logs[j] <= 0)
            p->logs[j] = 1;
    }
    math_log_array(p->logs, p->logs, 2 * levels);
    for (size_t j = 0; j < 2 * levels; j++)
        d -= p->weight[j] * p->logs[j];
    return d;
}

int kl_fractional_search(const struct kl_fractional_request *request, size_t *kept, double *divergence,
                         struct error *err)
{
    double least = INFINITY;
    struct prefix p;

    if (prefix_create(&p, request, err) != 0)
        return -1;
    *kept = request->bins - 1;
    for (size_t i = request->levels; i < request->bins; i++) {
        double d = divergence_of(&p, i);

        if (d < least) {
            least = d;
            *kept = i;
        }
    }
    *divergence = least;
    free(p.mass);
    return 0;
}
