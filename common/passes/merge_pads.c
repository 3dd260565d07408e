/* merge_pads.c — pass: zero padding of the image moves into the window that reads it, where the result is the same.
 *
 * Exact for a convolution, and for an average pool that counts its padding or has none of its own. Not for a maximum
 * pool, whose own padding never wins while a zero may.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static bool pads_image_with_zeros(const struct graph *graph, const struct node *pad)
{
    size_t rank = graph->values[pad->outputs[0]].shape.rank;

    return pad->op == OP_PAD && pad->attr.pad.mode == PAD_CONSTANT && pad->attr.pad.value == 0 &&
           (rank == 3 || rank == 4) && pad->attr.pad.begin[0] == 0 && pad->attr.pad.end[0] == 0 &&
           pad->attr.pad.begin[1] == 0 && pad->attr.pad.end[1] == 0;
}

static bool has_pads(const struct window *w)
{
    return w->pad_begin[0] != 0 || w->pad_begin[1] != 0 || w->pad_end[0] != 0 || w->pad_end[1] != 0;
}

/* Every window must keep touching the image: pools have no value for one that does not, and kernels are made for that.
 */
static bool still_touches(const struct shape *x, const struct window *w, const int64_t output[2])
{
    for (size_t axis = 2; axis < x->rank; axis++) {
        size_t k = axis + 2 - x->rank;

        if (w->dilation[k] * (w->kernel[k] - 1) < w->pad_begin[k] ||
            (output[k] - 1) * w->stride[k] - w->pad_begin[k] >= x->dims[axis])
            return false;
    }
    return true;
}

static void add_pads(struct window *w, const struct node *pad, size_t rank)
{
    for (size_t axis = 2; axis < rank; axis++) {
        size_t k = axis + 2 - rank;

        w->pad_begin[k] += pad->attr.pad.begin[axis];
        w->pad_end[k] += pad->attr.pad.end[axis];
    }
}

static int merge(struct rewrite *rewrite, int index, struct error *err)
{
    struct graph *graph = rewrite->graph;
    struct node *node = &graph->nodes[index];
    const struct node *pad = rewrite_producer(graph, node->inputs[0]);
    const struct shape *x = pad == NULL ? NULL : &graph->values[pad->inputs[0]].shape;
    int64_t output[2] = {1, 1};
    struct window window;

    if (pad == NULL || !pads_image_with_zeros(graph, pad))
        return 0;
    window = node->op == OP_CONV ? node->attr.conv.window : node->attr.pool.window;
    add_pads(&window, pad, x->rank);
    for (size_t axis = 2; axis < x->rank; axis++)
        output[axis + 2 - x->rank] = graph->values[node->outputs[0]].shape.dims[axis];
    if (!still_touches(x, &window, output))
        return 0;
    if (node->op == OP_CONV) {
        node->attr.conv.window = window;
    } else {
        if (has_pads(&node->attr.pool.window) && !node->attr.pool.count_include_pad)
            return 0;
        node->attr.pool.window = window;
        node->attr.pool.count_include_pad = true;
        node->attr.pool.is_global = false; /* its kernel is larger than the image now */
    }
    return rewrite_set_input(rewrite, index, 0, pad->inputs[0], err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        const struct node *node = &graph->nodes[i];

        if (rewrite_may_edit(node) &&
            (node->op == OP_CONV || (node->op == OP_POOL && node->attr.pool.kind == POOL_AVERAGE)))
            rc = merge(&rewrite, (int)i, err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_merge_pads = {
    .name = "merge_pads",
    .summary = "move zero padding of images into the convolution or average pool that reads them",
    .run = run,
};
