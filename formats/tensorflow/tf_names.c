/* tf_names.c — nodes of the file by name, and the three ways of writing an edge. */
#include "formats/tensorflow/tf_import.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct tf_name *)a)->name, ((const struct tf_name *)b)->name);
}

int tf_names_create(const Tensorflow__GraphDef *proto, struct tf_names *out, struct error *err)
{
    out->n = proto->n_node;
    out->sorted = memory_create(out->n, sizeof *out->sorted, "the names of a graph", err);
    if (out->sorted == NULL)
        return -1;
    for (size_t i = 0; i < out->n; i++) {
        const Tensorflow__NodeDef *node = proto->node[i];

        if (tf_text(node->name)[0] == '\0' || tf_text(node->op)[0] == '\0')
            return error_set(err, EX_DATAERR, "node %zu has no %s", i,
                             tf_text(node->name)[0] == '\0' ? "name" : "operator");
        out->sorted[i] = (struct tf_name){node->name, i};
    }
    qsort(out->sorted, out->n, sizeof *out->sorted, compare_names);
    for (size_t i = 1; i < out->n; i++)
        if (strcmp(out->sorted[i - 1].name, out->sorted[i].name) == 0)
            return error_set(err, EX_DATAERR, "two nodes are called \"%s\"", out->sorted[i].name);
    return 0;
}

void tf_names_free(struct tf_names *names)
{
    free(names->sorted);
    *names = (struct tf_names){0};
}

/* The name is text[0..length). */
static bool find(const struct tf_names *names, const char *text, size_t length, size_t *out)
{
    size_t low = 0, high = names->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = names->sorted[middle].name;
        int order = strncmp(name, text, length);

        if (order == 0 && name[length] == '\0') {
            *out = names->sorted[middle].index;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* The digits behind the colon: an output is never called by another name, and no node has a colon in its own. */
static bool parse_port(const char *text, size_t *out)
{
    *out = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 9)
            return false;
        *out = 10 * *out + (size_t)(text[i] - '0');
    }
    return text[0] != '\0';
}

bool tf_names_find(const struct tf_names *names, const char *text, struct tf_edge *out)
{
    struct tf_edge edge = {.is_control = text[0] == '^'};
    const char *name = text + edge.is_control, *colon = strrchr(name, ':');

    if (colon != NULL && !parse_port(colon + 1, &edge.port))
        return false;
    if (!find(names, name, colon == NULL ? strlen(name) : (size_t)(colon - name), &edge.node))
        return false;
    *out = edge;
    return true;
}
