/* compare_statistics.c — how far the distributions of values moved; see compare.h. */
#include "coordinator/compare_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The distribution function of what is finite, summed up bin by bin. */
struct steps {
    const struct histogram *h;
    uint64_t below; /* elements up to here */
    double total;
};

/* Bin k of the negative half counts downwards from zero; beyond the last there is nothing. */
static void step(struct steps *s, const uint64_t *counts, size_t k)
{
    s->below += counts != NULL && k < s->h->bins ? counts[k] : 0;
}

static double difference(const struct steps *a, const struct steps *b)
{
    return fabs((double)a->below / a->total - (double)b->below / b->total);
}

static double count_finite(const struct histogram *h)
{
    return (double)(h->n - h->nans - h->positive_infs - h->negative_infs);
}

/* Of two histograms whose bins have one width. */
static double largest_difference(const struct histogram *x, const struct histogram *y)
{
    struct steps a = {x, 0, count_finite(x)}, b = {y, 0, count_finite(y)};
    size_t bins = x->bins > y->bins ? x->bins : y->bins;
    double most = 0;

    if (a.total == 0 || b.total == 0)
        return a.total == b.total ? 0 : 1;
    for (size_t k = bins; k-- > 0;) {
        step(&a, x->negative, k);
        step(&b, y->negative, k);
        most = fmax(most, difference(&a, &b));
    }
    a.below += x->zeros;
    b.below += y->zeros;
    most = fmax(most, difference(&a, &b));
    for (size_t k = 0; k < bins; k++) {
        step(&a, x->positive, k);
        step(&b, y->positive, k);
        most = fmax(most, difference(&a, &b));
    }
    return most;
}

/* Folding changes them, so copies are compared. */
static int find_distance(const struct histogram *a, const struct histogram *b, double *distance, struct error *err)
{
    struct histogram x = {0}, y = {0};
    int rc = histogram_init(&x, a->bins, err) != 0 || histogram_init(&y, b->bins, err) != 0 ||
                     histogram_merge(&x, a, err) != 0 || histogram_merge(&y, b, err) != 0
                 ? -1
                 : 0;

    if (rc == 0) {
        int32_t exponent = x.exponent > y.exponent ? x.exponent : y.exponent;

        histogram_fold_to(&x, exponent);
        histogram_fold_to(&y, exponent);
        *distance = largest_difference(&x, &y);
    }
    histogram_fini(&x);
    histogram_fini(&y);
    return rc;
}

static int index_values(struct name_index *index, const struct archive *archive, struct arena *arena, struct error *err)
{
    if (name_index_init(index, archive->n_values, arena, err) != 0)
        return -1;
    for (size_t v = 0; v < archive->n_values; v++)
        index->places[v] = (struct name_place){archive->values[v].name, v};
    name_index_sort(index);
    return 0;
}

static void describe(struct compared_value *value, int side, const struct histogram *h)
{
    value->at[side].elements = h->n;
    value->at[side].min = h->min;
    value->at[side].max = h->max;
    value->at[side].zeros = h->n == 0 ? 0 : (double)h->zeros / (double)h->n;
}

static int by_distance(const void *a, const void *b)
{
    const struct compared_value *x = a, *y = b;
    int order = compare_descending(x->distance, y->distance);

    return order != 0 ? order : strcmp(x->name, y->name);
}

int compare_statistics(struct comparison *c, struct error *err)
{
    const struct archive *a = &c->sides[BEFORE].archive, *b = &c->sides[AFTER].archive;
    struct name_index of_a, of_b;

    c->values = arena_create_array(c->arena, a->n_values + 1, sizeof *c->values, err);
    c->lost = arena_create_array(c->arena, a->n_values + 1, sizeof *c->lost, err);
    c->added = arena_create_array(c->arena, b->n_values + 1, sizeof *c->added, err);
    if (c->values == NULL || c->lost == NULL || c->added == NULL || index_values(&of_a, a, c->arena, err) != 0 ||
        index_values(&of_b, b, c->arena, err) != 0)
        return -1;
    for (size_t v = 0; v < a->n_values; v++) {
        size_t w = name_index_find(&of_b, a->values[v].name);
        struct compared_value *value = &c->values[c->n_values];

        if (w == b->n_values) {
            c->lost[c->n_lost++] = a->values[v].name;
            continue;
        }
        value->name = a->values[v].name;
        describe(value, BEFORE, &a->values[v].histogram);
        describe(value, AFTER, &b->values[w].histogram);
        if (find_distance(&a->values[v].histogram, &b->values[w].histogram, &value->distance, err) != 0)
            return -1;
        c->n_values++;
    }
    for (size_t w = 0; w < b->n_values; w++)
        if (name_index_find(&of_a, b->values[w].name) == a->n_values)
            c->added[c->n_new++] = b->values[w].name;
    qsort(c->values, c->n_values, sizeof *c->values, by_distance);
    return 0;
}
