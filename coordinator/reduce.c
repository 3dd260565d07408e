/* reduce.c — see reduce.h. */
#include "coordinator/reduce.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNTERS = 1 << 20, /* 8 MiB a message: large enough for bandwidth, small against the statistics */
    SCALARS = 5,              /* n, zeros, nans, positive_infs, negative_infs */
};

struct list {
    struct histogram **items;
    size_t n, capacity;
};

static int add_histograms(struct list *list, struct histogram *h, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (h[i].bins == 0)
            continue;
        if (memory_grow((void **)&list->items, &list->capacity, list->n, sizeof *list->items, "a list of histograms",
                        err) != 0)
            return -1;
        list->items[list->n++] = &h[i];
    }
    return 0;
}

static int add_parts(struct list *list, struct observe_parts *parts, struct error *err)
{
    for (size_t p = 0; parts != NULL && p < OBSERVE_PARTS; p++)
        if (add_histograms(list, parts->of[p], parts->n_values, err) != 0)
            return -1;
    return 0;
}

static int add_top_two(struct list *list, const struct extras *extras, struct error *err)
{
    for (size_t v = 0; extras != NULL && extras->top_two != NULL && v < extras->graph->n_values; v++)
        if (add_histograms(list, &extras->top_two[v].second, 1, err) != 0 ||
            add_histograms(list, &extras->top_two[v].gap, 1, err) != 0)
            return -1;
    return 0;
}

/* All histograms of an observation in a fixed order: the same list on every rank. */
static int list_histograms(struct observation *o, struct list *list, struct error *err)
{
    for (size_t v = 0; v < o->graph->n_values; v++) {
        if (add_histograms(list, &o->tensor[v], 1, err) != 0)
            return -1;
        if (o->channels[v] != NULL &&
            add_histograms(list, o->channels[v], observation_channels(o->graph, (int)v), err) != 0)
            return -1;
    }
    return add_top_two(list, o->extras, err) != 0 ? -1 : add_parts(list, o->parts, err);
}

/* Exponents, extrema, presence of negative halves, scalar counters. `word` holds two int32 per histogram. */
static int reduce_scalars(const struct comm *comm, const struct list *list, struct error *err)
{
    int32_t *word = memory_create(2 * list->n, sizeof *word, "exponents", err);
    float *extreme = memory_create(2 * list->n, sizeof *extreme, "extrema", err);
    uint64_t *scalar = memory_create(SCALARS * list->n, sizeof *scalar, "counters", err);
    int rc = word != NULL && extreme != NULL && scalar != NULL ? 0 : -1;

    rc = comm_agree(comm, rc, err);
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        const struct histogram *h = list->items[i];

        word[2 * i] = h->exponent;
        word[2 * i + 1] = h->negative != NULL;
        extreme[2 * i] = h->max;
        extreme[2 * i + 1] = -h->min;
        memcpy(scalar + SCALARS * i, (uint64_t[SCALARS]){h->n, h->zeros, h->nans, h->positive_infs, h->negative_infs},
               SCALARS * sizeof *scalar);
    }
    if (rc == 0) {
        comm_max_int32(comm, word, 2 * list->n);
        comm_max_float(comm, extreme, 2 * list->n);
        comm_sum_uint64(comm, scalar, SCALARS * list->n);
    }
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        struct histogram *h = list->items[i];
        const uint64_t *s = scalar + SCALARS * i;

        histogram_fold_to(h, word[2 * i]);
        if (word[2 * i + 1] != 0 && h->negative == NULL)
            h->negative = memory_create(h->bins, sizeof *h->negative, "a negative half", err);
        rc = word[2 * i + 1] != 0 && h->negative == NULL ? -1 : 0;
        h->max = extreme[2 * i];
        h->min = -extreme[2 * i + 1];
        h->n = s[0];
        h->zeros = s[1];
        h->nans = s[2];
        h->positive_infs = s[3];
        h->negative_infs = s[4];
    }
    free(word);
    free(extreme);
    free(scalar);
    return comm_agree(comm, rc, err);
}

/* One half (positive or negative) of all histograms, in batches of whole histograms. */
static int reduce_counts(const struct comm *comm, const struct list *list, bool is_negative, struct error *err)
{
    size_t most = BATCH_COUNTERS;
    uint64_t *batch;
    int rc;

    for (size_t i = 0; i < list->n; i++)
        most = list->items[i]->bins > most ? list->items[i]->bins : most;
    batch = memory_create(most, sizeof *batch, "a batch of counters", err);
    rc = comm_agree(comm, batch != NULL ? 0 : -1, err);
    for (size_t i = 0; rc == 0 && i < list->n;) {
        size_t first = i, used = 0, at = 0;

        for (; i < list->n && used + list->items[i]->bins <= most; i++) {
            const struct histogram *h = list->items[i];
            const uint64_t *from = is_negative ? h->negative : h->positive;

            if (from == NULL)
                continue;
            memcpy(batch + used, from, h->bins * sizeof *batch);
            used += h->bins;
        }
        comm_sum_uint64(comm, batch, used);
        for (size_t j = first; j < i; j++) {
            struct histogram *h = list->items[j];
            uint64_t *to = is_negative ? h->negative : h->positive;

            if (to == NULL)
                continue;
            memcpy(to, batch + at, h->bins * sizeof *batch);
            at += h->bins;
        }
    }
    free(batch);
    return rc;
}

/* ---- exact sums: limbs below 2^32 leave room for 2^31 ranks in a word ---- */

struct words {
    int64_t *at;
    size_t n;
};

/* Sums and squares of all values in a fixed order, and extrema: the same list on every rank. *list ends with the
 * caller.
 */
static int list_words(struct observation *o, struct words **list, size_t *n, struct error *err)
{
    struct extras *extras = o->extras;

    _Static_assert(sizeof(struct record_extrema) % sizeof(int64_t) == 0,
                   "words only, so that they can be summed as such");
    *n = 0;
    *list = memory_create(2 * o->graph->n_values + 1, sizeof **list, "a list of sums", err);
    for (size_t v = 0; *list != NULL && v < o->graph->n_values; v++) {
        if (o->sums[v] != NULL)
            (*list)[(*n)++] =
                (struct words){(int64_t *)o->sums[v], observation_channels(o->graph, (int)v) * EXACT_SUM_LIMBS};
        if (extras != NULL && extras_n_squares(extras, (int)v) > 0)
            (*list)[(*n)++] =
                (struct words){(int64_t *)extras->squares[v], extras_n_squares(extras, (int)v) * EXACT_SUM_LIMBS};
    }
    if (*list != NULL && extras != NULL && extras->extrema != NULL)
        (*list)[(*n)++] =
            (struct words){(int64_t *)extras->extrema, o->graph->n_values * sizeof *extras->extrema / sizeof(int64_t)};
    return *list == NULL ? -1 : 0;
}

static void normalise_sums(struct observation *o)
{
    for (size_t v = 0; v < o->graph->n_values; v++)
        for (size_t c = 0; o->sums[v] != NULL && c < observation_channels(o->graph, (int)v); c++)
            exact_sum_normalise(&o->sums[v][c]);
    if (o->extras != NULL)
        extras_normalise(o->extras);
}

/* Words [first, first + n) of all of them, one list after the other, to `batch` or from it. */
static void copy_words(const struct words *list, size_t first, size_t n, int64_t *batch, bool is_back)
{
    for (size_t done = 0; done < n; list++) {
        size_t count = first < list->n ? list->n - first : 0;

        count = count < n - done ? count : n - done;
        if (count > 0 && is_back)
            memcpy(list->at + first, batch + done, count * sizeof *batch);
        else if (count > 0)
            memcpy(batch + done, list->at + first, count * sizeof *batch);
        done += count;
        first = first < list->n ? 0 : first - list->n;
    }
}

/* Together, for a message each would be hundreds of small ones, for which MPI sends three times as much. */
static int reduce_sums(const struct comm *comm, struct observation *o, struct error *err)
{
    struct words *list = NULL;
    int64_t *batch = NULL;
    size_t n = 0, total = 0;
    int rc = list_words(o, &list, &n, err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        total += list[i].n;
    if (rc == 0)
        batch = memory_create(total < BATCH_COUNTERS ? total : BATCH_COUNTERS, sizeof *batch, "a batch of sums", err);
    rc = comm_agree(comm, batch == NULL ? -1 : 0, err);
    if (rc == 0)
        normalise_sums(o);
    for (size_t first = 0; rc == 0 && comm->size > 1 && first < total; first += BATCH_COUNTERS) {
        size_t count = total - first < BATCH_COUNTERS ? total - first : BATCH_COUNTERS;

        copy_words(list, first, count, batch, false);
        comm_sum_int64(comm, batch, count);
        copy_words(list, first, count, batch, true);
    }
    if (rc == 0)
        normalise_sums(o);
    free(batch);
    free(list);
    return rc;
}

/* Collective. rc is this rank's verdict on the list, which ends here. */
static int reduce_list(const struct comm *comm, struct list *list, int rc, struct error *err)
{
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && comm->size > 1) {
        rc = reduce_scalars(comm, list, err);
        if (rc == 0)
            rc = reduce_counts(comm, list, false, err);
        if (rc == 0)
            rc = reduce_counts(comm, list, true, err);
    }
    for (size_t i = 0; rc == 0 && i < list->n; i++)
        rc = histogram_check(list->items[i], err);
    free(list->items);
    return comm_agree(comm, rc, err);
}

int reduce_observation(const struct comm *comm, struct observation *observation, struct error *err)
{
    struct list list = {0};
    int rc = list_histograms(observation, &list, err);

    rc = reduce_list(comm, &list, rc, err);
    if (rc == 0)
        rc = reduce_sums(comm, observation, err);
    if (rc == 0 && observation->parts != NULL)
        comm_sum_uint64(comm, observation->parts->n_records, OBSERVE_PARTS);
    return rc;
}

int reduce_parts(const struct comm *comm, struct observe_parts *parts, struct error *err)
{
    struct list list = {0};
    int rc = add_parts(&list, parts, err);

    rc = reduce_list(comm, &list, rc, err);
    if (rc == 0)
        comm_sum_uint64(comm, parts->n_records, OBSERVE_PARTS);
    return rc;
}

void reduce_ranges(const struct comm *comm, struct ranges *ranges)
{
    for (size_t v = 0; v < ranges->graph->n_values; v++)
        comm_sum_uint64(comm, ranges->values[v].counts, ranges->values[v].n * RANGE_BINS);
}

_Static_assert(sizeof(struct value_error) % sizeof(int64_t) == 0,
               "errors are words only, so that they can be summed as such");

enum { MAXIMA = 1 + METRICS_CODES }; /* of a value: the largest error, and a flag for each code */

/* What is not summed. `maxima`: [n][MAXIMA]; leaves zeros in the errors, so that summing them does no harm. */
static void take_maxima(struct value_error *errors, size_t n, int32_t *maxima)
{
    for (size_t i = 0; i < n; i++, maxima += MAXIMA) {
        maxima[0] = (int32_t)errors[i].largest; /* bits of a float >= 0 */
        for (size_t code = 0; code < METRICS_CODES; code++)
            maxima[1 + code] = (int32_t)(errors[i].used[code / 64] >> code % 64 & 1);
        errors[i].largest = 0;
        memset(errors[i].used, 0, sizeof errors[i].used);
    }
}

static void put_maxima(struct value_error *errors, size_t n, const int32_t *maxima)
{
    for (size_t i = 0; i < n; i++, maxima += MAXIMA) {
        errors[i].largest = (uint64_t)maxima[0];
        for (size_t code = 0; code < METRICS_CODES; code++)
            errors[i].used[code / 64] |= (uint64_t)maxima[1 + code] << code % 64;
    }
}

int reduce_errors(const struct comm *comm, struct value_error *errors, size_t n, struct error *err)
{
    int32_t *maxima = memory_create(n, MAXIMA * sizeof *maxima, "errors", err);

    if (comm_agree(comm, maxima == NULL ? -1 : 0, err) != 0) {
        free(maxima);
        return -1;
    }
    /* The struct holds nothing but 64-bit counters and limbs. */
    take_maxima(errors, n, maxima);
    for (size_t i = 0; i < n; i++)
        value_error_normalise(&errors[i]);
    comm_sum_int64(comm, (int64_t *)errors, n * sizeof *errors / sizeof(int64_t));
    comm_max_int32(comm, maxima, n * MAXIMA);
    for (size_t i = 0; i < n; i++)
        value_error_normalise(&errors[i]);
    put_maxima(errors, n, maxima);
    free(maxima);
    return 0;
}

void reduce_metrics(const struct comm *comm, const struct metric_task *task, uint64_t *state)
{
    metrics_normalise(task, state);
    comm_sum_uint64(comm, state, metrics_words(task)); /* sums of signed limbs as well: modulo 2^64 */
    metrics_normalise(task, state);
}
