/* sweep.c — the scale with the least squared error of all: exact, by sweeping the points where a code changes.
 *
 * As the scale a falls, the code of magnitude x rises from m to m + 1 at a = x / (m + 1/2), m = 0 .. limit - 1, and nothing
 * changes in between. For the codes q of one interval the best scale is A / D with A = sum x q, D = sum q^2, and the error
 * there is sum x^2 - A^2 / D. It need not lie inside the interval: E(a) = min over q of ||x - a q||^2 bounds it from below
 * anyway, and is met at the optimum. So the optimum is the largest A^2 / D met on the way (calibration.md section 8).
 *
 * Not all breakpoints matter. With E0 the error of max-abs,
 * - E(a) >= sum of (x - limit a)^2 over x > limit a, which grows as a falls: below where it reaches E0 nothing is gained;
 * - E(a) >= sum of x^2 over x < a / 2, which grows with a: nothing is gained above where that reaches E0.
 * That leaves about a quarter of n x limit for weights like a network's. They are taken in windows of falling a, so that memory
 * stays proportional to n, and sorted by radix within each; equal keys may come in any order, since every state on the way is
 * the error of real codes and can only be too large.
 */
#include "coordinator/weights.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 13, /* radix: 32 KiB of counters; two digits span 8 octaves of scale, narrow() leaves two or three */
    DIGITS = 1 << DIGIT_BITS,
    WINDOW_EVENTS = 1 << 20, /* 16 MiB of buffers; a channel of 4,608 weights has about 150,000 */
};

struct breakpoint {
    uint32_t key;   /* falls as the scale rises; positive floats order like their bits */
    uint32_t index; /* whose code rises by one */
};

/* One group, scaled by a power of two so that 1 <= max x < 2: no result depends on the unit. */
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

/* A scale from which on, going away from `start`, `bound_at` stays at or above `error`; at most 1/64 of an octave further
 * than need be. `factor` (1/2 or 2) is the way to go, 40 octaves at most: nothing is left to decide out there. */
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

/* Keeps the present codes if they are the best so far: A^2 / D, without dividing. */
static inline void consider(struct sweep *sweep)
{
    if (sweep->correlation * sweep->correlation * sweep->best_power >
        sweep->best_correlation * sweep->best_correlation * sweep->power) {
        sweep->best_correlation = sweep->correlation;
        sweep->best_power = sweep->power;
    }
}

static void start_at(struct sweep *sweep, double a)
{
    for (size_t i = 0; i < sweep->n; i++) {
        double x = (double)sweep->x[i], code = floor(fmin(x / a + 0.5, sweep->limit));

        sweep->code[i] = (uint8_t)code;
        sweep->correlation += x * code;
        sweep->power += code * code;
    }
    sweep->best_power = 1;
    if (sweep->power > 0)
        consider(sweep);
}

static inline double next_change(const struct sweep *sweep, size_t i, int32_t code)
{
    return code < sweep->limit ? (double)sweep->x[i] / (code + 0.5) : 0;
}

static uint32_t float_bits(double a)
{
    float rounded = (float)a;
    uint32_t bits;

    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

/* All breakpoints above `end` that have not been passed yet; none is above `begin`. */
static int collect(struct sweep *sweep, double begin, double end, struct error *err)
{
    uint32_t first_key = float_bits(begin);
    size_t n = 0;

    for (size_t i = 0; i < sweep->n; i++) {
        int32_t code = sweep->code[i];

        for (double a; (a = next_change(sweep, i, code)) > end; code++) {
            if (n == sweep->capacity) {
                size_t capacity = sweep->capacity;

                if (memory_grow((void **)&sweep->events, &capacity, n, sizeof *sweep->events, "breakpoints", err) != 0 ||
                    memory_grow((void **)&sweep->sorted, &sweep->capacity, n, sizeof *sweep->sorted, "breakpoints", err))
                    return -1;
            }
            sweep->events[n++] = (struct breakpoint){first_key - float_bits(fmin(a, begin)), (uint32_t)i};
        }
    }
    sweep->n_events = n;
    return 0;
}

static void sort(struct sweep *sweep, uint32_t last_key)
{
    for (unsigned shift = 0; last_key >> shift != 0; shift += DIGIT_BITS) {
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

static void walk(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->n_events; i++) {
        uint32_t index = sweep->events[i].index;
        int32_t code = sweep->code[index]++;

        sweep->correlation += (double)sweep->x[index];
        sweep->power += 2 * code + 1; /* (code + 1)^2 - code^2 */
        consider(sweep);
    }
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
        weight_scale_improve(w, n, limit, ldexp(sweep->best_correlation / sweep->best_power, exponent), scale);
        rc = 0;
    }
    sweep_destroy(sweep);
    return rc;
}

const struct weight_method weight_method_sweep = {
    .name = "sweep",
    .summary = "least squared error of all scales, exact breakpoint sweep (default)",
    .search = search,
};
