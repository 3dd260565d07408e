/* plan_match_nodes.c — values matched by what computes them; see plan_match.h. Nodes are described by numbers, in which
 * the values of both graphs have the other's indices; those of `other` are sorted by them. */
#include "coordinator/plan_match.h"

#include "common/memory.h"
#include "coordinator/plan_mark.h"

#include <stdlib.h>
#include <string.h>

/* In place of the index of a value. */
enum { NO_VALUE = -1, OF_SHAPE = -2 };

enum { SHAPE_NUMBERS = 1 + TENSOR_MAX_RANK };

struct described {
    const int64_t *numbers;
    size_t n;
    size_t node;
    size_t n_used; /* of the first of those that are alike: how many of them have found theirs */
};

struct matching {
    struct arena *arena;
    int64_t *scratch;       /* for the largest description of either graph */
    struct described *list; /* [n] by numbers, then in the order of nodes */
    size_t n;
};

static size_t largest_description(const struct graph *g)
{
    size_t most = 0;

    for (size_t i = 0; i < g->n_nodes; i++)
        most = g->nodes[i].n_inputs > most ? g->nodes[i].n_inputs : most;
    return 2 + (most + 1) * (1 + SHAPE_NUMBERS);
}

static size_t add_shape(int64_t *numbers, const struct shape *shape)
{
    numbers[0] = (int64_t)shape->rank;
    memcpy(numbers + 1, shape->dims, shape->rank * sizeof *shape->dims);
    return 1 + shape->rank;
}

/* Operator, inputs, shape of the output. of[n_values]: what the graph's values are called; NULL: their indices. Returns
 * how many numbers; 0: an input is not known. */
static size_t describe(const struct graph *g, const struct node *node, const int *of, int64_t *numbers)
{
    size_t n = 0;

    numbers[n++] = (int64_t)node->op;
    numbers[n++] = (int64_t)node->n_inputs;
    for (size_t i = 0; i < node->n_inputs; i++) {
        int v = node->inputs[i];
        bool is_known = v != GRAPH_NONE && plan_is_activation(g, v);

        if (is_known && of != NULL && of[v] == GRAPH_NONE)
            return 0;
        numbers[n++] = v == GRAPH_NONE ? NO_VALUE : !is_known ? OF_SHAPE : of == NULL ? v : of[v];
        if (v != GRAPH_NONE && !is_known)
            n += add_shape(numbers + n, &g->values[v].shape);
    }
    return n + add_shape(numbers + n, &g->values[node->outputs[0]].shape);
}

static int by_numbers(const struct described *a, const struct described *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return memcmp(a->numbers, b->numbers, a->n * sizeof *a->numbers); /* any order will do */
}

static int by_numbers_and_place(const void *a, const void *b)
{
    const struct described *x = a, *y = b;
    int order = by_numbers(x, y);

    return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

/* A node that could be matched with one. */
static bool is_open(const struct graph *g, const struct node *node)
{
    return node->n_outputs == 1 && plan_is_activation(g, node->outputs[0]);
}

static int list_nodes(struct matching *m, const struct graph *other, const bool *is_taken, struct error *err)
{
    for (size_t i = 0; i < other->n_nodes; i++) {
        const struct node *node = &other->nodes[i];
        size_t n;
        int64_t *numbers;

        if (!is_open(other, node) || is_taken[node->outputs[0]])
            continue;
        n = describe(other, node, NULL, m->scratch);
        numbers = arena_create_array(m->arena, n, sizeof *numbers, err);
        if (numbers == NULL)
            return -1;
        memcpy(numbers, m->scratch, n * sizeof *numbers);
        m->list[m->n++] = (struct described){numbers, n, i, 0};
    }
    qsort(m->list, m->n, sizeof *m->list, by_numbers_and_place);
    return 0;
}

/* The next of those that are like it; NULL: there is none, or no more. */
static const struct described *use_next(struct matching *m, const struct described *wanted)
{
    size_t low = 0, high = m->n; /* the first of them is in [low, high] */
    struct described *first, *next;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_numbers(&m->list[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->n || m->list[low].n_used >= m->n - low)
        return NULL;
    first = &m->list[low];
    next = first + first->n_used;
    if (by_numbers(next, wanted) != 0)
        return NULL;
    first->n_used++;
    return next;
}

static int match_all(struct matching *m, const struct graph *own, const struct graph *other, int *of_own,
                     bool *is_taken, struct error *err)
{
    if (list_nodes(m, other, is_taken, err) != 0)
        return -1;
    for (size_t i = 0; i < own->n_nodes; i++) {
        const struct node *node = &own->nodes[i];
        struct described wanted = {.numbers = m->scratch};
        const struct described *found;

        if (!is_open(own, node) || of_own[node->outputs[0]] != GRAPH_NONE)
            continue;
        wanted.n = describe(own, node, of_own, m->scratch);
        found = wanted.n == 0 ? NULL : use_next(m, &wanted);
        if (found == NULL)
            continue;
        of_own[node->outputs[0]] = other->nodes[found->node].outputs[0];
        is_taken[of_own[node->outputs[0]]] = true;
    }
    return 0;
}

int plan_match_nodes(const struct graph *own, const struct graph *other, int *of_own, bool *is_taken, struct error *err)
{
    size_t a = largest_description(own), b = largest_description(other);
    struct matching m = {.arena = arena_create(err)};
    int rc = -1;

    m.scratch = memory_create(a > b ? a : b, sizeof *m.scratch, "descriptions of nodes", err);
    m.list = memory_create(other->n_nodes, sizeof *m.list, "descriptions of nodes", err);
    if (m.arena != NULL && m.scratch != NULL && m.list != NULL)
        rc = match_all(&m, own, other, of_own, is_taken, err);
    arena_destroy(m.arena);
    free(m.scratch);
    free(m.list);
    return rc;
}
