/* write_slice.c — parts of axes: Slice layers.
 *
 * A Slice layer deals out a whole axis among its tops. What no node wants becomes tops of their own, which a Silence
 * layer reads: a blob that nobody reads would be an output. Nodes that cut the same axis of the same value, and follow
 * each other along it, share a layer.
 */
#include "formats/caffe/write.h"

#include <stdio.h>

enum { CHANNELS = 1, ROWS = 2 }; /* axes of an image */
enum { WHAT_BYTES = 48 };        /* a word and two numbers */

/* ---- Layers */

static const char *rest_name(struct caffe_writer *w, size_t axis, size_t index)
{
    char what[WHAT_BYTES];

    snprintf(what, sizeof what, "rest%zu_%zu", axis, index);
    return caffe_inner_name(w, what);
}

/* The tops of a Slice layer, while they are listed. */
struct tops {
    const char **names, **rests;
    int64_t *points; /* where each top but the last ends */
    size_t n, n_rests;
};

static void add_top(struct tops *tops, const char *name, int64_t end)
{
    tops->points[tops->n] = end;
    tops->names[tops->n++] = name;
}

static void add_rest(struct caffe_writer *w, struct tops *tops, size_t axis, int64_t end)
{
    const char *name = rest_name(w, axis, tops->n_rests);

    tops->rests[tops->n_rests++] = name;
    add_top(tops, name, end);
}

/* Parts and what lies between them. */
static bool list_tops(struct caffe_writer *w, struct tops *tops, size_t axis, int64_t extent,
                      const struct caffe_part *parts, size_t n)
{
    int64_t at = 0;

    tops->names = arena_create_array(w->arena, 2 * n + 1, sizeof *tops->names, &w->err);
    tops->rests = arena_create_array(w->arena, n + 1, sizeof *tops->rests, &w->err);
    tops->points = arena_create_array(w->arena, 2 * n + 1, sizeof *tops->points, &w->err);
    if (w->err.code != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].begin > at)
            add_rest(w, tops, axis, parts[i].begin);
        add_top(tops, parts[i].to, parts[i].end);
        at = parts[i].end;
    }
    if (at < extent)
        add_rest(w, tops, axis, extent);
    return true;
}

void caffe_put_parts(struct caffe_writer *w, const char *name, const char *from, size_t axis, int64_t extent,
                     const struct caffe_part *parts, size_t n)
{
    Caffe__SliceParameter *param = caffe_put_message(w, &caffe__slice_parameter__descriptor);
    Caffe__LayerParameter *layer;
    struct tops tops = {0};

    if (param == NULL || !list_tops(w, &tops, axis, extent, parts, n))
        return;
    layer = caffe_put_layer(w, "Slice", name, &from, 1, tops.names, tops.n);
    if (tops.n_rests > 0)
        caffe_put_layer(w, "Silence", caffe_fresh_name(w, name, "silence"), tops.rests, tops.n_rests, NULL, 0);
    if (layer == NULL)
        return;
    layer->slice_param = param;
    param->has_axis = axis != 1;
    param->axis = (int32_t)axis;
    param->slice_point = caffe_put_integers(w, tops.points, tops.n - 1);
    param->n_slice_point = tops.n - 1;
}

/* ---- Nodes that share a layer */

/* Is the node a part of this axis, and of no other? */
static bool is_part(const struct caffe_writer *w, const struct node *node, size_t axis)
{
    const struct shape *x = caffe_shape_of(w, node->inputs[0]), *y = caffe_shape_of(w, node->outputs[0]);

    for (size_t i = 0; i < x->rank; i++)
        if ((x->dims[i] == y->dims[i]) == (i == axis))
            return false;
    return y->dims[axis] == 1 || node->attr.slice.step[axis] == 1;
}

static struct caffe_part part_of(const struct caffe_writer *w, size_t index, size_t axis)
{
    const struct node *node = &w->graph->nodes[index];
    int64_t begin = node->attr.slice.begin[axis];

    return (struct caffe_part){begin, begin + caffe_shape_of(w, node->outputs[0])->dims[axis],
                               w->blobs[node->outputs[0]]};
}

/* The next node from `index` on that takes a part of the same axis, at `begin` or behind. Outputs of the network keep
 * their place in the file. */
static size_t next_part(const struct caffe_writer *w, size_t index, size_t axis, int64_t begin)
{
    for (; index < w->graph->n_nodes; index++) {
        const struct node *node = &w->graph->nodes[index];

        if (node->op == OP_SLICE && node->inputs[0] == w->node->inputs[0] && !w->is_put[index] &&
            is_part(w, node, axis) && node->attr.slice.begin[axis] >= begin &&
            !graph_is_output(w->graph, node->outputs[0]))
            break;
    }
    return index;
}

/* The node's own part, and those of the nodes that share its layer: they are put then. */
static void put_shared(struct caffe_writer *w, size_t axis)
{
    size_t first = (size_t)(w->node - w->graph->nodes), n = 0;
    struct caffe_part *parts;

    for (size_t i = first; i < w->graph->n_nodes; i = next_part(w, i + 1, axis, part_of(w, i, axis).end))
        n++;
    parts = arena_create_array(w->arena, n, sizeof *parts, &w->err);
    if (parts == NULL)
        return;
    for (size_t i = first, k = 0; k < n; i = next_part(w, i + 1, axis, parts[k++].end)) {
        parts[k] = part_of(w, i, axis);
        w->is_put[i] = true;
    }
    caffe_put_parts(w, w->node->name, w->from, axis, caffe_shape_of(w, w->node->inputs[0])->dims[axis], parts, n);
}

/* ---- Nodes with layers of their own */

/* The elements of an axis that a slice takes its own from: all behind its first, where that gives no more. */
struct range {
    int64_t begin, end, step;
};

static struct range find_range(const struct node *slice, size_t axis, int64_t extent, int64_t n)
{
    int64_t step = n > 1 ? slice->attr.slice.step[axis] : 1;
    struct range range = {slice->attr.slice.begin[axis], extent, step};

    if ((extent - range.begin - 1) / step + 1 != n)
        range.end = range.begin + (n - 1) * step + 1;
    return range;
}

static bool is_whole(const struct range *range, int64_t extent)
{
    return range->begin == 0 && range->end == extent;
}

static void put_cuts(struct caffe_writer *w, struct caffe_chain *chain, const struct range *ranges,
                     const struct shape *x)
{
    for (size_t i = 0; i < x->rank; i++) {
        char what[WHAT_BYTES];
        struct caffe_link link;

        if (is_whole(&ranges[i], x->dims[i]))
            continue;
        snprintf(what, sizeof what, "axis%zu", i);
        link = caffe_next_link(w, chain, what);
        caffe_put_parts(w, link.name, link.from, i, x->dims[i],
                        &(struct caffe_part){ranges[i].begin, ranges[i].end, link.to}, 1);
    }
}

/* Cuts along one axis after the other, then steps of channels, of rows and columns. */
static void put_own(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->outputs[0]);
    struct range ranges[TENSOR_MAX_RANK];
    struct caffe_chain chain = {.at = w->from};
    struct range channels = {0};
    int64_t stride[2] = {1, 1};

    for (size_t i = 0; i < x->rank; i++) {
        ranges[i] = find_range(w->node, i, x->dims[i], y->dims[i]);
        if (x->rank == 4 && i == CHANNELS && ranges[i].step > 1) {
            channels = ranges[i];
            ranges[i] = (struct range){0, x->dims[i], 1};
        }
        chain.n_left += !is_whole(&ranges[i], x->dims[i]);
        if (ranges[i].step == 1)
            continue;
        if (x->rank != 4 || i < ROWS) {
            caffe_cannot(w, "a slice with step %lld of axis %zu has no form in Caffe", (long long)ranges[i].step, i);
            return;
        }
        stride[i - ROWS] = ranges[i].step;
    }
    chain.n_left += (size_t)(channels.step > 1) + (stride[0] > 1 || stride[1] > 1);
    put_cuts(w, &chain, ranges, x);
    if (channels.step > 1)
        caffe_put_selection(w, caffe_next_link(w, &chain, "channels"), x->dims[CHANNELS], channels.begin, channels.step,
                            y->dims[CHANNELS]);
    if (chain.n_left > 0)
        caffe_put_subsample(w, caffe_next_link(w, &chain, "steps"), y->dims[1], stride);
}

void caffe_write_slice(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]);

    if (shape_equal(x, caffe_shape_of(w, w->node->outputs[0]))) {
        caffe_write_identity(w);
        return;
    }
    for (size_t axis = 0; axis < x->rank; axis++)
        if (is_part(w, w->node, axis)) {
            put_shared(w, axis);
            return;
        }
    put_own(w);
}
