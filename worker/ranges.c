/* ranges.c — see ranges.h. */
#include "worker/ranges.h"

#include "common/memory.h"
#include "worker/observe.h"

#include <math.h>
#include <stdlib.h>

static const float least_limit = 1e-5F;

float range_factor(float limit)
{
    return limit > least_limit ? (float)RANGE_BINS / limit : 0;
}

static bool is_read_by_dense(const struct graph *graph, int value)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];

        if (node->n_inputs == 0 || node->inputs[0] != value)
            continue;
        if (node->op == OP_DENSE || (node->op == OP_RESHAPE && is_read_by_dense(graph, node->outputs[0])))
            return true;
    }
    return false;
}

static bool has_channels(const struct observation *o, int value)
{
    int producer = o->graph->values[value].producer;
    bool is_made_by_dense = producer != GRAPH_NONE && o->graph->nodes[producer].op == OP_DENSE;

    return o->channels[value] != NULL && !is_made_by_dense && !is_read_by_dense(o->graph, value);
}

static int create_value(struct value_ranges *r, const struct observation *o, int value, struct error *err)
{
    bool is_per_channel = has_channels(o, value);
    size_t n = is_per_channel ? observation_channels(o->graph, value) : 1;

    r->limits = memory_create(n, sizeof *r->limits, "ranges", err);
    r->counts = memory_create(n, RANGE_BINS * sizeof *r->counts, "counts over ranges", err);
    if (r->limits == NULL || r->counts == NULL)
        return -1;
    r->n = n;
    for (size_t c = 0; c < n; c++)
        r->limits[c] = histogram_abs_max(is_per_channel ? &o->channels[value][c] : &o->tensor[value]);
    return 0;
}

struct ranges *ranges_create(const struct observation *first, struct error *err)
{
    struct ranges *ranges = memory_create(1, sizeof *ranges, "ranges", err);

    if (ranges == NULL)
        return NULL;
    ranges->graph = first->graph;
    ranges->values = memory_create(first->graph->n_values, sizeof *ranges->values, "ranges", err);
    for (size_t v = 0; ranges->values != NULL && v < first->graph->n_values; v++)
        if (first->tensor[v].bins > 0 && create_value(&ranges->values[v], first, (int)v, err) != 0) {
            ranges_destroy(ranges);
            return NULL;
        }
    if (ranges->values != NULL)
        return ranges;
    ranges_destroy(ranges);
    return NULL;
}

void ranges_destroy(struct ranges *ranges)
{
    if (ranges == NULL)
        return;
    for (size_t v = 0; ranges->values != NULL && v < ranges->graph->n_values; v++) {
        free(ranges->values[v].limits);
        free(ranges->values[v].counts);
    }
    free(ranges->values);
    free(ranges);
}

static inline void count(uint64_t *counts, float factor, float x)
{
    float at = fabsf(x) * factor;

    if (x == 0 || !isfinite(x) || factor == 0)
        return;
    counts[at < (float)(RANGE_BINS - 1) ? (size_t)at : RANGE_BINS - 1]++;
}

/* Element i of a view is of channel (i / block / spatial) % blocks * block + i % block (view.h); what is of none there
 * is padding. */
int ranges_observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    const struct ranges *ranges = context;
    const struct value_ranges *r = &ranges->values[value];
    size_t blocks = view_blocks(view), run = view->spatial * view->block;

    (void)node;
    (void)err;
    for (size_t b = 0; r->n > 0 && b < view->records * blocks; b++) {
        size_t first = b % blocks * view->block, lanes = view->channels - first;

        lanes = lanes < view->block ? lanes : view->block;
        for (size_t lane = 0; lane < lanes; lane++) {
            size_t c = r->n > 1 ? first + lane : 0;
            float factor = range_factor(r->limits[c]);

            for (size_t i = lane; i < run; i += view->block)
                count(r->counts + c * RANGE_BINS, factor, view->data[b * run + i]);
        }
    }
    return 0;
}

void ranges_merge(struct ranges *into, const struct ranges *from)
{
    for (size_t v = 0; v < into->graph->n_values; v++)
        for (size_t i = 0; from->values[v].n > 0 && i < into->values[v].n * RANGE_BINS; i++)
            into->values[v].counts[i] += from->values[v].counts[i];
}
