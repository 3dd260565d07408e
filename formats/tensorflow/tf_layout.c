/* tf_layout.c — the file's order of axes over the graph's; see tf_import.h.
 *
 * Elements of extent 1 lie anywhere without costing anything, so "in order" below always means: among the axes that are
 * longer. Axis 0 of an activation is the batch; it is 1 here, but not in the engine, and stays where it is.
 */
#include "formats/tensorflow/tf_import.h"

#include <stdio.h>
#include <string.h>

struct tf_order tf_plain_order(void)
{
    struct tf_order order;

    for (size_t i = 0; i < TENSOR_MAX_RANK; i++)
        order.axis[i] = (uint8_t)i;
    return order;
}

struct tf_order tf_image_order(size_t rank, bool is_channels_last)
{
    struct tf_order order = tf_plain_order();

    if (!is_channels_last || rank < 3)
        return order;
    for (size_t i = 1; i + 1 < rank; i++)
        order.axis[i] = (uint8_t)(i + 1);
    order.axis[rank - 1] = 1;
    return order;
}

size_t tf_rank(const struct tf_import *in, const struct tf_tensor *tensor)
{
    return in->graph->values[tensor->value].shape.rank;
}

struct shape tf_shape(const struct tf_import *in, const struct tf_tensor *tensor)
{
    const struct shape *from = &in->graph->values[tensor->value].shape;
    struct shape shape = {.rank = from->rank};

    for (size_t i = 0; i < from->rank; i++)
        shape.dims[i] = from->dims[tensor->order.axis[i]];
    return shape;
}

struct tf_tensor tf_transposed(const struct tf_tensor *tensor, const int64_t *perm, size_t rank)
{
    struct tf_tensor result = *tensor;

    for (size_t i = 0; i < rank; i++)
        result.order.axis[i] = tensor->order.axis[perm[i]];
    return result;
}

/* --- arranging --- */

/* Does the permutation move elements? */
static bool moves_elements(const int64_t *perm, const struct shape *x)
{
    int64_t last = -1;

    for (size_t i = 0; i < x->rank; i++) {
        if (x->dims[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return true;
        last = perm[i];
    }
    return x->rank > 0 && perm[0] != 0;
}

/* The same arrangement of `value`, made for an earlier reader. */
static int find_arranged(const struct tf_import *in, const char *name, int value, const int64_t *perm)
{
    const struct graph *graph = in->graph;
    int found = graph_find_value(graph, name);
    const struct node *node;

    if (found == GRAPH_NONE || graph->values[found].producer == GRAPH_NONE)
        return GRAPH_NONE;
    node = &graph->nodes[graph->values[found].producer];
    if (node->op != OP_TRANSPOSE || node->inputs[0] != value)
        return GRAPH_NONE;
    return memcmp(node->attr.perm, perm, graph->values[value].shape.rank * sizeof *perm) == 0 ? found : GRAPH_NONE;
}

/* Called after the value, so that the next reader finds it. */
static int permute(struct tf_import *in, const struct tf_node *node, int value, const int64_t *perm, struct error *err)
{
    const struct value *from = &in->graph->values[value];
    struct node draft = {.op = OP_TRANSPOSE, .inputs = &value, .n_inputs = 1};
    struct shape shape = {.rank = from->shape.rank};
    char step[TENSOR_MAX_RANK + 16] = "transposed_";
    struct tf_result result = {.step = step, .of = from->name, .dtype = from->dtype};
    const char *name;
    int found;

    for (size_t i = 0; i < shape.rank; i++) {
        shape.dims[i] = from->shape.dims[perm[i]];
        step[strlen("transposed_") + i] = (char)('0' + perm[i]);
        draft.attr.perm[i] = perm[i];
    }
    name = arena_format(in->graph->arena, err, "%s/%s", from->name, step);
    if (name == NULL)
        return -1;
    found = find_arranged(in, name, value, perm);
    if (found != GRAPH_NONE)
        return found;
    if (!moves_elements(perm, &from->shape)) {
        draft = (struct node){.op = OP_RESHAPE, .inputs = &value, .n_inputs = 1};
        result.shape = &shape;
    }
    return tf_add(in, node, &draft, &result, err);
}

/* For each axis of the graph's value in `order`, the axis that it is now. */
static void find_permutation(const struct tf_tensor *tensor, struct tf_order order, size_t rank, int64_t *perm)
{
    for (size_t i = 0; i < rank; i++)
        perm[order.axis[i]] = tensor->order.axis[i];
}

int tf_arrange(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor, struct tf_order order,
               struct error *err)
{
    size_t rank = tf_rank(in, tensor);
    int64_t perm[TENSOR_MAX_RANK] = {0};

    if (memcmp(order.axis, tensor->order.axis, rank) == 0)
        return tensor->value;
    find_permutation(tensor, order, rank, perm);
    return permute(in, node, tensor->value, perm, err);
}

int tf_image(struct tf_import *in, const struct tf_node *node, size_t slot, bool is_channels_last, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[slot];
    struct shape shape = tf_shape(in, x);
    char text[SHAPE_TEXT_BYTES];

    if (shape.rank != 4)
        return error_set(err, EX_UNAVAILABLE, "expected an image of 4 axes as input %zu, found shape %s", slot,
                         shape_text(&shape, text));
    return tf_arrange(in, node, x, tf_image_order(4, is_channels_last), err);
}

/* --- reshaping --- */

/* Neighbouring axes of one shape that hold the same elements as neighbouring axes of the other. */
struct group {
    size_t from, from_end, to, to_end; /* [from, from_end) of the old shape, [to, to_end) of the new one */
    size_t place;                      /* where the longest of its old axes lies in the graph's value */
};

/* Cuts both shapes into the smallest groups. Axes of 1 go with what comes before them; axis 0 is a group of its own
 * where it is the batch. Both shapes have the same number of elements, at least one. */
static size_t find_groups(const struct shape *from, const struct shape *to, struct group groups[TENSOR_MAX_RANK + 1])
{
    size_t n = 0, i = 0, k = 0;

    while (i < from->rank || k < to->rank) {
        struct group group = {.from = i, .to = k};
        int64_t left = i < from->rank ? from->dims[i++] : 1, right = k < to->rank ? to->dims[k++] : 1;

        while (left != right) {
            if (left < right)
                left *= from->dims[i++];
            else
                right *= to->dims[k++];
        }
        while (n > 0 && i < from->rank && from->dims[i] == 1)
            i++;
        while (n > 0 && k < to->rank && to->dims[k] == 1)
            k++;
        group.from_end = i;
        group.to_end = k;
        groups[n++] = group;
    }
    return n;
}

/* In the order in which the groups lie in the graph's value. Axes of a group may lie apart; then the longest leads, so
 * that channels into which pixels move, or pixels into which channels move, stay what they are. */
static void sort_groups(const struct tf_tensor *tensor, const struct shape *from, struct group *groups, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        int64_t longest = 1;

        groups[g].place = g == 0 ? 0 : TENSOR_MAX_RANK;
        for (size_t i = groups[g].from; i < groups[g].from_end; i++)
            if (from->dims[i] > longest || (from->dims[i] == longest && tensor->order.axis[i] < groups[g].place)) {
                longest = from->dims[i];
                groups[g].place = tensor->order.axis[i];
            }
    }
    for (size_t g = 1; g < n; g++) /* by insertion: stable, at most nine */
        for (size_t k = g; k > 0 && groups[k].place < groups[k - 1].place; k--) {
            struct group swap = groups[k];

            groups[k] = groups[k - 1];
            groups[k - 1] = swap;
        }
}

/* Where an activation's elements must lie so that the new shape can be read off them, and how the new axes then lie. */
static void plan_reshape(const struct tf_tensor *tensor, const struct shape *from, const struct shape *to,
                         struct tf_order *before, struct tf_order *after)
{
    struct group groups[TENSOR_MAX_RANK + 1];
    size_t n = find_groups(from, to, groups);
    uint8_t n_before = 0, n_after = 0;

    *before = *after = tf_plain_order();
    sort_groups(tensor, from, groups, n);
    for (int is_one = 0; is_one <= 1; is_one++) /* axes of 1 last, the batch first */
        for (size_t g = 0; g < n; g++) {
            for (size_t i = groups[g].from; i < groups[g].from_end; i++)
                if ((i > 0 && from->dims[i] == 1) == is_one)
                    before->axis[i] = n_before++;
            for (size_t k = groups[g].to; k < groups[g].to_end; k++)
                if ((k > 0 && to->dims[k] == 1) == is_one)
                    after->axis[k] = n_after++;
        }
}

/* The graph's value in which elements lie as the new shape wants them; *order says how its axes lie, *physical how long
 * they are. */
static int prepare_reshape(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                           const struct shape *shape, struct tf_order *order, struct shape *physical, struct error *err)
{
    struct shape from = tf_shape(in, tensor);
    char from_text[SHAPE_TEXT_BYTES], to_text[SHAPE_TEXT_BYTES];
    struct tf_order before;
    int64_t perm[TENSOR_MAX_RANK] = {0};
    int value = tensor->value;

    if (shape_elements(shape) != shape_elements(&from))
        return error_set(err, EX_DATAERR, "shape %s cannot become %s", shape_text(&from, from_text),
                         shape_text(shape, to_text));
    *order = tf_plain_order();
    if (!in->graph->values[value].is_constant) {
        if (shape->rank == 0 || from.rank == 0 || shape->dims[0] != 1 || from.dims[0] != 1 || shape_elements(shape) < 1)
            return error_set(err, EX_UNAVAILABLE, "shape %s cannot become %s: axis 0 is the batch, which must stay",
                             shape_text(&from, from_text), shape_text(shape, to_text));
        plan_reshape(tensor, &from, shape, &before, order);
        find_permutation(tensor, before, from.rank, perm);
        if (moves_elements(perm, &in->graph->values[value].shape))
            value = permute(in, node, value, perm, err);
    }
    *physical = *shape;
    for (size_t i = 0; i < shape->rank; i++)
        physical->dims[order->axis[i]] = shape->dims[i];
    return value;
}

int tf_reshape(struct tf_import *in, struct tf_node *node, const struct tf_tensor *tensor, const struct shape *shape,
               size_t port, struct error *err)
{
    struct tf_order order;
    struct shape physical;
    int value = prepare_reshape(in, node, tensor, shape, &order, &physical, err);

    if (value < 0 || (value = tf_add_reshape(in, node, value, &physical, NULL, port, err)) < 0)
        return -1;
    node->outputs[port] = (struct tf_tensor){.value = value, .order = order};
    return 0;
}

int tf_reshape_step(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                    const struct shape *shape, const char *step, struct tf_tensor *out, struct error *err)
{
    struct tf_order order;
    struct shape physical;
    int value = prepare_reshape(in, node, tensor, shape, &order, &physical, err);

    if (value < 0 || (value = tf_add_reshape(in, node, value, &physical, step, 0, err)) < 0)
        return -1;
    *out = (struct tf_tensor){.value = value, .order = order};
    return 0;
}

/* --- outputs --- */

int tf_restore_order(struct tf_import *in, const struct tf_node *node, struct tf_tensor *tensor, struct error *err)
{
    struct graph *graph = in->graph;
    size_t rank = tf_rank(in, tensor);
    struct tf_order plain = tf_plain_order(), image = tf_image_order(4, true);
    struct value value = graph->values[tensor->value]; /* adding moves values */
    int result = tensor->value, stored, transpose;
    const char *name;

    if (memcmp(tensor->order.axis, plain.axis, rank) == 0 || value.producer == GRAPH_NONE ||
        (rank == 4 && memcmp(tensor->order.axis, image.axis, rank) == 0))
        return 0;
    name = tf_free_name(in, node->proto->name, "stored", err);
    stored = name == NULL ? -1 : graph_add_value(graph, name, value.dtype, &value.shape, err);
    if (stored < 0)
        return -1;
    graph_replace_uses(graph, result, stored);
    graph->nodes[value.producer].outputs[0] = stored;
    graph->values[stored].producer = value.producer;
    graph->values[result].producer = GRAPH_NONE;
    graph->values[result].has_shape = false;
    transpose = graph_add_node(graph, OP_TRANSPOSE, name, node->proto->op, &stored, 1, &result, 1, err);
    if (transpose < 0)
        return -1;
    for (size_t i = 0; i < rank; i++)
        graph->nodes[transpose].attr.perm[i] = tensor->order.axis[i];
    tensor->order = plain;
    return graph_fold_node(graph, transpose, err);
}

/* --- constants beside activations --- */

int tf_align_constant(struct tf_import *in, const struct tf_node *node, int constant, const struct tf_tensor *x,
                      const char *step, struct error *err)
{
    struct shape shape = in->graph->values[constant].shape, aligned = {.rank = tf_rank(in, x)};
    char text[SHAPE_TEXT_BYTES];

    struct tf_tensor tensor = {.order = tf_plain_order()};

    if (shape_elements(&shape) == 1 && shape.rank <= aligned.rank)
        return constant;
    if (shape.rank > aligned.rank)
        return error_set(err, EX_UNAVAILABLE, "a constant of shape %s has more axes than its partner",
                         shape_text(&shape, text));
    for (size_t i = 0, lead = aligned.rank - shape.rank; i < aligned.rank; i++)
        aligned.dims[i] = i < lead ? 1 : shape.dims[i - lead];
    tensor.value = shape.rank == aligned.rank ? constant : tf_add_reshape(in, node, constant, &aligned, step, 0, err);
    return tensor.value < 0 ? -1 : tf_arrange(in, node, &tensor, x->order, err);
}
