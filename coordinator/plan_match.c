/* plan_match.c — values of two graphs of one network: what was trained, and what somebody made of it; see plan_read.h.
 */
#include "coordinator/plan_mark.h"
#include "coordinator/plan_read.h"

#include <string.h>

static bool agree(const struct graph *own, int v, const struct graph *other, int w)
{
    return plan_is_activation(own, v) && plan_is_activation(other, w) &&
           shape_equal(&own->values[v].shape, &other->values[w].shape);
}

/* Inputs or outputs: those without a namesake are taken in order, where there are as many in both. */
static int match_ports(const struct graph *own, const int *of, size_t n, const struct graph *other, const int *to,
                       size_t n_other, const char *what, int *of_own, struct error *err)
{
    char expected[SHAPE_TEXT_BYTES], found[SHAPE_TEXT_BYTES];

    if (n != n_other)
        return error_set(err, EX_DATAERR, "expected %zu %ss, found %zu", n, what, n_other);
    for (size_t i = 0; i < n; i++) {
        const struct value *a = &own->values[of[i]], *b = &other->values[to[i]];

        if (of_own[of[i]] != GRAPH_NONE)
            continue;
        if (!agree(own, of[i], other, to[i]))
            return error_set(err, EX_DATAERR, "%s %zu, \"%s\": expected %s of shape %s as \"%s\" is, found %s of %s",
                             what, i, b->name, dtype_name(a->dtype), shape_text(&a->shape, expected), a->name,
                             dtype_name(b->dtype), shape_text(&b->shape, found));
        of_own[of[i]] = to[i];
    }
    return 0;
}

int plan_match_values(const struct graph *own, const struct graph *other, int *of_own, struct error *err)
{
    for (size_t v = 0; v < own->n_values; v++) {
        int w = graph_find_value(other, own->values[v].name);

        of_own[v] = w != GRAPH_NONE && agree(own, (int)v, other, w) ? w : GRAPH_NONE;
    }
    for (size_t w = 0; w < other->n_values; w++) {
        int v = other->values[w].alias == NULL ? GRAPH_NONE : graph_find_value(own, other->values[w].alias);

        if (v != GRAPH_NONE && of_own[v] == GRAPH_NONE && agree(own, v, other, (int)w))
            of_own[v] = (int)w;
    }
    return match_ports(own, own->inputs, own->n_inputs, other, other->inputs, other->n_inputs, "input", of_own, err) !=
                       0 ||
                   match_ports(own, own->outputs, own->n_outputs, other, other->outputs, other->n_outputs, "output",
                               of_own, err) != 0
               ? -1
               : 0;
}

struct plan *plan_project(const struct plan *plan, const struct graph *graph, const int *of_own, struct error *err)
{
    struct plan *out = plan_create(graph, plan->profile, err);

    for (size_t v = 0; out != NULL && v < graph->n_values; v++) {
        int w = of_own[v], producer = graph->values[v].producer;

        if (w == GRAPH_NONE)
            continue;
        out->values[v] = plan->values[w];
        out->values[v].scale_from = (int)v;
        if (producer != GRAPH_NONE && plan->graph->values[w].producer != GRAPH_NONE)
            out->nodes[producer] = plan->nodes[plan->graph->values[w].producer];
    }
    return out;
}
