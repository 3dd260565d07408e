/* tf_write_shape.c — what moves elements, and what goes over axes. */
#include "formats/tensorflow/tf_write.h"

#include <string.h>

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

const char *tf_write_identity(struct tf_writer *w, const struct node *node, const char *base)
{
    return tf_step(w, "Identity", base, TF_INPUTS(tf_value(w, node->inputs[0])));
}

/* Is the order of elements the same with the channels first or last? */
static bool is_same_either_way(const struct shape *s)
{
    int64_t places = 1;

    for (size_t i = 2; i < s->rank; i++)
        places *= s->dims[i];
    return !tf_has_channels_last(s->rank) || s->dims[1] == 1 || places == 1;
}

/* From whichever form there is, where it does not matter. */
const char *tf_write_reshape(struct tf_writer *w, const struct node *node, const char *base)
{
    int x = node->inputs[0];
    bool takes_last = is_same_either_way(shape_of(w, x)) && w->forms[x].plain == NULL;

    w->is_last = false;
    return tf_step_reshape(w, takes_last ? tf_last(w, x) : tf_plain(w, x), shape_of(w, node->outputs[0]), base);
}

/* From the form that there is; to channels last, where that is what it makes of them. */
const char *tf_write_transpose(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->inputs[0])->rank;
    const char *x = tf_value(w, node->inputs[0]);
    int64_t perm[TENSOR_MAX_RANK];
    bool moves = false;

    for (size_t axis = 0; axis < rank; axis++) {
        perm[axis] = (int64_t)tf_file_axis(w, rank, (size_t)node->attr.perm[axis]);
        moves = moves || perm[axis] != (int64_t)axis;
    }
    w->is_last = false;
    return moves ? tf_step_ints(w, "Transpose", base, x, perm, rank, "Tperm") : x;
}

/* A constant beside x, as often as x has records. */
static const char *repeat(struct tf_writer *w, const char *constant, size_t rank, const char *x, const char *base)
{
    static const int64_t once[TENSOR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    const char *y = tf_step(w, "Tile", base, TF_INPUTS(constant, tf_batched_ints(w, x, once, rank - 1, base)));

    tf_put_type(w, "Tmultiples", TF_INT32);
    return y;
}

const char *tf_write_concat(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->outputs[0])->rank, n = node->n_inputs;
    const char **inputs = w->err.code != 0 ? NULL : arena_create_array(w->arena, n + 1, sizeof *inputs, &w->err);
    const char *y, *computed = NULL;

    if (inputs == NULL)
        return "";
    for (size_t i = 0; i < n; i++) {
        inputs[i] = tf_value(w, node->inputs[i]);
        if (!w->graph->values[node->inputs[i]].is_constant)
            computed = inputs[i];
    }
    for (size_t i = 0; i < n && computed != NULL && !w->graph->is_unbatched; i++)
        if (w->graph->values[node->inputs[i]].is_constant)
            inputs[i] = repeat(w, inputs[i], rank, computed, base);
    inputs[n] = tf_const_index(w, base, (int64_t)tf_file_axis(w, rank, (size_t)node->attr.axis));
    y = tf_step(w, "ConcatV2", base, inputs, n + 1);
    tf_put_int(w, "N", (int64_t)n);
    tf_put_type(w, "Tidx", TF_INT32);
    return y;
}

const char *tf_write_slice(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *out = shape_of(w, node->outputs[0]), *in = shape_of(w, node->inputs[0]);
    bool is_whole = out->dims[0] == in->dims[0];
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    const char *y;

    for (size_t axis = 0; axis < out->rank; axis++) {
        size_t at = tf_file_axis(w, out->rank, axis);

        begin[at] = node->attr.slice.begin[axis];
        step[at] = node->attr.slice.step[axis];
        end[at] = begin[at] + (out->dims[axis] - 1) * step[at] + 1;
    }
    y = tf_step(w, "StridedSlice", base,
                TF_INPUTS(tf_value(w, node->inputs[0]), tf_const_ints(w, base, begin, out->rank),
                          tf_const_ints(w, base, end, out->rank), tf_const_ints(w, base, step, out->rank)));
    tf_put_type(w, "Index", TF_INT32);
    tf_put_int(w, "begin_mask", is_whole); /* the batch */
    tf_put_int(w, "end_mask", is_whole);
    return y;
}

const char *tf_pick(struct tf_writer *w, const char *x, const int64_t *indices, size_t n, size_t file_axis,
                    const char *base)
{
    const char *list = tf_const_ints(w, base, indices, n), *axis = tf_const_index(w, base, (int64_t)file_axis);
    const char *y = tf_put(w, "GatherV2", tf_name_near(w, base, "GatherV2"), TF_INPUTS(x, list, axis));

    tf_put_type(w, "Tparams", TF_FLOAT);
    tf_put_type(w, "Tindices", TF_INT32);
    tf_put_type(w, "Taxis", TF_INT32);
    return y;
}

/* The first and the last of each padded axis are picked again: TensorFlow has no operator for it. */
static const char *repeat_edges(struct tf_writer *w, const struct node *node, const char *x, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);

    for (size_t axis = 0; axis < in->rank && w->err.code == 0; axis++) {
        size_t n = (size_t)out->dims[axis];
        int64_t *from = arena_create_array(w->arena, n, sizeof *from, &w->err), last = in->dims[axis] - 1;

        if (from == NULL || out->dims[axis] == in->dims[axis])
            continue;
        for (size_t i = 0; i < n; i++) {
            int64_t at = (int64_t)i - node->attr.pad.begin[axis];

            from[i] = at < 0 ? 0 : at > last ? last : at;
        }
        x = tf_pick(w, x, from, n, tf_file_axis(w, in->rank, axis), base);
    }
    return x;
}

const char *tf_write_pad(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->inputs[0])->rank;
    const char *x = tf_value(w, node->inputs[0]), *list;
    int64_t pads[2 * TENSOR_MAX_RANK];

    if (node->attr.pad.mode == PAD_EDGE)
        return repeat_edges(w, node, x, base);
    for (size_t axis = 0; axis < rank; axis++) {
        pads[2 * tf_file_axis(w, rank, axis)] = node->attr.pad.begin[axis];
        pads[2 * tf_file_axis(w, rank, axis) + 1] = node->attr.pad.end[axis];
    }
    list = tf_const_pairs(w, base, pads, rank);
    if (node->attr.pad.mode == PAD_REFLECT) {
        x = tf_step(w, "MirrorPad", base, TF_INPUTS(x, list));
        tf_put_text(w, "mode", "REFLECT");
    } else if (node->attr.pad.value == 0) {
        x = tf_step(w, "Pad", base, TF_INPUTS(x, list));
    } else {
        x = tf_step(w, "PadV2", base, TF_INPUTS(x, list, tf_const_scalar(w, base, node->attr.pad.value)));
    }
    tf_put_type(w, "Tpaddings", TF_INT32);
    return x;
}

/* TensorFlow's goes over the last axis. */
const char *tf_write_softmax(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *op = node->attr.softmax.is_log ? "LogSoftmax" : "Softmax", *x = tf_value(w, node->inputs[0]);
    size_t rank = shape_of(w, node->inputs[0])->rank, axis = tf_file_axis(w, rank, (size_t)node->attr.softmax.axis);
    int64_t perm[TENSOR_MAX_RANK];

    if (axis == rank - 1)
        return tf_step(w, op, base, TF_INPUTS(x));
    for (size_t i = 0; i < rank; i++)
        perm[i] = (int64_t)(i == axis ? rank - 1 : i == rank - 1 ? axis : i);
    x = tf_step_ints(w, "Transpose", base, x, perm, rank, "Tperm"); /* its own inverse */
    return tf_step_ints(w, "Transpose", base, tf_step(w, op, base, TF_INPUTS(x)), perm, rank, "Tperm");
}

/* Without the axes that are reduced, is what is left of channels last again a form of the result? Where the channels
 * went, it is the plain one; where rows or columns of four axes went, it is that of three. */
static bool keeps_form(const struct tf_writer *w, const struct node *node)
{
    uint32_t axes = node->attr.reduce.axes;
    size_t rank = shape_of(w, node->outputs[0])->rank;

    if (node->attr.reduce.keep_dims)
        return true;
    return (axes & 1) == 0 && ((axes & 2) != 0 || tf_has_channels_last(rank) || rank < 3);
}

const char *tf_write_reduce(struct tf_writer *w, const struct node *node, const char *base)
{
    static const char *const types[] = {[REDUCE_MEAN] = "Mean", [REDUCE_SUM] = "Sum", [REDUCE_MAX] = "Max",
                                        [REDUCE_MIN] = "Min",   [REDUCE_L2] = "Sum",  [REDUCE_PROD] = "Prod"};
    const struct shape *in = shape_of(w, node->inputs[0]);
    size_t kind = (size_t)node->attr.reduce.kind, n = 0;
    int64_t axes[TENSOR_MAX_RANK];
    const char *y;

    if (kind >= sizeof types / sizeof *types) {
        tf_cannot(w, "this reduction is not written");
        return "";
    }
    w->is_last = w->is_last && keeps_form(w, node);
    for (size_t axis = 0; axis < in->rank; axis++)
        if ((node->attr.reduce.axes >> axis & 1) != 0)
            axes[n++] = (int64_t)tf_file_axis(w, in->rank, axis);
    y = tf_value(w, node->inputs[0]);
    if (node->attr.reduce.kind == REDUCE_L2)
        y = tf_step(w, "Square", base, TF_INPUTS(y));
    y = tf_step_ints(w, types[kind], base, y, axes, n, "Tidx");
    tf_put_bool(w, "keep_dims", node->attr.reduce.keep_dims);
    if (node->attr.reduce.kind == REDUCE_L2)
        y = tf_step(w, "Sqrt", base, TF_INPUTS(y));
    w->is_last = w->is_last && (node->attr.reduce.keep_dims || (node->attr.reduce.axes & 2) == 0);
    return y;
}

/* Indices count from the end where they are negative; TensorFlow's do not. */
const char *tf_write_gather(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct value *list = &w->graph->values[node->inputs[1]];
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    size_t axis = (size_t)node->attr.axis, n = (size_t)shape_elements(&list->shape);
    int64_t *indices = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *indices, &w->err);
    const char *y;

    if (!list->is_constant)
        tf_cannot(w, "picking by indices that are computed has no form in the exporter");
    if (indices == NULL || w->err.code != 0)
        return "";
    for (size_t i = 0; i < n; i++)
        indices[i] = ((const int64_t *)list->data)[i] + (((const int64_t *)list->data)[i] < 0 ? in->dims[axis] : 0);
    w->is_last = w->is_last && list->shape.rank == 1;
    y = tf_pick(w, tf_value(w, node->inputs[0]), indices, n, tf_file_axis(w, in->rank, axis), base);
    return list->shape.rank == 1 ? y : tf_step_reshape(w, y, out, base); /* an axis less, or several for one */
}
