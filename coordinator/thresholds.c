/* thresholds.c — the registry of methods, the cost of a threshold, and the guard; see thresholds.h. */
#include "coordinator/thresholds.h"

#include "common/plan.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define THRESHOLD_METHOD(id) extern const struct threshold_method threshold_method_##id;
#include "threshold_methods.def"
#undef THRESHOLD_METHOD

const struct threshold_method *const threshold_methods[] = {
#define THRESHOLD_METHOD(id) &threshold_method_##id,
#include "threshold_methods.def"
#undef THRESHOLD_METHOD
    NULL,
};

/* Bounds of the guard (calibration.md section 3): a network whose few outlier channels carry the signal lost 44 points
 * of top-1 to a KL threshold that either of them would have caught. */
static const double max_clipped_energy = 0.01, max_error_ratio = 2;

const struct threshold_method *threshold_method_find(const char *name)
{
    for (const struct threshold_method *const *method = threshold_methods; *method != NULL; method++) {
        if (strcmp((*method)->name, name) == 0)
            return *method;
    }
    return NULL;
}

float threshold_limit(const struct threshold_request *request)
{
    return request->is_unsigned ? fmaxf(request->histogram->max, 0) : histogram_abs_max(request->histogram);
}

/* Count of magnitudes in bin k that have codes on the target, and of those that its unsigned codes turn into 0. */
static double kept_count(const struct threshold_request *request, size_t k)
{
    const struct histogram *h = request->histogram;

    return (double)(h->positive[k] + (h->negative != NULL && !request->is_unsigned ? h->negative[k] : 0));
}

static double lost_count(const struct threshold_request *request, size_t k)
{
    const struct histogram *h = request->histogram;

    return h->negative != NULL && request->is_unsigned ? (double)h->negative[k] : 0;
}

/* Integral of (x - v)^2 over [a, b]: ((b - v)^3 - (a - v)^3) / 3, factored so that nothing cancels. */
static double piece_error(double a, double b, double v)
{
    double low = a - v, high = b - v;

    return (b - a) * (high * high + high * low + low * low) / 3;
}

/* One walk up the axis, in units of bins: pieces end at edges of bins and where the code changes, at (code + 1/2) s. */
double threshold_squared_error(const struct threshold_request *request, double threshold)
{
    const struct histogram *h = request->histogram;
    double s = ldexp(threshold, -h->exponent) / request->steps, error = 0;
    int32_t code = 0;

    for (size_t k = 0; k < h->bins; k++) {
        double count = kept_count(request, k), a = (double)k, end = (double)k + 1, inside = 0;

        while (a < end) {
            double change = code < request->steps ? (code + 0.5) * s : INFINITY;
            double b = fmin(end, change);

            if (b > a)
                inside += piece_error(a, b, code * s);
            if (change <= end)
                code++;
            a = fmax(a, b);
        }
        error += count * inside + lost_count(request, k) * piece_error((double)k, end, 0);
    }
    return ldexp(error, 2 * h->exponent);
}

double threshold_clipped_energy(const struct threshold_request *request, double threshold)
{
    const struct histogram *h = request->histogram;
    double limit = ldexp((double)histogram_abs_max(h), -h->exponent), t = ldexp(threshold, -h->exponent);
    double clipped = 0, energy = 0;

    for (size_t k = 0; k < h->bins; k++) {
        double centre = fmin((double)k + 0.5, limit), over = fmax(centre - t, 0);
        double kept = kept_count(request, k), lost = lost_count(request, k);

        clipped += kept * over * over + lost * centre * centre;
        energy += (kept + lost) * centre * centre;
    }
    return energy > 0 ? clipped / energy : 0;
}

/* All magnitudes in the bin of the largest: a constant, as far as the counts can tell. */
static bool is_one_bin(const struct threshold_request *request, float limit)
{
    size_t top = (size_t)ldexp((double)limit, -request->histogram->exponent);

    for (size_t k = 0; k < top; k++) {
        if (kept_count(request, k) > 0)
            return false;
    }
    return true;
}

bool threshold_is_safe(const struct threshold_request *request, double threshold, double safe)
{
    return threshold_clipped_energy(request, threshold) <= max_clipped_energy &&
           threshold_squared_error(request, threshold) <= max_error_ratio * threshold_squared_error(request, safe);
}

/* Puts the mse threshold in the place of one that clips too much. */
static int guard(const struct threshold_method *method, const struct threshold_request *request,
                 struct threshold_found *found, struct error *err)
{
    double threshold = (double)found->threshold;
    struct threshold_found mse = {0};

    if (threshold_method_mse.search(&threshold_method_mse, request, &mse, err) != 0)
        return -1;
    if (!threshold_is_safe(request, threshold, (double)mse.threshold) ||
        (method->minimizes_error && threshold_squared_error(request, threshold) >
                                        threshold_squared_error(request, (double)threshold_limit(request))))
        *found = (struct threshold_found){mse.threshold, "guard"};
    return 0;
}

/* "kl", or "auto (kl)" where another method found it. */
static void name_decision(const char *method, const char *by, char *decided)
{
    if (by == NULL)
        snprintf(decided, PLAN_METHOD_BYTES, "%s", method);
    else
        snprintf(decided, PLAN_METHOD_BYTES, "%s (%s)", method, by);
}

int threshold_decide(const struct threshold_method *method, const struct threshold_request *request, float *threshold,
                     char *decided, struct error *err)
{
    float limit = threshold_limit(request);
    struct threshold_found found = {limit, NULL};
    const char *who = method->name;

    if (limit <= 0) {
        found.threshold = (float)request->steps;
        who = "zero";
    } else if (is_one_bin(request, limit)) {
        who = "minmax";
        found.by = "one bin";
    } else if (method->search(method, request, &found, err) != 0 ||
               (found.threshold < limit && method != &threshold_method_mse && !method->keeps_order &&
                guard(method, request, &found, err) != 0)) {
        return error_in(err, "threshold method %s", method->name);
    } else if (found.by != NULL && strcmp(found.by, "guard") == 0) {
        who = "mse";
    }
    if (found.threshold < (float)request->steps * FLT_MIN) {
        found = (struct threshold_found){(float)request->steps * FLT_MIN, NULL};
        who = "floor";
    }
    *threshold = found.threshold;
    name_decision(who, found.by, decided);
    return 0;
}
