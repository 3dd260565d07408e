/* apart.c — see apart.h. */
#include "coordinator/apart.h"

#include <stdlib.h>

void apart_end_views(struct apart *apart)
{
    observation_return(apart->plain);
    observation_return(apart->observation);
    apart->plain = apart->observation = NULL;
}

void apart_fini(struct apart *apart)
{
    apart_end_views(apart);
    graph_destroy(apart->watched);
    graph_destroy(apart->graph);
    equalization_fini(&apart->equalization);
    free(apart->of_value);
    free(apart->beside);
    *apart = (struct apart){0};
}

int apart_watch(struct apart *apart, const struct graph *graph, struct error *err)
{
    if (apart->equalization.n == 0)
        return 0;
    apart->of_value = memory_create(graph->n_values, sizeof *apart->of_value, "equalization", err);
    apart->beside = memory_create(graph->n_values, sizeof *apart->beside, "equalization", err);
    if (apart->of_value == NULL || apart->beside == NULL ||
        equalization_trace(graph, &apart->equalization, apart->of_value, err) != 0)
        return -1;
    apart->watched = equalization_watch(graph, apart->of_value, apart->beside, err);
    return apart->watched == NULL ? -1 : 0;
}

int apart_rewrite(struct apart *apart, const struct graph *graph, struct error *err)
{
    if (apart->watched == NULL)
        return 0;
    for (size_t v = 0; v < graph->n_values; v++)
        apart->watched->values[v].data = graph->values[v].data;
    apart->graph = graph_copy(graph, err);
    return apart->graph == NULL ? -1 : equalization_apply(apart->graph, &apart->equalization, err);
}

int apart_see(struct apart *apart, const struct graph *graph, const struct observation *seen, struct error *err)
{
    if (apart->watched == NULL)
        return 0;
    apart->plain = observation_lend(seen, graph, NULL, NULL, err);
    if (apart->plain == NULL)
        return -1;
    apart->observation = observation_lend(seen, apart->graph, apart->beside, apart->of_value, err);
    return apart->observation == NULL ? -1 : 0;
}
