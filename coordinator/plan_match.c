/* plan_match.c — values of two graphs of one network: what was trained, and what somebody made of it; see plan_read.h.
 */
#include "coordinator/plan_match.h"

#include "common/memory.h"
#include "coordinator/plan_mark.h"
#include "coordinator/plan_read.h"

#include <stdlib.h>
#include <string.h>

static bool agree(const struct graph *own, int v, const struct graph *other, int w)
{
    return plan_is_activation(own, v) && plan_is_activation(other, w) &&
           shape_equal(&own->values[v].shape, &other->values[w].shape);
}

/* ---- inputs and outputs ---- */

static bool is_called(const struct value *value, const char *name)
{
    return strcmp(value->name, name) == 0 || (value->alias != NULL && strcmp(value->alias, name) == 0);
}

/* The inputs, or the outputs, of both graphs; those of `other` that have found their like are taken. */
struct ports {
    const char *what;
    const struct graph *own, *other;
    const int *of, *to;
    size_t n, n_other;
    int *of_own;
    bool *is_taken; /* [other->n_values] */
};

static void take(const struct ports *p, size_t i, size_t k)
{
    p->of_own[p->of[i]] = p->to[k];
    p->is_taken[p->to[k]] = true;
}

static void match_ports_by_name(const struct ports *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->n_other && p->of_own[p->of[i]] == GRAPH_NONE; k++)
            if (!p->is_taken[p->to[k]] && is_called(&p->other->values[p->to[k]], p->own->values[p->of[i]].name) &&
                agree(p->own, p->of[i], p->other, p->to[k]))
                take(p, i, k);
}

static int match_ports_by_place(const struct ports *p, struct error *err)
{
    char expected[SHAPE_TEXT_BYTES], found[SHAPE_TEXT_BYTES];

    for (size_t i = 0, k = 0; i < p->n; i++) {
        const struct value *a = &p->own->values[p->of[i]], *b;

        if (p->of_own[p->of[i]] != GRAPH_NONE)
            continue;
        while (k < p->n_other && p->is_taken[p->to[k]])
            k++;
        if (k == p->n_other)
            return error_set(err, EX_DATAERR, "no %s corresponds to \"%s\"", p->what, a->name);
        b = &p->other->values[p->to[k]];
        if (!agree(p->own, p->of[i], p->other, p->to[k]))
            return error_set(err, EX_DATAERR, "%s %zu, \"%s\": expected %s of shape %s as \"%s\" is, found %s of %s",
                             p->what, k, b->name, dtype_name(a->dtype), shape_text(&a->shape, expected), a->name,
                             dtype_name(b->dtype), shape_text(&b->shape, found));
        take(p, i, k);
    }
    return 0;
}

/* A node of `own` may be several in the other graph, "<its name>/<what>" and, the last, as it is called itself. Where
 * the first of them, which makes `w`, has taken the name of what the node makes: what the last makes. */
static int past_parts(const struct graph *own, int v, const struct graph *other, int w)
{
    int trained = own->values[v].producer, made = other->values[w].producer, last;
    const char *name = trained == GRAPH_NONE ? "" : own->nodes[trained].name;
    size_t length = strlen(name);

    if (length == 0 || made == GRAPH_NONE || strncmp(other->nodes[made].name, name, length) != 0 ||
        other->nodes[made].name[length] != '/')
        return w;
    last = graph_find_node(other, name);
    return last != GRAPH_NONE && agree(own, v, other, other->nodes[last].outputs[0]) ? other->nodes[last].outputs[0]
                                                                                     : w;
}

/* What a layer of `own` ends with may be a node of its own in the other graph, behind a value `w` that bears the
 * layer's name: then what that makes. */
static int past_activation(const struct graph *own, int v, const struct graph *other, int first)
{
    int w = past_parts(own, v, other, first), trained = own->values[v].producer, made = other->values[w].producer;
    enum activation_kind kind = trained == GRAPH_NONE ? ACTIVATION_NONE : own->nodes[trained].fused.kind;

    if (kind == ACTIVATION_NONE || made == GRAPH_NONE || other->nodes[made].op == OP_ACTIVATION ||
        other->nodes[made].fused.kind != ACTIVATION_NONE)
        return w;
    for (size_t n = 0; n < other->n_nodes; n++) {
        const struct node *node = &other->nodes[n];

        if (node->op == OP_ACTIVATION && node->inputs[0] == w && node->attr.activation.kind == kind)
            return node->outputs[0];
    }
    return w;
}

/* Where the other graph computes such a value on the way, the two do not end in the same one. An input may lend its
 * name, though, to what another tool computes: both graphs begin with what the user feeds them. */
static int check_output(const struct ports *p, int own, struct error *err)
{
    const char *name = p->own->values[own].name;
    int matched = p->of_own[own];

    for (int w = 0; w < (int)p->other->n_values; w++) {
        bool is_like = matched == GRAPH_NONE ? is_called(&p->other->values[w], name) && agree(p->own, own, p->other, w)
                                             : w == matched;

        if (is_like && !graph_is_output(p->other, w) && past_activation(p->own, own, p->other, w) == w)
            return error_set(err, EX_DATAERR, "the network's output \"%s\" is no output of this model", name);
    }
    return 0;
}

/* One to one, and before any other value may take a name: what is fed and what is scored are ports of both graphs. */
static int match_ports(const struct ports *p, struct error *err)
{
    if (p->n != p->n_other)
        return error_set(err, EX_DATAERR, "expected %zu %ss, found %zu", p->n, p->what, p->n_other);
    match_ports_by_name(p);
    for (size_t i = 0; i < p->n; i++)
        if (p->of == p->own->outputs && check_output(p, p->of[i], err) != 0)
            return -1;
    return match_ports_by_place(p, err);
}

static int match_inputs_and_outputs(const struct graph *own, const struct graph *other, int *of_own, bool *is_taken,
                                    struct error *err)
{
    const struct ports inputs = {.what = "input",
                                 .own = own,
                                 .other = other,
                                 .of = own->inputs,
                                 .to = other->inputs,
                                 .n = own->n_inputs,
                                 .n_other = other->n_inputs,
                                 .of_own = of_own,
                                 .is_taken = is_taken};
    const struct ports outputs = {.what = "output",
                                  .own = own,
                                  .other = other,
                                  .of = own->outputs,
                                  .to = other->outputs,
                                  .n = own->n_outputs,
                                  .n_other = other->n_outputs,
                                  .of_own = of_own,
                                  .is_taken = is_taken};

    return match_ports(&inputs, err) != 0 ? -1 : match_ports(&outputs, err);
}

/* ---- by what they are called ---- */

/* A value may go under its name and its alias at once: passes have made one of two. */
static void match_names(const struct graph *own, const struct graph *other, int *of_own, bool *is_taken)
{
    for (size_t v = 0; v < own->n_values; v++) {
        int w = graph_find_value(other, own->values[v].name);

        w = w == GRAPH_NONE ? w : past_activation(own, (int)v, other, w);
        if (of_own[v] == GRAPH_NONE && w != GRAPH_NONE && !is_taken[w] && agree(own, (int)v, other, w))
            of_own[v] = w;
    }
    for (size_t w = 0; w < other->n_values; w++) {
        int v = other->values[w].alias == NULL ? GRAPH_NONE : graph_find_value(own, other->values[w].alias);

        if (v != GRAPH_NONE && of_own[v] == GRAPH_NONE && agree(own, v, other, (int)w))
            of_own[v] = (int)w;
    }
    for (size_t v = 0; v < own->n_values; v++)
        if (of_own[v] != GRAPH_NONE)
            is_taken[of_own[v]] = true;
}

int plan_match_values(const struct graph *own, const struct graph *other, int *of_own, struct error *err)
{
    bool *is_taken = memory_create(other->n_values, sizeof *is_taken, "values", err);
    int rc;

    if (is_taken == NULL)
        return -1;
    for (size_t v = 0; v < own->n_values; v++)
        of_own[v] = GRAPH_NONE;
    rc = match_inputs_and_outputs(own, other, of_own, is_taken, err);
    if (rc == 0) {
        match_names(own, other, of_own, is_taken);
        rc = plan_match_nodes(own, other, of_own, is_taken, err); /* formats that have no room for some names */
    }
    free(is_taken);
    return rc;
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
