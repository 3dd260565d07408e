/* passes.c — the list of passes, from common/CMakeLists.txt, and the loop over it. */
#include "common/pass_changes.h"

#define PASS(id) extern const struct pass pass_##id;
#include "passes.def"
#undef PASS

const struct pass *const passes[] = {
#define PASS(id) &pass_##id,
#include "passes.def"
#undef PASS
    NULL,
};

static int run_pass(const struct pass *pass, struct graph *graph, struct error *err)
{
    if (pass->run(graph, err) != 0 || graph_compact(graph, err) != 0)
        return error_in(err, "pass %s", pass->name);
    if (graph_validate(graph, err) != 0) {
        err->code = EX_SOFTWARE; /* the graph was valid before */
        return error_in(err, "pass %s broke the graph", pass->name);
    }
    return 0;
}

static int run_watched(const struct pass *pass, size_t round, struct graph *graph, pass_watcher watch, void *context,
                       struct error *err)
{
    struct snapshot *before;
    int rc;

    if (watch == NULL)
        return run_pass(pass, graph, err);
    before = snapshot_create(graph, err);
    rc = before == NULL ? -1 : run_pass(pass, graph, err);
    if (rc == 0)
        rc = snapshot_compare(before, graph, pass, round, watch, context, err);
    snapshot_destroy(before);
    return rc;
}

int graph_normalise_watched(struct graph *graph, pass_watcher watch, void *context, struct error *err)
{
    uint64_t before;
    size_t round = 0;

    if (graph_validate(graph, err) != 0)
        return -1;
    do { /* every edit drops a node or makes one more definite, so this ends */
        before = graph->revision;
        round++;
        for (size_t i = 0; passes[i] != NULL; i++)
            if (run_watched(passes[i], round, graph, watch, context, err) != 0)
                return -1;
    } while (graph->revision != before);
    return 0;
}

int graph_normalise(struct graph *graph, struct error *err)
{
    return graph_normalise_watched(graph, NULL, NULL, err);
}
