/* kl_window.c — KL divergence over symmetric windows of a signed histogram, as ONNX Runtime and Neural Compressor
 * compute it (calibration.md section 3). Direct: empty bins are smoothed anew for each window, so nothing carries over.
 */
#include "coordinator/thresholds/kl.h"

#include "common/math.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

struct window {
    const struct kl_window_request *request;
    uint64_t *below; /* [2 half + 2] counts below bin k */
    double *p, *q;   /* [2 half + 1] */
    size_t first, n; /* the bins of the window in question */
};

/* Every empty bin gets epsilon, the others give it in equal parts; false where they hold too little (the counts of a
 * bin are at least 1, so it is what all of them give that decides). */
static bool smooth(double *x, size_t n, double epsilon)
{
    size_t empty = 0;
    double give;

    for (size_t k = 0; k < n; k++)
        empty += x[k] == 0;
    if (empty == n)
        return false;
    give = epsilon * (double)empty / (double)(n - empty);
    if (give >= 1)
        return false;
    for (size_t k = 0; k < n; k++)
        x[k] = x[k] == 0 ? epsilon : x[k] - give;
    return true;
}

/* q of bins [from, to) of the window: their unclipped counts spread over those where p is not empty. */
static void spread(const struct window *w, size_t from, size_t to)
{
    double mass = (double)(w->below[w->first + to] - w->below[w->first + from]), mean;
    size_t filled = 0;

    for (size_t k = from; k < to; k++)
        filled += w->p[k] > 0;
    mean = filled > 0 ? mass / (double)filled : 0;
    for (size_t k = from; k < to; k++)
        w->q[k] = w->p[k] > 0 ? mean : 0;
}

/* sum p ln(p / q) with both divided by their sums; overwrites them. */
static double relative_entropy(double *p, double *q, size_t n)
{
    double p_sum = 0, q_sum = 0, d = 0;

    for (size_t k = 0; k < n; k++) {
        p_sum += p[k];
        q_sum += q[k];
        q[k] = p[k] / q[k];
    }
    math_log_array(q, q, n);
    for (size_t k = 0; k < n; k++)
        d += p[k] * q[k];
    return d / p_sum - math_log(p_sum) + math_log(q_sum);
}

static double divergence_of(struct window *w, size_t side)
{
    const struct kl_window_request *request = w->request;
    size_t all = 2 * request->half + 1, levels = request->levels, chunk;

    w->first = request->half - side;
    w->n = 2 * side + 1;
    chunk = w->n / levels;
    for (size_t k = 0; k < w->n; k++)
        w->p[k] = (double)request->counts[w->first + k];
    w->p[0] += (double)w->below[w->first];
    w->p[w->n - 1] += (double)(w->below[all] - w->below[w->first + w->n]);
    for (size_t g = 0; g < levels; g++)
        spread(w, g * chunk, g + 1 == levels ? w->n : (g + 1) * chunk);
    if (!smooth(w->p, w->n, request->epsilon) || !smooth(w->q, w->n, request->epsilon))
        return INFINITY;
    for (size_t k = 0; k < w->n; k++) { /* a mean below what it gives away: no distribution */
        if (w->q[k] <= 0)
            return INFINITY;
    }
    return relative_entropy(w->p, w->q, w->n);
}

int kl_window_search(const struct kl_window_request *request, size_t *kept, double *divergence, struct error *err)
{
    size_t all = 2 * request->half + 1;
    struct window w = {.request = request};
    double least = INFINITY;

    w.below = memory_create(3 * (all + 1), sizeof *w.below, "a KL search", err);
    if (w.below == NULL)
        return -1;
    w.p = (double *)(w.below + all + 1);
    w.q = w.p + all + 1;
    for (size_t k = 0; k < all; k++)
        w.below[k + 1] = w.below[k] + request->counts[k];
    *kept = request->half;
    for (size_t side = request->levels / 2; side <= request->half; side++) {
        double d = divergence_of(&w, side);

        if (d < least) {
            least = d;
            *kept = side;
        }
    }
    *divergence = isinf(least) ? 0 : least;
    free(w.below);
    return 0;
}
