/* engine_memory.c — the place of every buffer in one piece of memory; see engine_private.h.
 *
 * A buffer occupies its bytes from the first to the last step that touches it. Buffers are placed largest first, each
 * at the lowest offset where it meets no placed buffer that lives at the same time: within a few percent of the lower
 * bound on the networks of tests/bench, and a pure function of the graph.
 */
#include "worker/engine_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

static int root_of(const struct engine *engine, int buffer)
{
    while (engine->buffers[buffer].merged_into >= 0)
        buffer = engine->buffers[buffer].merged_into;
    return buffer;
}

/* A step that may work in place does so when it is the last to read its input. Observers have seen that value already.
 */
static void merge_in_place(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_steps; i++) {
        const struct engine_step *step = &engine->steps[i];
        struct engine_buffer *from, *to;
        int root;

        if (step->overwriting < 0 || step->overwriting == step->overwritten)
            continue;
        root = root_of(engine, step->overwritten);
        to = &engine->buffers[step->overwriting];
        from = &engine->buffers[root];
        if (from->last != (int)i || to->first != (int)i || from->bytes != to->bytes || to->merged_into >= 0)
            continue;
        from->last = to->last;
        to->merged_into = root;
    }
}

static bool live_together(const struct engine_buffer *a, const struct engine_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The lowest free offset for `buffer` among placed ones, which are sorted by offset. */
static size_t lowest_offset(struct engine_buffer *const *placed, size_t n, const struct engine_buffer *buffer)
{
    size_t offset = 0;

    for (size_t i = 0; i < n; i++) {
        size_t end = placed[i]->offset + rounded(placed[i]->bytes);

        if (!live_together(placed[i], buffer))
            continue;
        if (placed[i]->offset >= offset + rounded(buffer->bytes))
            break;
        offset = end > offset ? end : offset;
    }
    return offset;
}

static int larger_first(const void *a, const void *b)
{
    const struct engine_buffer *x = *(struct engine_buffer *const *)a, *y = *(struct engine_buffer *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y; /* both lie in one array: the older one first */
}

static int place_buffers(struct engine *engine, struct error *err)
{
    struct engine_buffer **order = memory_create(engine->n_buffers, sizeof *order, "the memory plan", err);
    struct engine_buffer **placed = memory_create(engine->n_buffers, sizeof *placed, "the memory plan", err);
    size_t n = 0;

    if (order != NULL && placed != NULL) {
        for (size_t i = 0; i < engine->n_buffers; i++)
            if (engine->buffers[i].merged_into < 0)
                order[n++] = &engine->buffers[i];
        qsort(order, n, sizeof *order, larger_first);
        for (size_t i = 0; i < n; i++) {
            size_t at = i;

            order[i]->offset = lowest_offset(placed, i, order[i]);
            for (; at > 0 && placed[at - 1]->offset > order[i]->offset; at--)
                placed[at] = placed[at - 1];
            placed[at] = order[i];
            if (order[i]->offset + rounded(order[i]->bytes) > engine->memory_bytes)
                engine->memory_bytes = order[i]->offset + rounded(order[i]->bytes);
        }
        for (size_t i = 0; i < engine->n_buffers; i++)
            engine->buffers[i].offset = engine->buffers[root_of(engine, (int)i)].offset;
    }
    free(order);
    free(placed);
    return order != NULL && placed != NULL ? 0 : -1;
}

static int make_arguments(struct engine *engine, struct engine_step *step, struct error *err)
{
    dnnl_engine_t library = onednn_engine(err);

    step->args = arena_create_array(engine->arena, step->n_operands, sizeof *step->args, err);
    if (step->args == NULL || library == NULL)
        return -1;
    for (size_t i = 0; i < step->n_operands; i++) {
        struct engine_operand *operand = &step->operands[i];

        if (operand->buffer >= 0)
            operand->data = (float *)(void *)(engine->memory + engine->buffers[operand->buffer].offset);
        else if (operand->buffer == ENGINE_SCRATCHPAD)
            operand->data = (float *)(void *)engine->scratchpad;
        else
            operand->data = (float *)(uintptr_t)operand->fixed; /* only read */
        if (step->primitive == NULL)
            continue;
        step->args[i].arg = operand->arg;
        if (onednn_check(dnnl_memory_create(&step->args[i].memory, &operand->md, library, operand->data),
                         "describe memory", err) != 0)
            return -1;
    }
    return 0;
}

static void fill_constants(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_buffers; i++) {
        const struct engine_buffer *buffer = &engine->buffers[i];
        size_t record = buffer->bytes / engine->batch;

        for (size_t r = 0; buffer->constant != GRAPH_NONE && r < engine->batch; r++)
            memcpy(engine->memory + buffer->offset + r * record, engine->graph->values[buffer->constant].data, record);
    }
}

/* Zeroed, on large pages where the system has them: 3 % on SqueezeNet, whose layers wait for memory. */
static void *map_memory(size_t bytes, struct error *err)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        error_set(err, EX_OSERR, "cannot allocate %zu bytes for activations", bytes);
        return NULL;
    }
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: small pages do as well */
    return memory;
}

void engine_unmap(struct engine *engine)
{
    if (engine->memory != NULL)
        (void)munmap(engine->memory, engine->memory_bytes);
    engine->memory = NULL;
}

int engine_place(struct engine *engine, struct error *err)
{
    merge_in_place(engine);
    if (place_buffers(engine, err) != 0)
        return -1;
    engine->memory = map_memory(engine->memory_bytes, err);
    engine->scratchpad = memory_create(engine->scratchpad_bytes, 1, "the engine's scratchpad", err);
    if (engine->memory == NULL || engine->scratchpad == NULL)
        return -1;
    for (size_t i = 0; i < engine->n_steps; i++)
        if (make_arguments(engine, &engine->steps[i], err) != 0)
            return -1;
    fill_constants(engine);
    return 0;
}
