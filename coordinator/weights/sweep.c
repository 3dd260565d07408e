/* sweep.c — the scale with the least squared error of all: exact, by sweeping the points where a code changes.
 *
 * As the scale a falls, the code of magnitude x rises from m to m + 1 at a = x / (m + 1/2), m = 0 .. limit - 1, and
 * nothing changes in between. For the codes q of one interval the best scale is A / D with A = sum x q, D = sum q^2,
 * and the error there is sum x^2 - A^2 / D. It need not lie inside the interval: E(a) = min over q of ||x - a q||^2
 * bounds it from below anyway, and is met at the optimum. So the optimum is the largest A^2 / D met on the way
 * (calibration.md section 8).
 *
 * Not all breakpoints matter. With E0 the error of max-abs,
 * - E(a) >= sum of (x - limit a)^2 over x > limit a, which grows as a falls: below where it reaches E0 nothing is
 * gained;
 * - E(a) >= sum of x^2 over x < a / 2, which grows with a: nothing is gained above where that reaches E0.
 * That leaves about a quarter of n x limit for weights like a network's. They are taken in windows of falling a, so
 * that memory stays proportional to n, and sorted by radix within each; equal keys may come in any order, since every
 * state on the way is the error of real codes and can only be too large.
 */
#include "coordinator/weights.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 13, /* radix: 32 KiB of counters; two digits span 8 octaves of scale, usually two or three are left */
    DIGITS = 1 << DIGIT_BITS,
    WINDOW_EVENTS = 1 << 20, /* 16 MiB of buffers; a channel of 4,608 weights has about 150,000 */
};

struct breakpoint {
    uint32_t key;   /* falls as the scale rises; positive floats order like their bits */
    uint32_t index; /* whose code rises by one */
};

/* One group in units of a power of two, so that the max-abs scale times limit is in [1, 2): no result depends on the
 * unit. */
struct sweep {
    float *x;      /* [n] magnitudes */
    uint8_t *code; /* [n] at the present scale */
    size_t n;
    int32_t limit;
    double correlation, power;           /* A and D of the present codes */
    double best_correlation, best_power; /* of the largest A^2 / D so far */
    struct breakpoint *events, *sorted;  /* [capacity] */
    size_t n_events, capacity;
    uint32_t counts[DIGITS];
};

/* The lower bounds of E(a) in the file's comment. */
static double clipped_error(const struct sweep *sweep, double a)
{
    double error = 0, end = sweep->limit * a;

    for (size_t i = 0; i < sweep->n; i++) {
        double over = (double)sweep->x[i] - end;

        error += over > 0 ? over * over : 0;
    }
    return error;
}

static double vanished_error(const struct sweep *sweep, double a)
{
    double error = 0;

    for (size_t i = 0; i < sweep->n; i++) {
        double x = (double)sweep->x[i];

        error += x < a / 2 ? x * x : 0;
    }
    return error;
}

/* A scale from which on, going away from `start`, `bound_at` stays at or above `error`; at most 1/64 of an octave
 * further than need be. `factor` (1/2 or 2) is the way to go, 40 octaves at most: nothing is left to decide out there.
 */
static double find_end(const struct sweep *sweep, double (*bound_at)(const struct sweep *, double), double error,
                       double start, double factor)
{
    enum { OCTAVES = 40, BISECTIONS = 6 };
    double inside = start, outside = start * factor;

    for (int i = 0; i < OCTAVES && bound_at(sweep, outside) < error; i++) {
        inside = outside;
        outside *= factor;
    }
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (inside + outside) / 2;

        if (bound_at(sweep, middle) < error)
            inside = middle;
        else
            outside = middle;
    }
    return outside;
}

static int32_t code_at(const struct sweep *sweep, size_t i, double a)
{
    return (int32_t)fmin((double)sweep->x[i] / a + 0.5, sweep->limit);
}

static void start_at(struct sweep *sweep, double a)
{
    for (size_t i = 0; i < sweep->n; i++) {
        double x = (double)sweep->x[i], code = code_at(sweep, i, a);

        sweep->code[i] = (uint8_t)code;
        sweep->correlation += x * code;
        sweep->power += code * code;
    }
    sweep->best_correlation = sweep->correlation;
    sweep->best_power = fmax(sweep->power, 1); /* no codes yet: A^2 / D is 0 */
}

static uint32_t float_bits(double a)
{
    float rounded = (float)a;
    uint32_t bits;

    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

static int reserve(struct sweep *sweep, size_t n, struct error *err)
{
    sweep->n_events = n;
    if (n <= sweep->capacity)
        return 0;
    free(sweep->events);
    free(sweep->sorted);
    sweep->capacity = n;
    sweep->events = memory_create(n, sizeof *sweep->events, "the breakpoints of a weight sweep", err);
    sweep->sorted = memory_create(n, sizeof *sweep->sorted, "the breakpoints of a weight sweep", err);
    return sweep->events != NULL && sweep->sorted != NULL ? 0 : -1;
}

/* The breakpoints that lead from the present codes, those of scale `begin`, to those of scale `end`. */
static int collect(struct sweep *sweep, double begin, double end, struct error *err)
{
    uint32_t first_key = float_bits(begin);
    struct breakpoint *next;
    size_t n = 0;

    for (size_t i = 0; i < sweep->n; i++)
        n += (size_t)(code_at(sweep, i, end) - sweep->code[i]);
    if (reserve(sweep, n, err) != 0)
        return -1;
    next = sweep->events;
    for (size_t i = 0; i < sweep->n; i++) {
        int32_t last = code_at(sweep, i, end);

        for (int32_t code = sweep->code[i]; code < last; code++) {
            double a = fmin(fmax((double)sweep->x[i] / (code + 0.5), end), begin);

            *next++ = (struct breakpoint){first_key - float_bits(a), (uint32_t)i};
        }
    }
    return 0;
}

static void sort(struct sweep *sweep, uint32_t last_key)
{
    for (unsigned shift = 0; shift < 32 && last_key >> shift != 0; shift += DIGIT_BITS) {
        struct breakpoint *swap = sweep->events;
        uint32_t place = 0;

        memset(sweep->counts, 0, sizeof sweep->counts);
        for (size_t i = 0; i < sweep->n_events; i++)
            sweep->counts[sweep->events[i].key >> shift & (DIGITS - 1)]++;
        for (size_t digit = 0; digit < DIGITS; digit++) {
            uint32_t count = sweep->counts[digit];

            sweep->counts[digit] = place;
            place += count;
        }
        for (size_t i = 0; i < sweep->n_events; i++)
            sweep->sorted[sweep->counts[sweep->events[i].key >> shift & (DIGITS - 1)]++] = sweep->events[i];
        sweep->events = sweep->sorted;
        sweep->sorted = swap;
    }
}

/* Passes the breakpoints; A^2 / D is compared without dividing. */
static void walk(struct sweep *sweep)
{
    double correlation = sweep->correlation, power = sweep->power;
    double best_correlation = sweep->best_correlation, best_power = sweep->best_power;

    for (size_t i = 0; i < sweep->n_events; i++) {
        uint32_t index = sweep->events[i].index;
        int32_t code = sweep->code[index]++;

        correlation += (double)sweep->x[index];
        power += 2 * code + 1; /* (code + 1)^2 - code^2 */
        if (correlation * correlation * best_power > best_correlation * best_correlation * power) {
            best_correlation = correlation;
            best_power = power;
        }
    }
    sweep->correlation = correlation;
    sweep->power = power;
    sweep->best_correlation = best_correlation;
    sweep->best_power = best_power;
}

/* From scale `begin` down to `end`. About sum x / a breakpoints lie above a: windows are equal steps of 1 / a. */
static int run(struct sweep *sweep, double begin, double end, struct error *err)
{
    double budget = fmax(WINDOW_EVENTS, (double)sweep->n / 2), sum = 0, a = begin;

    for (size_t i = 0; i < sweep->n; i++)
        sum += (double)sweep->x[i];
    start_at(sweep, begin);
    while (a > end) {
        double next = fmax(end, 1 / (1 / a + budget / sum));

        if (collect(sweep, a, next, err) != 0)
            return -1;
        sort(sweep, float_bits(a) - float_bits(next));
        walk(sweep);
        a = next;
    }
    return 0;
}

/* Magnitudes of w in units of 2^exponent. */
static int sweep_init(struct sweep *sweep, const float *w, size_t n, int32_t limit, int exponent, struct error *err)
{
    sweep->x = memory_create(n, sizeof *sweep->x, "weight magnitudes", err);
    sweep->code = memory_create(n, sizeof *sweep->code, "weight codes", err);
    if (sweep->x == NULL || sweep->code == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        sweep->x[i] = (float)ldexp(fabs((double)w[i]), -exponent);
    sweep->n = n;
    sweep->limit = limit;
    return 0;
}

/* The best scale found, in the sweep's unit. Where all codes there fit into the range k times over, a k-th of it shows
 * the same weights just as well, and gives the accumulator finer steps for the bias: {0.5, 0.25} is 126 and 63, not 2
 * and 1. */
static double finest_best(const struct sweep *sweep)
{
    double a = sweep->best_correlation / sweep->best_power, largest = 0, top;

    for (size_t i = 0; i < sweep->n; i++)
        largest = fmax(largest, (double)sweep->x[i]);
    top = fmin(floor(largest / a + 0.5), sweep->limit);
    return top >= 1 ? a / floor(sweep->limit / top) : a;
}

static void sweep_destroy(struct sweep *sweep)
{
    free(sweep->x);
    free(sweep->code);
    free(sweep->events);
    free(sweep->sorted);
    free(sweep);
}

static int search(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    struct sweep *sweep;
    double error, start;
    int exponent, rc = -1;

    if (weight_scale_max_abs(w, n, limit, scale, err) != 0)
        return -1;
    error = weight_codes(w, n, limit, *scale, NULL);
    if (error == 0) /* nothing to gain; also the group of zeros */
        return 0;
    sweep = memory_create(1, sizeof *sweep, "a weight sweep", err);
    if (sweep == NULL)
        return -1;
    frexp((double)*scale * limit, &exponent);
    exponent--;
    start = ldexp((double)*scale, -exponent);
    error = ldexp(error, -2 * exponent);
    if (sweep_init(sweep, w, n, limit, exponent, err) == 0 &&
        run(sweep, find_end(sweep, vanished_error, error, start, 2), find_end(sweep, clipped_error, error, start, 0.5),
            err) == 0) {
        weight_scale_improve(w, n, limit, ldexp(finest_best(sweep), exponent), scale);
        rc = 0;
    }
    sweep_destroy(sweep);
    return rc;
}

const struct weight_method weight_method_sweep = {
    .name = "sweep",
    .summary = "least squared error of all scales, exact breakpoint sweep (default)",
    .beats_max_abs = true,
    .search = search,
};
