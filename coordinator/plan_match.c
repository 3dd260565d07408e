/* plan_match.c — values of two graphs of one network: what was trained, and what somebody made of it; see plan_read.h.
 */
#include "coordinator/plan_mark.h"
#include "coordinator/plan_read.h"

#include "common/memory.h"

#include <stdlib.h>

enum { MATCH_BUDGET = 1 << 24 }; /* pairs of nodes that are compared: those without a namesake are few */

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

/* ---- by what computes them ---- */

static bool reads_the_same(const struct graph *own, const struct node *a, const struct graph *other,
                           const struct node *b, const int *of_own)
{
    if (a->op != b->op || a->n_inputs != b->n_inputs || b->n_outputs != 1)
        return false;
    for (size_t i = 0; i < a->n_inputs; i++) {
        int x = a->inputs[i], y = b->inputs[i];

        if (x == GRAPH_NONE || y == GRAPH_NONE ? x != y
            : plan_is_activation(own, x)       ? of_own[x] != y
                                               : !shape_equal(&own->values[x].shape, &other->values[y].shape))
            return false;
    }
    return true;
}

/* What neither name nor alias tells: formats that have no room for some names. */
static void match_nodes(const struct graph *own, const struct graph *other, int *of_own, bool *is_taken)
{
    size_t budget = MATCH_BUDGET;

    for (size_t n = 0; n < own->n_nodes; n++) {
        const struct node *a = &own->nodes[n];

        if (a->n_outputs != 1 || of_own[a->outputs[0]] != GRAPH_NONE)
            continue;
        for (size_t m = 0; m < other->n_nodes && budget > 0; m++, budget--) {
            const struct node *b = &other->nodes[m];

            if (!reads_the_same(own, a, other, b, of_own) || is_taken[b->outputs[0]] ||
                !agree(own, a->outputs[0], other, b->outputs[0]))
                continue;
            of_own[a->outputs[0]] = b->outputs[0];
            is_taken[b->outputs[0]] = true;
            break;
        }
    }
}

static int match_others(const struct graph *own, const struct graph *other, int *of_own, struct error *err)
{
    bool *is_taken = memory_create(other->n_values, sizeof *is_taken, "values", err);

    if (is_taken == NULL)
        return -1;
    for (size_t v = 0; v < own->n_values; v++)
        if (of_own[v] != GRAPH_NONE)
            is_taken[of_own[v]] = true;
    match_nodes(own, other, of_own, is_taken);
    free(is_taken);
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
               : match_others(own, other, of_own, err);
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
