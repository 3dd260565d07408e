/* keep_nodes.c — an edit that a user asks for: nodes that no pass may fold, fuse or rewrite. */
#include "common/passes.h"
#include "common/suggest.h"

#include <fnmatch.h>

int graph_keep_nodes(struct graph *graph, const char *const *patterns, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        bool is_used = false;

        for (size_t k = 0; k < graph->n_nodes; k++)
            if (fnmatch(patterns[i], graph->nodes[k].name, 0) == 0)
                is_used = graph->nodes[k].is_kept = true;
        if (!is_used)
            return error_set(err, EX_CONFIG, "the node \"%s\", to be kept, does not exist; the nearest is \"%s\"",
                             patterns[i],
                             graph->n_nodes == 0 ? ""
                                                 : suggest_nearest(patterns[i], &graph->nodes[0].name, graph->n_nodes,
                                                                   sizeof(struct node)));
    }
    return 0;
}
