/* kl.c — the threshold whose clipped and coarsened histogram loses the least information (Migacz, GTC 2017 S7310).
 *
 * For i kept bins: P is the counts with the clipped mass added to bin i - 1; Q gives each of L levels the mean of its
 * non-empty bins; D(i) = sum P ln(P / Q), both normalised. Q is constant on the non-empty bins of a level, so with SP
 * all the mass, SQ the mass below i, M_g and n_g mass and non-empty bins of level g (calibration.md section 3):
 *
 *   D(i) = ( sum_{k<i} P_k ln P_k - sum_g (M_g + [g last](SP - SQ)) ln(M_g / n_g) ) / SP + ln(SQ / SP)
 *
 * A level is a run of neighbouring bins, of which there are far fewer (widths 1..bins/L, any start) than candidates
 * times levels: M ln(M / n) of every run is tabulated, and a candidate costs L look-ups. Most candidates cost none:
 * what levels lose is never negative (the log sum inequality), so clipping alone, which costs nothing to compute, is
 * often more than the D of some other candidate. On a MobileNet 0.1 to 33 % of the candidates were left.
 *
 * Two decisions of ours. Levels differ by at most one bin: with equal chunks and the rest in the last level, that one
 * swallows up to L - 1 more bins just below i = multiple of L, which lowers D there and nowhere else. And zeros take no
 * part: after a ReLU they would outweigh everything.
 */
#include "coordinator/thresholds/kl.h"

#include "common/math.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

struct tables {
    size_t bins, widths;
    uint64_t *mass;    /* [bins + 1] counts below bin k */
    uint64_t *filled;  /* [bins + 1] non-empty bins below bin k */
    double *log_whole; /* [bins + 1] ln n for n >= 1 */
    double *runs;      /* [widths + 1][bins] M ln(M / n) of the run of `width` bins that begins at k; 0 where M = 0 */
    double *self;      /* [bins + 1] sum of h ln h below bin k */
    /* One entry per number of kept bins, [bins + 1] */
    double *log_edge; /* ln P_{i-1}: the last kept bin and all that is clipped */
    double *log_last; /* ln of the last level's mass */
    double *log_kept; /* ln SQ */
    double *sums;     /* sum of M ln(M / n) over all levels but the last; where levels are even: of promising ones */
    uint32_t *place, *first, *rest; /* [levels] scratch of next_places; first and rest begin with 0 */
    uint32_t *edges;                /* [levels] scratch of sum_of_one, begins with 0 */
    struct span {
        size_t first, end; /* r of the promising candidates c levels + r, and some between them; else an empty span */
    } * promising;         /* [widths] for every c, where levels are even */
    double least;          /* a D that some candidate has, and a little more */
    void *memory;
};

static int tables_create(struct tables *t, const struct kl_request *request, struct error *err)
{
    size_t edges = request->bins + 1;
    uint64_t *whole;
    double *real;

    *t = (struct tables){.bins = request->bins,
                         .widths = request->grouping == KL_CHUNKS ? 1 : request->bins / request->levels + 1};
    _Static_assert(sizeof(struct span) == 2 * sizeof *real, "all tables are of words");
    t->memory = memory_create(8 * edges + 2 * request->levels + 2 * t->widths + (t->widths + 1) * t->bins, sizeof *real,
                              "the tables of a KL search", err);
    if (t->memory == NULL)
        return -1;
    whole = t->memory;
    t->mass = whole;
    t->filled = whole + edges;
    real = (double *)t->memory + 2 * edges;
    t->log_whole = real;
    t->self = real + edges;
    t->log_edge = real + 2 * edges;
    t->log_last = real + 3 * edges;
    t->log_kept = real + 4 * edges;
    t->sums = real + 5 * edges;
    t->place = (uint32_t *)(real + 6 * edges);
    t->first = t->place + request->levels;
    t->rest = t->first + request->levels;
    t->edges = t->rest + request->levels;
    t->promising = (struct span *)(real + 6 * edges + 2 * request->levels);
    t->runs = real + 6 * edges + 2 * request->levels + 2 * t->widths;
    return 0;
}

/* out[i] = ln(mass[i]), n of them; an empty mass gives 0, which every use multiplies by that mass. */
static void log_masses(const uint64_t *mass, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = mass[i] > 0 ? (double)mass[i] : 1;
    math_log_array(out, out, n);
}

static void fill_run(const struct tables *t, size_t width)
{
    double *run = t->runs + width * t->bins;
    size_t n = t->bins + 1 - width;

    for (size_t k = 0; k < n; k++) /* counts fit: histogram_merge keeps them below 2^63 */
        run[k] = (double)(int64_t)(t->mass[k + width] - t->mass[k]);
    for (size_t k = 0; k < n; k++)
        run[k] = run[k] > 0 ? run[k] : 1;
    math_log_array(run, run, n);
    for (size_t k = 0; k < n; k++) {
        int64_t mass = (int64_t)(t->mass[k + width] - t->mass[k]);

        run[k] = (double)mass * (run[k] - t->log_whole[t->filled[k + width] - t->filled[k]]);
    }
}

/* First bin of the last level when i bins are kept. */
static size_t last_level(const struct kl_request *request, size_t i)
{
    size_t rest = request->levels - 1;

    return request->grouping == KL_CHUNKS ? rest * (i / request->levels) : (rest * i + rest) / request->levels;
}

/* Sum of M ln(M / n) over all levels but the last, for one candidate by itself. Level g begins at bin ceil(g i / L),
 * or, with equal chunks, as if i were the multiple of L below it. */
static double sum_of_one(const struct tables *t, const struct kl_request *request, size_t i)
{
    size_t levels = request->levels, chunk = i / levels, more = request->grouping == KL_CHUNKS ? 0 : i % levels;
    double *logs = t->runs, sum = 0; /* scratch: its first row, of runs without width, is read by nobody else */
    size_t first = 0, rest = 0;      /* ceil(g i / L) and ceil(g i / L) L - g i */

    for (size_t g = 0; g + 1 < levels; g++) {
        size_t end = first + chunk + (rest < more);
        double mass = (double)(int64_t)(t->mass[end] - t->mass[first]);

        logs[g] = mass > 0 ? mass : 1;
        t->edges[g + 1] = (uint32_t)end;
        rest += (rest < more ? levels : 0) - more;
        first = end;
    }
    math_log_array(logs, logs, levels - 1);
    for (size_t g = 0; g + 1 < levels; g++) {
        uint32_t begin = t->edges[g], end = t->edges[g + 1];

        sum += (double)(int64_t)(t->mass[end] - t->mass[begin]) *
               (logs[g] - t->log_whole[t->filled[end] - t->filled[begin]]);
    }
    return sum;
}

/* t->place[r]: where level g begins, ceil(g r / L), and in the row of which width, as an index into t->runs; for g = 0,
 * 1, 2 ... in turn. The end of the level, which is where the next begins, is one further where a multiple of r has
 * passed one of L: Bresenham's line, which divides and rounds nothing. */
static void next_places(const struct tables *t, size_t levels)
{
    uint32_t bins = (uint32_t)t->bins;

    for (uint32_t r = 0; r < levels; r++) {
        uint32_t moves = t->rest[r] < r; /* rest: ceil(g r / L) L - g r */

        t->place[r] = t->first[r] + moves * bins;
        t->first[r] += moves;
        t->rest[r] += moves * (uint32_t)levels - r;
    }
}

/* D(i) less what its levels lose: a lower bound. */
static double clipping_loss(const struct tables *t, const struct kl_request *request, size_t i)
{
    uint64_t total = t->mass[t->bins], kept = t->mass[i], edge = total - t->mass[i - 1];
    double log_mean, own = t->runs[t->bins + i - 1];

    if (kept == 0 || (total > kept && request->counts[i - 1] == 0))
        return INFINITY;
    log_mean = t->log_last[i] - t->log_whole[t->filled[i] - t->filled[last_level(request, i)]];
    return ((double)edge * t->log_edge[i] - own - (double)(total - kept) * log_mean) / (double)total + t->log_kept[i] -
           t->log_kept[t->bins];
}

/* Does candidate c L + r lose more than `least` by clipping and in its first g levels alone? */
static bool has_lost(const struct tables *t, const struct kl_request *request, size_t c, size_t r, size_t g)
{
    size_t i = c * request->levels + r;
    double levels = t->self[g * c + t->first[r]] - t->sums[i];

    return clipping_loss(t, request, i) + levels / (double)t->mass[t->bins] > t->least;
}

/* Takes what has lost after g levels off both ends of every span. */
static void narrow(const struct tables *t, const struct kl_request *request, size_t g)
{
    for (size_t c = 1; c * request->levels <= t->bins; c++) {
        struct span *span = &t->promising[c];

        while (span->first < span->end && has_lost(t, request, c, span->first, g))
            span->first++;
        while (span->first < span->end && has_lost(t, request, c, span->end - 1, g))
            span->end--;
    }
}

/* t->sums[i] of all promising i = c L + r. Level g begins at bin ceil(g i / L) = g c + ceil(g r / L). Going through r
 * for one g, first bins follow one another: so nearly all look-ups are in the first-level cache, and no addition waits
 * for another. */
static void even_sums(const struct tables *t, const struct kl_request *request)
{
    size_t levels = request->levels;

    for (size_t g = 0; g + 1 < levels; g++) {
        if (g == levels / 4)
            narrow(t, request, g);
        next_places(t, levels);
        for (size_t c = 1; c * levels <= t->bins; c++) {
            const double *run = t->runs + c * (t->bins + g); /* of c bins, from g c on; those of c + 1 lie behind */
            struct span span = t->promising[c];
            const uint32_t *place = t->place;
            double *sums = t->sums + c * levels;

#pragma GCC unroll 8
            for (size_t r = span.first; r < span.end; r++)
                sums[r] += run[place[r]];
        }
    }
}

/* With equal chunks level g begins at bin g c whatever r is, so there are only bins / L different sums. */
static void chunk_sums(const struct tables *t, const struct kl_request *request)
{
    size_t levels = request->levels;

    for (size_t c = 1; c * levels <= t->bins; c++) {
        double sum = sum_of_one(t, request, c * levels);

        for (size_t i = c * levels; i < (c + 1) * levels && i <= t->bins; i++)
            t->sums[i] = sum;
    }
}

static void tables_fill(struct tables *t, const struct kl_request *request, uint64_t *scratch)
{
    const uint64_t *counts = request->counts;
    uint64_t total;

    for (size_t k = 0; k < t->bins; k++) {
        t->mass[k + 1] = t->mass[k] + counts[k];
        t->filled[k + 1] = t->filled[k] + (counts[k] > 0);
        scratch[k + 1] = k + 1;
    }
    total = t->mass[t->bins];
    scratch[0] = 0;
    log_masses(scratch, t->log_whole, t->bins + 1);
    fill_run(t, 1);
    for (size_t k = 0; k < t->bins; k++)
        t->self[k + 1] = t->self[k] + t->runs[t->bins + k]; /* runs of one bin: h ln h */

    log_masses(t->mass, t->log_kept, t->bins + 1);
    for (size_t i = 1; i <= t->bins; i++)
        scratch[i] = total - t->mass[i - 1];
    log_masses(scratch, t->log_edge, t->bins + 1);
    for (size_t i = 1; i <= t->bins; i++)
        scratch[i] = t->mass[i] - t->mass[last_level(request, i)];
    log_masses(scratch, t->log_last, t->bins + 1);
}

/* D(i). Where counts are clipped into a bin that Q leaves empty, Q is request->nothing there, by default 0 and D
 * infinite. */
static double divergence_of(const struct tables *t, const struct kl_request *request, size_t i)
{
    uint64_t total = t->mass[t->bins], kept = t->mass[i], clipped = total - kept;
    size_t last = last_level(request, i);
    uint64_t last_filled = t->filled[i] - t->filled[last];
    bool is_hole = clipped > 0 && request->counts[i - 1] == 0;
    double self, levels, log_mean = t->log_last[i] - t->log_whole[last_filled];

    if (kept == 0 || (is_hole && request->nothing == 0))
        return INFINITY;
    self = t->self[i - 1] + (double)(total - t->mass[i - 1]) * t->log_edge[i];
    levels = t->sums[i];
    if (is_hole)
        levels +=
            (double)(kept - t->mass[last]) * log_mean + (double)clipped * (t->log_kept[i] + math_log(request->nothing));
    else
        levels += (double)(kept - t->mass[last] + clipped) * log_mean;
    return (self - levels) / (double)total + t->log_kept[i] - t->log_kept[t->bins];
}

/* ---- which candidates are worth their look-ups ---- */

enum { PROBES = 64 }; /* every so many candidates, one is computed beforehand */

/* Fills t->promising, and the runs that it needs: no other candidate can have the least D. */
static void find_promising(struct tables *t, const struct kl_request *request)
{
    const double rounding = 1e-9; /* of D, sums of some thousand terms: more than it ever is */

    t->least = INFINITY;
    for (size_t i = request->levels; i <= t->bins; i += PROBES * request->step) {
        t->sums[i] = sum_of_one(t, request, i);
        t->least = fmin(t->least, divergence_of(t, request, i) + rounding);
        t->sums[i] = 0;
    }
    if (request->nothing > 0) /* then what clipping loses is no bound */
        t->least = INFINITY;
    for (size_t i = request->levels; i <= t->bins; i++) {
        struct span *span = &t->promising[i / request->levels];
        size_t r = i % request->levels;

        if (clipping_loss(t, request, i) > t->least)
            continue;
        if (span->end == 0)
            span->first = r;
        span->end = r + 1;
    }
    for (size_t width = 2; width <= t->widths; width++)
        if ((width < t->widths && t->promising[width].end > 0) || t->promising[width - 1].end > 0)
            fill_run(t, width);
}

static bool is_promising(const struct tables *t, const struct kl_request *request, size_t i)
{
    const struct span *span = &t->promising[i / request->levels];
    size_t r = i % request->levels;

    return request->grouping == KL_CHUNKS || (r >= span->first && r < span->end);
}

int kl_search(const struct kl_request *request, size_t *kept, double *divergence, struct error *err)
{
    uint64_t *scratch = memory_create(request->bins + 1, sizeof *scratch, "a KL search", err);
    double least = INFINITY;
    struct tables t;

    if (scratch == NULL || tables_create(&t, request, err) != 0) {
        free(scratch);
        return -1;
    }
    tables_fill(&t, request, scratch);
    if (request->grouping == KL_CHUNKS) {
        chunk_sums(&t, request);
    } else {
        find_promising(&t, request);
        even_sums(&t, request);
    }
    *kept = request->bins;
    for (size_t i = request->levels; i <= request->bins; i += request->step) {
        double d = is_promising(&t, request, i) ? divergence_of(&t, request, i) : INFINITY;

        if (d < least || (d == least && request->takes_last && !isinf(d))) {
            least = d;
            *kept = i;
        }
    }
    *divergence = isinf(least) ? 0 : least;
    free(scratch);
    free(t.memory);
    return 0;
}

void kl_rebin(const struct magnitudes *m, uint64_t counts[KL_BINS])
{
    double width = m->limit / KL_BINS;

    counts_resample(m->count, 0, m->limit, width, width, counts, KL_BINS);
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    struct kl_request kl = {.bins = KL_BINS, .levels = (size_t)request->steps + 1, .step = 1, .grouping = KL_EVEN};
    uint64_t counts[KL_BINS];
    struct magnitudes m;
    double divergence;
    size_t kept = KL_BINS;
    int rc = 0;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    kl_rebin(&m, counts);
    kl.counts = counts;
    if (kl.levels < KL_BINS) /* with as many codes as bins there is nothing to lose */
        rc = kl_search(&kl, &kept, &divergence, err);
    if (rc == 0)
        found->threshold = magnitudes_threshold(&m, ((double)kept + 0.5) * m.limit / KL_BINS);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_kl = {
    .name = "kl",
    .summary = "least KL divergence over 2,048 bins, zeros excluded (Migacz, GTC 2017 S7310)",
    .search = search,
};
