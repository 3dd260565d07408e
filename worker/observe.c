/* observe.c — see observe.h. */
#include "worker/observe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool observation_covers(const struct graph *graph, int value)
{
    const struct value *v = &graph->values[value];

    return !v->is_constant && v->dtype == DTYPE_FLOAT32;
}

size_t observation_channels(const struct graph *graph, int value)
{
    const struct shape *shape = &graph->values[value].shape;

    return shape->rank < 2 ? 1 : (size_t)shape->dims[1];
}

static int create_channels(struct observation *o, int value, struct error *err)
{
    size_t n = observation_channels(o->graph, value);

    o->channels[value] = memory_create(n, sizeof(struct histogram), "per-channel histograms", err);
    if (o->channels[value] == NULL)
        return -1;
    for (size_t c = 0; c < n; c++)
        if (histogram_init(&o->channels[value][c], o->channel_bins, err) != 0)
            return -1;
    o->counters[value] = histogram_channels_create(o->channels[value], err);
    return o->counters[value] == NULL ? -1 : 0;
}

/* What observation_derive fills in: from the values that a rearranging node reads, or a tensor from its own channels.
 */
enum { DERIVED_TENSOR = 1, DERIVED_CHANNELS = 2, DERIVED_SUMS = 4, DERIVED_FROM_CHANNELS = 8 };

/* Does the node's output hold exactly the numbers of its inputs, all of them observed? */
static bool only_rearranges(const struct observation *o, const struct node *node)
{
    if (node->op != OP_CONCAT && node->op != OP_RESHAPE && node->op != OP_TRANSPOSE)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == GRAPH_NONE || !observation_covers(o->graph, node->inputs[i]))
            return false;
    return observation_covers(o->graph, node->outputs[0]);
}

/* A concat along channels also has its inputs' channels, one after the other. */
static bool joins_channels(const struct node *node)
{
    return node->op == OP_CONCAT && node->attr.axis == 1;
}

static void want_sums_of(const struct observation *o, int value, bool *wants)
{
    wants[value] = wants[value] || observation_covers(o->graph, value);
}

/* Sums are kept of the inputs of layers with weights: their means tell how far rounded weights move an output. From the
 * last node to the first, so that a concat hands the wish on to its inputs, and those to theirs. */
static void mark_sums(const struct observation *o, bool *wants)
{
    for (size_t n = o->graph->n_nodes; n-- > 0;) {
        const struct node *node = &o->graph->nodes[n];
        bool hands_on = only_rearranges(o, node) && joins_channels(node) && wants[node->outputs[0]];

        if (node->op == OP_CONV || node->op == OP_DENSE)
            want_sums_of(o, node->inputs[0], wants);
        for (size_t i = 0; hands_on && i < node->n_inputs; i++)
            want_sums_of(o, node->inputs[i], wants);
    }
}

static int create_sums(struct observation *o, struct error *err)
{
    bool *wants = memory_create(o->graph->n_values, sizeof *wants, "sums of channels", err);
    size_t most = 1;
    int rc = wants == NULL ? -1 : 0;

    if (rc == 0)
        mark_sums(o, wants);
    for (size_t v = o->first; rc == 0 && v < o->last; v++) {
        size_t channels = observation_channels(o->graph, (int)v);

        if (!wants[v])
            continue;
        most = channels > most ? channels : most;
        o->sums[v] = memory_create(channels, sizeof **o->sums, "sums of channels", err);
        rc = o->sums[v] == NULL ? -1 : 0;
    }
    free(wants);
    if (rc == 0)
        o->scratch = memory_create(most, sizeof *o->scratch, "sums of channels", err);
    return o->scratch == NULL ? -1 : 0;
}

/* Histograms of equal bins add up exactly, so channels as fine as their tensor are all that has to be counted. */
static bool is_sum_of_channels(const struct observation *o, size_t value)
{
    return o->channels[value] != NULL && !observation_has_wholes(o->bins, o->channel_bins);
}

static void mark_derived(struct observation *o)
{
    for (size_t v = 0; v < o->graph->n_values; v++)
        if (is_sum_of_channels(o, v))
            o->derived[v] = DERIVED_TENSOR | DERIVED_FROM_CHANNELS;
    for (size_t n = 0; n < o->graph->n_nodes; n++) {
        const struct node *node = &o->graph->nodes[n];

        if (only_rearranges(o, node) && (joins_channels(node) || o->derived[node->outputs[0]] == 0))
            o->derived[node->outputs[0]] =
                (uint8_t)(DERIVED_TENSOR | (joins_channels(node) ? DERIVED_CHANNELS | DERIVED_SUMS : 0));
    }
}

/* The channels of one input become channels first... of the output. */
static int derive_channels(struct observation *o, int input, int output, size_t first, struct error *err)
{
    size_t n = observation_channels(o->graph, input);

    if (o->sums[output] != NULL)
        memcpy(o->sums[output] + first, o->sums[input], n * sizeof **o->sums);
    for (size_t c = 0; o->channels[output] != NULL && c < n; c++)
        if (histogram_merge(&o->channels[output][first + c], &o->channels[input][c], err) != 0)
            return -1;
    return 0;
}

static int add_up_channels(struct observation *o, size_t value, struct error *err)
{
    for (size_t c = 0; c < observation_channels(o->graph, (int)value); c++)
        if (histogram_merge(&o->tensor[value], &o->channels[value][c], err) != 0)
            return error_in(err, "value \"%s\"", o->graph->values[value].name);
    return 0;
}

/* tensor[n_values] of the values that nodes rearrange, in order: a derived value may be another's source. */
static int derive_tensors(const struct observation *o, struct histogram *tensor, struct error *err)
{
    for (size_t n = 0; n < o->graph->n_nodes; n++) {
        const struct node *node = &o->graph->nodes[n];
        int output = node->outputs[0];

        if ((o->derived[output] & (DERIVED_TENSOR | DERIVED_FROM_CHANNELS)) != DERIVED_TENSOR)
            continue;
        for (size_t i = 0; i < node->n_inputs; i++)
            if (histogram_merge(&tensor[output], &tensor[node->inputs[i]], err) != 0)
                return error_in(err, "value \"%s\"", o->graph->values[output].name);
    }
    return 0;
}

int observation_derive_parts(const struct observation *o, struct observe_parts *parts, struct error *err)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        if (derive_tensors(o, parts->of[p], err) != 0)
            return -1;
    return 0;
}

int observation_derive(struct observation *o, struct error *err)
{
    for (size_t v = 0; v < o->graph->n_values; v++)
        if ((o->derived[v] & DERIVED_FROM_CHANNELS) != 0 && add_up_channels(o, v, err) != 0)
            return -1;
    if (derive_tensors(o, o->tensor, err) != 0)
        return -1;
    for (size_t n = 0; n < o->graph->n_nodes; n++) {
        const struct node *node = &o->graph->nodes[n];
        int output = node->outputs[0];
        size_t first = 0;

        for (size_t i = 0; (o->derived[output] & DERIVED_CHANNELS) != 0 && i < node->n_inputs; i++) {
            if (derive_channels(o, node->inputs[i], output, first, err) != 0)
                return error_in(err, "value \"%s\"", o->graph->values[output].name);
            first += observation_channels(o->graph, node->inputs[i]);
        }
    }
    return o->parts == NULL ? 0 : observation_derive_parts(o, o->parts, err);
}

bool observation_has_wholes(size_t bins, size_t channel_bins)
{
    return channel_bins != bins;
}

int observation_collect(struct observation *o, unsigned kinds, struct error *err)
{
    if (kinds != 0)
        o->extras = extras_create(o->graph, kinds, err);
    if (o->extras != NULL)
        extras_keep_share(o->extras, o->first, o->last);
    return kinds != 0 && o->extras == NULL ? -1 : 0;
}

int observation_keep_parts(struct observation *o, struct error *err)
{
    o->parts = observe_parts_create(o->tensor, o->graph->n_values, err);
    return o->parts == NULL ? -1 : 0;
}

void observation_destroy_wholes(struct histogram *wholes, size_t n_values)
{
    for (size_t v = 0; wholes != NULL && v < n_values; v++)
        histogram_fini(&wholes[v]);
    free(wholes);
}

struct histogram *observation_create_wholes(const struct observation *o, struct error *err)
{
    struct histogram *wholes = memory_create(o->graph->n_values, sizeof *wholes, "statistics", err);

    for (size_t v = 0; wholes != NULL && v < o->graph->n_values; v++)
        if (o->tensor[v].bins > 0 && (o->derived[v] & DERIVED_TENSOR) == 0 &&
            histogram_init(&wholes[v], o->bins, err) != 0) {
            observation_destroy_wholes(wholes, o->graph->n_values);
            return NULL;
        }
    return wholes;
}

void observation_count_in(struct observation *o, struct histogram *wholes)
{
    o->counted = wholes == NULL ? o->tensor : wholes;
}

void observation_drop_wholes(struct observation *o)
{
    for (size_t v = 0; v < o->graph->n_values; v++) {
        free(o->tensor[v].positive);
        free(o->tensor[v].negative);
        o->tensor[v].positive = o->tensor[v].negative = NULL; /* bins stay, and tell that it is observed */
    }
}

void observation_take_wholes(struct observation *into, struct observation *from)
{
    struct histogram *dropped = into->tensor;

    into->tensor = into->counted = from->tensor;
    from->tensor = from->counted = dropped;
    into->parts = from->parts;
    from->parts = NULL;
}

int observation_move(struct observation *into, size_t part, struct histogram *wholes, struct error *err)
{
    for (size_t v = 0; v < into->graph->n_values; v++) {
        struct histogram *h = &wholes[v];

        if (h->bins == 0 || h->n == 0)
            continue;
        if (histogram_merge_finer(&into->parts->of[part][v], h, err) != 0 ||
            histogram_merge(&into->tensor[v], h, err) != 0)
            return error_in(err, "value \"%s\"", into->graph->values[v].name);
        histogram_clear(h);
    }
    return 0;
}

struct observation *observation_create(const struct graph *graph, size_t bins, size_t channel_bins, struct error *err)
{
    return observation_create_share(graph, bins, channel_bins, 0, graph->n_values, err);
}

uint64_t observation_bytes(const struct graph *graph, size_t bins, size_t channel_bins, size_t value)
{
    uint64_t parts = OBSERVE_PARTS * (uint64_t)(bins < OBSERVE_PART_BINS ? bins : OBSERVE_PART_BINS);
    uint64_t channels = (uint64_t)observation_channels(graph, (int)value) * channel_bins;

    return observation_covers(graph, (int)value) ? (bins + parts + channels) * sizeof(uint64_t) : 0;
}

struct observation *observation_create_share(const struct graph *graph, size_t bins, size_t channel_bins, size_t first,
                                             size_t last, struct error *err)
{
    struct observation *o = memory_create(1, sizeof *o, "statistics", err);

    if (o == NULL)
        return NULL;
    o->graph = graph;
    o->bins = bins;
    o->channel_bins = channel_bins;
    o->first = first;
    o->last = last;
    o->tensor = memory_create(graph->n_values, sizeof *o->tensor, "statistics", err);
    o->channels = memory_create(graph->n_values, sizeof *o->channels, "statistics", err);
    o->counters = memory_create(graph->n_values, sizeof *o->counters, "statistics", err);
    o->sums = memory_create(graph->n_values, sizeof *o->sums, "statistics", err);
    o->derived = memory_create(graph->n_values, sizeof *o->derived, "statistics", err);
    if (o->tensor == NULL || o->channels == NULL || o->counters == NULL || o->sums == NULL || o->derived == NULL)
        goto fail;
    for (size_t v = first; v < last; v++) {
        if (!observation_covers(graph, (int)v))
            continue;
        if (histogram_init(&o->tensor[v], bins, err) != 0)
            goto fail;
        if (channel_bins > 0 && create_channels(o, (int)v, err) != 0)
            goto fail;
    }
    o->counted = o->tensor;
    if (create_sums(o, err) != 0)
        goto fail;
    mark_derived(o);
    return o;
fail:
    observation_destroy(o);
    return NULL;
}

void observation_destroy(struct observation *o)
{
    if (o == NULL)
        return;
    for (size_t v = 0; v < o->graph->n_values; v++) {
        if (o->tensor != NULL)
            histogram_fini(&o->tensor[v]);
        if (o->sums != NULL)
            free(o->sums[v]);
        if (o->counters != NULL)
            histogram_channels_destroy(o->counters[v]);
        if (o->channels == NULL || o->channels[v] == NULL)
            continue;
        for (size_t c = 0; c < observation_channels(o->graph, (int)v); c++)
            histogram_fini(&o->channels[v][c]);
        free(o->channels[v]);
    }
    observe_parts_destroy(o->parts);
    ranges_destroy(o->ranges);
    extras_destroy(o->extras);
    free(o->scratch);
    free(o->derived);
    free(o->sums);
    free(o->counters);
    free(o->channels);
    free(o->tensor);
    free(o);
}

/* A block's sums, in scratch, are doubles of a fixed order; adding them up over blocks is exact, hence without order.
 * What is not finite is left out here: the histogram has counted it, and observation_mean asks there. */
static void add_sums(struct observation *o, int value, const struct view *view)
{
    for (size_t c = 0; c < view->channels; c++)
        if (isfinite(o->scratch[c]))
            exact_sum_add(&o->sums[value][c], o->scratch[c]);
}

double observation_mean(const struct observation *o, int value, size_t c)
{
    const struct histogram *h = &o->tensor[value];

    if (h->n == 0 || h->nans + h->positive_infs + h->negative_infs > 0)
        return NAN;
    return exact_sum_value(&o->sums[value][c]) * (double)observation_channels(o->graph, value) / (double)h->n;
}

int observation_observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct observation *o = context;
    unsigned derived = o->derived[value];
    bool wants_tensor = o->tensor[value].bins > 0 && (derived & DERIVED_TENSOR) == 0;
    bool wants_sums = o->sums[value] != NULL && (derived & DERIVED_SUMS) == 0;
    bool wants_channels = o->channels[value] != NULL && (derived & DERIVED_CHANNELS) == 0;
    int rc = 0;

    (void)node;
    if (wants_tensor && wants_sums)
        rc = histogram_observe_view_sums(&o->counted[value], view, o->scratch, err);
    else if (wants_tensor)
        rc = histogram_observe_view(&o->counted[value], view, err);
    else if (wants_sums)
        view_channel_sums(view, o->scratch);
    if (rc == 0 && wants_sums)
        add_sums(o, value, view);
    if (rc == 0 && wants_channels)
        rc = histogram_channels_observe(o->counters[value], view, err);
    if (rc == 0 && o->extras != NULL && o->tensor[value].bins > 0)
        rc = extras_observe(o->extras, value, view, err);
    return rc == 0 ? 0 : error_in(err, "value \"%s\"", o->graph->values[value].name);
}

void observation_settle(struct observation *o)
{
    for (size_t v = 0; v < o->graph->n_values; v++)
        if (o->counters[v] != NULL)
            histogram_channels_settle(o->counters[v]);
}

int observation_merge(struct observation *into, const struct observation *from, struct error *err)
{
    for (size_t v = 0; v < into->graph->n_values; v++) {
        if (into->tensor[v].bins == 0 || from->tensor[v].bins == 0)
            continue;
        if (from->tensor[v].n > 0 && histogram_merge(&into->tensor[v], &from->tensor[v], err) != 0)
            return error_in(err, "value \"%s\"", into->graph->values[v].name);
        for (size_t c = 0; into->sums[v] != NULL && c < observation_channels(into->graph, (int)v); c++) {
            exact_sum_merge(&into->sums[v][c], &from->sums[v][c]);
            exact_sum_normalise(&into->sums[v][c]);
        }
        if (into->channels[v] == NULL || from->channels[v] == NULL)
            continue;
        for (size_t c = 0; c < observation_channels(into->graph, (int)v); c++)
            if (histogram_merge(&into->channels[v][c], &from->channels[v][c], err) != 0)
                return error_in(err, "value \"%s\", channel %zu", into->graph->values[v].name, c);
    }
    if (into->extras != NULL && from->extras != NULL && extras_merge(into->extras, from->extras, err) != 0)
        return -1;
    return into->parts == NULL || from->parts == NULL ? 0 : observe_parts_merge(into->parts, from->parts, err);
}
