/* observe_lend.c — what was seen of one network, as another that it was watched for would have seen it; see observe.h.
 */
#include "worker/observe.h"

#include <stdlib.h>
#include <string.h>

/* Where the statistics of the other network's value `v` are. */
static size_t place_of(const int *beside, size_t v)
{
    return beside == NULL || beside[v] == GRAPH_NONE ? v : (size_t)beside[v];
}

/* A copy of sums over channels, as they are after every value is divided by 2^(times x exponent). */
static struct exact_sum *scale_sums(const struct exact_sum *from, const struct equalized_value *equalized,
                                    const struct shape *shape, int times, struct error *err)
{
    size_t n = (size_t)shape->dims[1];
    struct exact_sum *sums = memory_create(n, sizeof *sums, "sums of channels", err);

    for (size_t c = 0; sums != NULL && c < n; c++) {
        sums[c] = from[c];
        exact_sum_scale(&sums[c], -times * equalized_exponent(equalized, shape, c));
    }
    return sums;
}

static int lend_values(struct observation *o, const struct observation *of, const int *beside,
                       const struct equalized_value *const *of_value, struct error *err)
{
    for (size_t v = 0; v < o->graph->n_values; v++) {
        o->tensor[v] = of->tensor[place_of(beside, v)];
        o->channels[v] = of->channels[place_of(beside, v)];
        o->sums[v] = of->sums[v];
        if (beside == NULL || of_value[v] == NULL || of->sums[v] == NULL)
            continue;
        o->sums[v] = scale_sums(of->sums[v], of_value[v], &o->graph->values[v].shape, 1, err);
        if (o->sums[v] == NULL)
            return -1;
    }
    return 0;
}

static int lend_extras(struct observation *o, const struct observation *of, const int *beside,
                       const struct equalized_value *const *of_value, struct error *err)
{
    size_t n_values = o->graph->n_values;
    const struct extras *from = of->extras;
    struct extras *extras;

    if (from == NULL)
        return 0;
    extras = o->extras = memory_create(1, sizeof *extras, "statistics", err);
    if (extras == NULL)
        return -1;
    *extras = (struct extras){.graph = o->graph, .kinds = from->kinds, .top_two = from->top_two};
    if (from->extrema != NULL) {
        extras->extrema = memory_create(n_values, sizeof *extras->extrema, "statistics", err);
        for (size_t v = 0; extras->extrema != NULL && v < n_values; v++)
            extras->extrema[v] = from->extrema[place_of(beside, v)];
    }
    if (from->squares != NULL)
        extras->squares = memory_create(n_values, sizeof *extras->squares, "statistics", err);
    if ((from->extrema != NULL && extras->extrema == NULL) || (from->squares != NULL && extras->squares == NULL))
        return -1;
    for (size_t v = 0; extras->squares != NULL && v < n_values; v++) {
        extras->squares[v] = from->squares[v];
        if (beside != NULL && of_value[v] != NULL && from->squares[v] != NULL &&
            (extras->squares[v] = scale_sums(from->squares[v], of_value[v], &o->graph->values[v].shape, 2, err)) ==
                NULL)
            return -1;
    }
    return 0;
}

static int lend_parts(struct observation *o, const struct observation *of, const int *beside, struct error *err)
{
    size_t n_values = o->graph->n_values;

    if (of->parts == NULL)
        return 0;
    o->parts = memory_create(1, sizeof *o->parts, "statistics of parts", err);
    if (o->parts == NULL)
        return -1;
    *o->parts = *of->parts;
    o->parts->n_values = n_values;
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        o->parts->of[p] = NULL;
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        o->parts->of[p] = memory_create(n_values, sizeof *o->parts->of[p], "statistics of parts", err);
        if (o->parts->of[p] == NULL)
            return -1;
        for (size_t v = 0; v < n_values; v++)
            o->parts->of[p][v] = of->parts->of[p][place_of(beside, v)];
    }
    return 0;
}

struct observation *observation_lend(const struct observation *of, const struct graph *graph, const int *beside,
                                     const struct equalized_value *const *of_value, struct error *err)
{
    struct observation *o = memory_create(1, sizeof *o, "statistics", err);
    size_t n = graph->n_values;

    if (o == NULL)
        return NULL;
    *o = (struct observation){
        .graph = graph, .bins = of->bins, .channel_bins = of->channel_bins, .last = n, .lender = of};
    o->ranges = beside == NULL ? of->ranges : NULL;
    o->tensor = memory_create(n, sizeof *o->tensor, "statistics", err);
    o->channels = memory_create(n, sizeof *o->channels, "statistics", err);
    o->sums = memory_create(n, sizeof *o->sums, "statistics", err);
    if (o->tensor != NULL && o->channels != NULL && o->sums != NULL && lend_values(o, of, beside, of_value, err) == 0 &&
        lend_extras(o, of, beside, of_value, err) == 0 && lend_parts(o, of, beside, err) == 0)
        return o;
    observation_return(o);
    return NULL;
}

/* Sums that are not the lender's. */
static void free_scaled(struct exact_sum **sums, struct exact_sum *const *lent, size_t n)
{
    for (size_t v = 0; sums != NULL && v < n; v++)
        if (sums[v] != lent[v])
            free(sums[v]);
    free(sums);
}

void observation_return(struct observation *o)
{
    if (o == NULL)
        return;
    free_scaled(o->sums, o->lender->sums, o->graph->n_values);
    if (o->extras != NULL) {
        free_scaled(o->extras->squares, o->extras->squares == NULL ? NULL : o->lender->extras->squares,
                    o->graph->n_values);
        free(o->extras->extrema);
    }
    for (size_t p = 0; o->parts != NULL && p < OBSERVE_PARTS; p++)
        free(o->parts->of[p]);
    free(o->parts);
    free(o->extras);
    free(o->channels);
    free(o->tensor);
    free(o);
}
