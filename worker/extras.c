/* extras.c — see extras.h. Plain loops: they run only where a job asks for them. */
#include "worker/extras.h"

#include "common/graph.h"
#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

enum { TOP_TWO_BINS = 8192 };

/* ---- which values ---- */

/* Does the node leave a value's classes where they are, and in their order? */
static bool keeps_classes(const struct graph *graph, const struct node *node)
{
    const struct shape *x = &graph->values[node->inputs[0]].shape, *y = &graph->values[node->outputs[0]].shape;

    if (node->op == OP_RESHAPE)
        return x->rank >= 2 && y->rank >= 2 && x->dims[1] == y->dims[1] && shape_elements(x) == shape_elements(y);
    return (node->op == OP_SOFTMAX && node->attr.softmax.axis == 1) ||
           (node->op == OP_ACTIVATION && node->attr.activation.kind == ACTIVATION_SIGMOID);
}

static bool has_classes(const struct graph *graph, int value)
{
    const struct value *v = &graph->values[value];

    return !v->is_constant && v->dtype == DTYPE_FLOAT32 && v->shape.rank >= 2 && v->shape.dims[1] >= 2;
}

static int add_top_two(struct extras *e, int value, struct error *err)
{
    struct top_two *t = &e->top_two[value];

    if (t->second.bins > 0 || !has_classes(e->graph, value))
        return 0;
    return histogram_init(&t->second, TOP_TWO_BINS, err) != 0 ? -1 : histogram_init(&t->gap, TOP_TWO_BINS, err);
}

/* Back from the outputs. */
static int create_top_two(struct extras *e, struct error *err)
{
    const struct graph *g = e->graph;

    e->top_two = memory_create(g->n_values, sizeof *e->top_two, "the two largest of records", err);
    if (e->top_two == NULL)
        return -1;
    for (size_t i = 0; i < g->n_outputs; i++)
        if (add_top_two(e, g->outputs[i], err) != 0)
            return -1;
    for (size_t n = g->n_nodes; n-- > 0;) { /* execution order: consumers have been seen */
        const struct node *node = &g->nodes[n];

        if (node->n_outputs == 1 && e->top_two[node->outputs[0]].second.bins > 0 && keeps_classes(g, node) &&
            add_top_two(e, node->inputs[0], err) != 0)
            return -1;
    }
    return 0;
}

static size_t channels_of(const struct graph *graph, int value)
{
    const struct shape *shape = &graph->values[value].shape;

    return shape->rank < 2 ? 1 : (size_t)shape->dims[1];
}

static int create_squares(struct extras *e, struct error *err)
{
    const struct graph *g = e->graph;

    e->squares = memory_create(g->n_values, sizeof *e->squares, "squares of channels", err);
    for (size_t n = 0; e->squares != NULL && n < g->n_nodes; n++) {
        int value = g->nodes[n].inputs[0];

        if ((g->nodes[n].op != OP_CONV && g->nodes[n].op != OP_DENSE) || g->values[value].is_constant ||
            e->squares[value] != NULL)
            continue;
        e->squares[value] = memory_create(channels_of(g, value), sizeof **e->squares, "squares of channels", err);
        if (e->squares[value] == NULL)
            return -1;
    }
    return e->squares == NULL ? -1 : 0;
}

size_t extras_n_squares(const struct extras *e, int value)
{
    return e->squares == NULL || e->squares[value] == NULL ? 0 : channels_of(e->graph, value);
}

struct extras *extras_create(const struct graph *graph, unsigned kinds, struct error *err)
{
    struct extras *e = memory_create(1, sizeof *e, "statistics of records", err);
    int rc = e == NULL ? -1 : 0;

    if (rc == 0) {
        e->graph = graph;
        e->kinds = kinds;
    }
    if (rc == 0 && (kinds & EXTRAS_EXTREMA) != 0) {
        e->extrema = memory_create(graph->n_values, sizeof *e->extrema, "extrema of records", err);
        rc = e->extrema == NULL ? -1 : 0;
    }
    if (rc == 0 && (kinds & EXTRAS_TOP_TWO) != 0)
        rc = create_top_two(e, err);
    if (rc == 0 && (kinds & EXTRAS_SQUARES) != 0)
        rc = create_squares(e, err);
    if (rc == 0)
        return e;
    extras_destroy(e);
    return NULL;
}

static void drop_value(struct extras *e, size_t v)
{
    if (e->top_two != NULL) {
        histogram_fini(&e->top_two[v].second);
        histogram_fini(&e->top_two[v].gap);
    }
    if (e->squares != NULL) {
        free(e->squares[v]);
        e->squares[v] = NULL;
    }
}

void extras_keep_share(struct extras *e, size_t first, size_t last)
{
    for (size_t v = 0; v < e->graph->n_values; v++)
        if (v < first || v >= last)
            drop_value(e, v);
}

void extras_destroy(struct extras *e)
{
    if (e == NULL)
        return;
    for (size_t v = 0; v < e->graph->n_values; v++)
        drop_value(e, v);
    free(e->extrema);
    free(e->top_two);
    free(e->squares);
    free(e);
}

/* ---- counting ---- */

/* Element (record, channel, pixel), see view.h. */
static size_t place_of(const struct view *v, size_t record, size_t channel, size_t pixel)
{
    return ((record * view_blocks(v) + channel / v->block) * v->spatial + pixel) * v->block + channel % v->block;
}

static void observe_extrema(struct record_extrema *e, const struct view *v)
{
    for (size_t n = 0; n < v->records; n++) {
        float low = INFINITY, high = -INFINITY, sum = 0;

        for (size_t c = 0; c < v->channels; c++) {
            const float *x = v->data + place_of(v, n, c, 0);

            for (size_t s = 0; s < v->spatial; s++) {
                float value = x[s * v->block];

                low = value < low ? value : low;
                high = value > high ? value : high;
                sum += value - value; /* 0, or NaN for ever */
            }
        }
        if (sum != 0 || !(low <= high))
            continue;
        e->records++;
        e->elements += v->channels * v->spatial;
        exact_sum_add(&e->smallest, (double)low);
        exact_sum_add(&e->largest, (double)high);
    }
}

static int observe_top_two(struct top_two *t, const struct view *v, struct error *err)
{
    for (size_t n = 0; n < v->records; n++) {
        for (size_t s = 0; s < v->spatial; s++) {
            float first = -INFINITY, second = -INFINITY, sum = 0, gap;

            for (size_t c = 0; c < v->channels; c++) {
                float x = v->data[place_of(v, n, c, s)];

                second = x > first ? first : x > second ? x : second;
                first = x > first ? x : first;
                sum += x - x;
            }
            second = sum == 0 ? second : NAN;
            gap = first - fmaxf(second, 0);
            gap = sum == 0 ? gap : NAN;
            if (histogram_observe(&t->second, &second, 1, err) != 0 || histogram_observe(&t->gap, &gap, 1, err) != 0)
                return -1;
        }
    }
    return 0;
}

/* One block's squares in double, in a fixed order; adding them up over blocks is exact. As sums, what is not finite is
 * left out. */
static void observe_squares(struct exact_sum *squares, const struct view *v)
{
    for (size_t c = 0; c < v->channels; c++) {
        double sum = 0;

        for (size_t n = 0; n < v->records; n++) {
            const float *x = v->data + place_of(v, n, c, 0);

            for (size_t s = 0; s < v->spatial; s++)
                sum += (double)x[s * v->block] * (double)x[s * v->block];
        }
        if (isfinite(sum))
            exact_sum_add(&squares[c], sum);
    }
}

int extras_observe(struct extras *e, int value, const struct view *view, struct error *err)
{
    if (e->extrema != NULL)
        observe_extrema(&e->extrema[value], view);
    if (extras_n_squares(e, value) > 0)
        observe_squares(e->squares[value], view);
    return e->top_two == NULL || e->top_two[value].second.bins == 0 ? 0
                                                                    : observe_top_two(&e->top_two[value], view, err);
}

int extras_merge(struct extras *into, const struct extras *from, struct error *err)
{
    for (size_t v = 0; v < into->graph->n_values; v++) {
        if (into->extrema != NULL) {
            into->extrema[v].records += from->extrema[v].records;
            into->extrema[v].elements += from->extrema[v].elements;
            exact_sum_merge(&into->extrema[v].smallest, &from->extrema[v].smallest);
            exact_sum_merge(&into->extrema[v].largest, &from->extrema[v].largest);
        }
        for (size_t c = 0; c < extras_n_squares(into, (int)v) && extras_n_squares(from, (int)v) > 0; c++)
            exact_sum_merge(&into->squares[v][c], &from->squares[v][c]);
        if (into->top_two != NULL && into->top_two[v].second.bins > 0 && from->top_two[v].second.bins > 0 &&
            (histogram_merge(&into->top_two[v].second, &from->top_two[v].second, err) != 0 ||
             histogram_merge(&into->top_two[v].gap, &from->top_two[v].gap, err) != 0))
            return error_in(err, "value \"%s\": its two largest", into->graph->values[v].name);
    }
    extras_normalise(into);
    return 0;
}

void extras_normalise(struct extras *e)
{
    for (size_t v = 0; v < e->graph->n_values; v++) {
        if (e->extrema != NULL) {
            exact_sum_normalise(&e->extrema[v].smallest);
            exact_sum_normalise(&e->extrema[v].largest);
        }
        for (size_t c = 0; c < extras_n_squares(e, (int)v); c++)
            exact_sum_normalise(&e->squares[v][c]);
    }
}
