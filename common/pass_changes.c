/* pass_changes.c — see pass_changes.h. */
#include "common/pass_changes.h"

#include <stdlib.h>
#include <string.h>

/* Names and values are the graph's own and stay where they are, so addresses stand for them. */
struct entry {
    const char *name;
    uint64_t digest; /* of what the node computes, from what */
    size_t position; /* in execution order */
    bool is_met;     /* found again in the later graph */
};

struct snapshot {
    size_t n;
    struct entry *entries; /* sorted by name */
};

/* FNV-1a, 64 bits: nobody is to be deceived here. */
static uint64_t add_bytes(uint64_t digest, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return digest;
}

static uint64_t node_digest(const struct graph *graph, const struct node *node)
{
    uint64_t digest = 0xcbf29ce484222325u;

    digest = add_bytes(digest, &node->op, sizeof node->op);
    digest = add_bytes(digest, &node->fused, sizeof node->fused);
    digest = add_bytes(digest, &node->attr, sizeof node->attr);
    for (size_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
        int index = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];
        const struct value *value = index == GRAPH_NONE ? NULL : &graph->values[index];

        if (value == NULL) {
            digest = add_bytes(digest, &index, sizeof index);
            continue;
        }
        digest = add_bytes(digest, &value->name, sizeof value->name);
        digest = add_bytes(digest, &value->data, sizeof value->data);
    }
    return digest;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int compare_positions(const void *a, const void *b)
{
    size_t x = ((const struct entry *)a)->position, y = ((const struct entry *)b)->position;

    return (x > y) - (x < y);
}

struct snapshot *snapshot_create(const struct graph *graph, struct error *err)
{
    struct snapshot *snapshot = memory_create(1, sizeof *snapshot, "the nodes before a pass", err);

    if (snapshot == NULL)
        return NULL;
    snapshot->entries = memory_create(graph->n_nodes, sizeof *snapshot->entries, "the nodes before a pass", err);
    if (snapshot->entries == NULL) {
        free(snapshot);
        return NULL;
    }
    snapshot->n = graph->n_nodes;
    for (size_t i = 0; i < graph->n_nodes; i++)
        snapshot->entries[i] = (struct entry){graph->nodes[i].name, node_digest(graph, &graph->nodes[i]), i, false};
    qsort(snapshot->entries, snapshot->n, sizeof *snapshot->entries, compare_names);
    return snapshot;
}

void snapshot_destroy(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    free(snapshot->entries);
    free(snapshot);
}

/* Sorts the later graph's names into changed and added; marks those met. */
static void sort_nodes(const struct snapshot *before, const struct graph *graph, struct pass_changes *changes,
                       const char **changed, const char **added)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct entry key = {.name = graph->nodes[i].name};
        struct entry *old = bsearch(&key, before->entries, before->n, sizeof key, compare_names);

        if (old == NULL) {
            added[changes->n_added++] = key.name;
            continue;
        }
        old->is_met = true;
        if (old->digest != node_digest(graph, &graph->nodes[i]))
            changed[changes->n_changed++] = key.name;
    }
}

static void list_gone(const struct snapshot *before, struct pass_changes *changes, const char **gone)
{
    qsort(before->entries, before->n, sizeof *before->entries, compare_positions);
    for (size_t i = 0; i < before->n; i++)
        if (!before->entries[i].is_met)
            gone[changes->n_gone++] = before->entries[i].name;
}

int snapshot_compare(const struct snapshot *before, const struct graph *graph, const struct pass *pass, size_t round,
                     pass_watcher watch, void *context, struct error *err)
{
    const char **names = memory_create(before->n + 2 * graph->n_nodes, sizeof *names, "the nodes of a pass", err);
    struct pass_changes changes = {
        .pass = pass, .round = round, .nodes_before = before->n, .nodes_after = graph->n_nodes};
    int rc = names == NULL ? -1 : 0;

    if (rc == 0) {
        changes.changed = names;
        changes.added = names + graph->n_nodes;
        changes.gone = names + 2 * graph->n_nodes;
        sort_nodes(before, graph, &changes, names, names + graph->n_nodes);
        list_gone(before, &changes, names + 2 * graph->n_nodes);
        if (changes.n_changed + changes.n_added + changes.n_gone > 0)
            rc = watch(context, &changes, err);
    }
    free(names);
    return rc;
}
