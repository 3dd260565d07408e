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
    double *self;   /* [bins + 1] sum of P ln P below bin k, epsilon added */
    double *cell;   /* [bins] P of bin k, without epsilon */
    double *weight; /* [2 levels] P of the whole bins of a level, then of the bin that it shares with the next */
    double *logs;   /* [2 levels] Q there, then its logarithm */
    double unit;    /* P of one count: 1 / (all counts and floors) */
};

/* Probability of bins [from, to). */
static inline double mass_of(const struct prefix *p, size_t from, size_t to)
{
    return ((double)(int64_t)(p->mass[to] - p->mass[from]) + (double)(int64_t)(to - from) * p->request->floor) *
           p->unit;
}

static int prefix_create(struct prefix *p, const struct kl_fractional_request *request, struct error *err)
{
    size_t bins = request->bins, levels = request->levels;
    double *real;

    *p = (struct prefix){.request = request};
    p->mass = memory_create(3 * (bins + 1) + 4 * levels, sizeof *p->mass, "a KL search", err);
    if (p->mass == NULL)
        return -1;
    real = (double *)p->mass + bins + 1;
    p->self = real;
    p->cell = real + bins + 1;
    p->weight = p->cell + bins + 1;
    p->logs = p->weight + 2 * levels;
    for (size_t k = 0; k < bins; k++)
        p->mass[k + 1] = p->mass[k] + request->counts[k];
    p->unit = 1 / ((double)p->mass[bins] + (double)bins * request->floor);
    for (size_t k = 0; k < bins; k++) {
        double cell = mass_of(p, k, k + 1), with_epsilon = cell + request->epsilon;

        p->cell[k] = cell;
        p->self[k + 1] = p->self[k] + (with_epsilon > 0 ? with_epsilon * math_log(with_epsilon) : 0);
    }
    return 0;
}

/* weight and logs of all levels when i bins are kept. Level j covers [j i / L, (j + 1) i / L): whole bins from `first`
 * up to `end`, `into` of bin `end`, and `rest` of the bin before `first`. Bresenham's line again; fractions are exact
 * where L is a power of two. */
static void fill_levels(const struct prefix *p, size_t i)
{
    const struct kl_fractional_request *request = p->request;
    size_t levels = request->levels, chunk = i / levels, remainder = i % levels, first = 0, part = 0;
    double epsilon = request->epsilon, per_bin = (double)levels / (double)i, step = 1 / (double)levels;
    double rest = 0, shared = 0, shared_cell = 0; /* of the bin across the level before and this one */

    for (size_t j = 0, end = 0; j < levels; j++) {
        double mass, mean, into, next_cell;

        part += remainder;
        end += chunk + (part >= levels);
        part -= part >= levels ? levels : 0;
        into = (double)(int64_t)part * step;
        next_cell = part > 0 ? p->cell[end] : 0;
        mass = mass_of(p, first, end);
        p->weight[j] = mass + (double)(int64_t)(end - first) * epsilon;
        p->weight[levels + j] = part > 0 ? next_cell + epsilon : 0;
        mean = (mass + rest * shared_cell + into * next_cell) * per_bin;
        p->logs[j] = mean + epsilon;
        if (j > 0)
            p->logs[levels + j - 1] = shared + rest * mean + epsilon;
        shared = into * mean;
        shared_cell = next_cell;
        rest = part > 0 ? 1 - into : 0;
        first = end + (part > 0);
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
    for (size_t j = 0; j < 2 * levels; j++) { /* no bin there, or P and Q are both 0: nothing is lost */
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
