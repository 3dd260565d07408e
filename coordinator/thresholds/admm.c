/* admm.c — codes and scale in turn (Leng, Dou, Li, Zhu and Jin 2018, arXiv:1707.09870), on the counts of magnitudes.
 *
 * Neither half step raises the squared error of the bin centres, so it ends, but in a local optimum: MNN's start, half
 * of the largest scale that clips nothing over 1.25, competes with those of the weights, and the least exact error
 * wins.
 */
#include "coordinator/thresholds/admm.h"

#include "coordinator/thresholds/error_table.h"

#include <math.h>

enum { MAX_ROUNDS = 300 }; /* MNN's; ten are usual */

double admm_alternate(const struct magnitudes *m, int32_t steps, double start)
{
    double scale = start;

    for (int round = 0; round < MAX_ROUNDS; round++) {
        double product = 0, square = 0, next;

        for (size_t k = 0; k < m->bins; k++) {
            double centre = magnitudes_centre(m, k), code = fmin(floor(centre / scale + 0.5), steps);

            product += (double)m->count[k] * centre * code;
            square += (double)m->count[k] * code * code;
        }
        if (square == 0)
            return start;
        next = product / square;
        if (next == scale)
            break;
        scale = next;
    }
    return scale;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    static const double starts[] = {1 / 2.5, 1 / 1.25, 0.9, 1};
    double best, least = INFINITY;
    struct error_table table = {0};
    struct magnitudes m;
    int rc;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    best = m.limit;
    rc = error_table_init(&table, m.count, m.bins, err);
    for (size_t i = 0; rc == 0 && i < sizeof starts / sizeof *starts; i++) {
        double t = admm_alternate(&m, request->steps, starts[i] * m.limit / request->steps) * request->steps, error;

        t = fmin(t, m.limit);
        error = error_table_error(&table, 0, t / request->steps, request->steps);
        if (error < least) {
            least = error;
            best = t;
        }
    }
    if (rc == 0)
        found->threshold = magnitudes_threshold(&m, best);
    error_table_fini(&table);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_admm = {
    .name = "admm",
    .summary = "alternating codes and scale on the histogram to a fixed point, four starts (Leng 2018)",
    .minimizes_error = true,
    .search = search,
};
