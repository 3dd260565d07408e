/* node_share.c — see node_share.h. */
#include "coordinator/node_share.h"

#include "common/log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t constant_bytes(const struct graph *graph, size_t v)
{
    struct tensor tensor;

    if (!graph_constant(graph, (int)v, &tensor) || tensor.data == NULL)
        return 0;
    return (size_t)shape_elements(&tensor.shape) * dtype_size(tensor.dtype);
}

/* Context: the graph. One constant after the other. */
static void copy_constants(void *context, void *memory)
{
    const struct graph *graph = context;
    unsigned char *to = memory;

    for (size_t v = 0; v < graph->n_values; v++) {
        size_t bytes = constant_bytes(graph, v);

        if (bytes > 0)
            memcpy(to, graph->values[v].data, bytes);
        to += aligned(bytes);
    }
}

/* The pages that lie wholly in it: nothing reads them any more. Where they are of a file, they are of no use here. */
static void forget(const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)data + bytes) / page * page;

    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED); /* what is refused stays as it is */
}

void node_share_constants(const struct comm *comm, struct graph *graph, struct comm_shared *shared)
{
    const unsigned char *from;
    size_t total = 0;

    for (size_t v = 0; v < graph->n_values; v++)
        total += aligned(constant_bytes(graph, v));
    comm_share_on_node(comm, total, copy_constants, graph, shared);
    from = shared->data;
    if (from == NULL)
        return;
    log_debug("%zu bytes of constants are shared by the ranks of this machine", total);
    for (size_t v = 0; v < graph->n_values; v++) {
        size_t bytes = constant_bytes(graph, v);
        const void *before = graph->values[v].data;

        if (bytes == 0)
            continue;
        graph->values[v].data = from;
        from += aligned(bytes);
        forget(before, bytes);
    }
}

static void copy_weights(void *context, void *memory)
{
    engine_copy_weights(context, memory);
}

struct engine *node_share_engine(const struct comm *comm, const struct graph *graph, size_t batch,
                                 struct comm_shared *shared, struct error *err)
{
    struct engine *engine = NULL;
    struct comm node;

    comm_on_node(comm, &node);
    if (node.rank == 0)
        engine = engine_create(graph, batch, NULL, err);
    comm_share_on_node(comm, engine == NULL ? 0 : engine_weights_bytes(engine), copy_weights, engine, shared);
    if (shared->data != NULL) {
        log_debug("%zu bytes of weights are shared by the ranks of this machine", shared->bytes);
        engine_destroy(engine);
        return engine_create_with(graph, batch, shared->data, shared->bytes, err);
    }
    return node.rank == 0 ? engine : engine_create(graph, batch, NULL, err);
}
