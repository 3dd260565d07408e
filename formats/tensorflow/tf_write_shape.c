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

static const char *reshape(struct tf_writer *w, const char *x, const struct shape *to, const char *base)
{
    struct shape open = *to;
    const char *y;

    if (open.rank > 0)
        open.dims[0] = -1;
    y = tf_step(w, "Reshape", base, TF_INPUTS(x, tf_const_ints(w, base, open.dims, open.rank)));
    tf_put_type(w, "Tshape", TF_INT32);
    return y;
}

/* Is the order of elements the same with the channels first or last? */
static bool is_same_either_way(const struct shape *s)
{
    return s->rank != 4 || s->dims[1] == 1 || s->dims[2] * s->dims[3] == 1;
}

const char *tf_write_reshape(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    struct shape last = tf_file_shape(out);
    const char *x = is_same_either_way(in) ? tf_value(w, node->inputs[0]) : tf_plain(w, node->inputs[0]);

    if (is_same_either_way(out))
        return reshape(w, x, &last, base);
    return tf_to_file(w, reshape(w, x, out, base), out->rank, base);
}

const char *tf_write_transpose(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->inputs[0])->rank;
    int64_t perm[TENSOR_MAX_RANK];
    const char *y;

    for (size_t axis = 0; axis < rank; axis++)
        perm[tf_file_axis(rank, axis)] = (int64_t)tf_file_axis(rank, (size_t)node->attr.perm[axis]);
    y = tf_step(w, "Transpose", base, TF_INPUTS(tf_value(w, node->inputs[0]), tf_const_ints(w, base, perm, rank)));
    tf_put_type(w, "Tperm", TF_INT32);
    return y;
}

const char *tf_write_concat(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->outputs[0])->rank, n = node->n_inputs;
    const char **inputs = w->err.code != 0 ? NULL : arena_create_array(w->arena, n + 1, sizeof *inputs, &w->err);
    const char *y;

    if (inputs == NULL)
        return "";
    for (size_t i = 0; i < n; i++) {
        if (w->graph->values[node->inputs[i]].is_constant)
            tf_cannot(w, "joining with a constant is not written: it has no batch");
        inputs[i] = tf_value(w, node->inputs[i]);
    }
    inputs[n] = tf_const_index(w, base, (int64_t)tf_file_axis(rank, (size_t)node->attr.axis));
    y = tf_step(w, "ConcatV2", base, inputs, n + 1);
    tf_put_int(w, "N", (int64_t)n);
    tf_put_type(w, "Tidx", TF_INT32);
    return y;
}

const char *tf_write_slice(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *out = shape_of(w, node->outputs[0]);
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    const char *y;

    for (size_t axis = 0; axis < out->rank; axis++) {
        size_t at = tf_file_axis(out->rank, axis);

        begin[at] = node->attr.slice.begin[axis];
        step[at] = node->attr.slice.step[axis];
        end[at] = begin[at] + (out->dims[axis] - 1) * step[at] + 1;
    }
    y = tf_step(w, "StridedSlice", base,
                TF_INPUTS(tf_value(w, node->inputs[0]), tf_const_ints(w, base, begin, out->rank),
                          tf_const_ints(w, base, end, out->rank), tf_const_ints(w, base, step, out->rank)));
    tf_put_type(w, "Index", TF_INT32);
    tf_put_int(w, "begin_mask", 1); /* the batch, whole */
    tf_put_int(w, "end_mask", 1);
    return y;
}

const char *tf_write_pad(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->inputs[0])->rank;
    const char *x = tf_value(w, node->inputs[0]), *list;
    int64_t pads[2 * TENSOR_MAX_RANK];

    for (size_t axis = 0; axis < rank; axis++) {
        pads[2 * tf_file_axis(rank, axis)] = node->attr.pad.begin[axis];
        pads[2 * tf_file_axis(rank, axis) + 1] = node->attr.pad.end[axis];
    }
    list = tf_const_pairs(w, base, pads, rank);
    switch (node->attr.pad.mode) {
    case PAD_CONSTANT:
        x = tf_step(w, "PadV2", base, TF_INPUTS(x, list, tf_const_scalar(w, base, node->attr.pad.value)));
        break;
    case PAD_REFLECT:
        x = tf_step(w, "MirrorPad", base, TF_INPUTS(x, list));
        tf_put_text(w, "mode", "REFLECT");
        break;
    case PAD_EDGE:
        tf_cannot(w, "pads that repeat the edge have no form in TensorFlow");
        break;
    }
    tf_put_type(w, "Tpaddings", TF_INT32);
    return x;
}

/* TensorFlow's goes over the last axis. */
const char *tf_write_softmax(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *op = node->attr.softmax.is_log ? "LogSoftmax" : "Softmax", *x = tf_value(w, node->inputs[0]), *order;
    size_t rank = shape_of(w, node->inputs[0])->rank, axis = tf_file_axis(rank, (size_t)node->attr.softmax.axis);
    int64_t perm[TENSOR_MAX_RANK];

    if (axis == rank - 1)
        return tf_step(w, op, base, TF_INPUTS(x));
    for (size_t i = 0; i < rank; i++)
        perm[i] = (int64_t)(i == axis ? rank - 1 : i == rank - 1 ? axis : i);
    order = tf_const_ints(w, base, perm, rank);
    x = tf_step(w, "Transpose", base, TF_INPUTS(x, order));
    tf_put_type(w, "Tperm", TF_INT32);
    x = tf_step(w, "Transpose", base, TF_INPUTS(tf_step(w, op, base, TF_INPUTS(x)), order)); /* its own inverse */
    tf_put_type(w, "Tperm", TF_INT32);
    return x;
}

const char *tf_write_reduce(struct tf_writer *w, const struct node *node, const char *base)
{
    static const char *const types[] = {
        [REDUCE_MEAN] = "Mean", [REDUCE_SUM] = "Sum", [REDUCE_MAX] = "Max", [REDUCE_MIN] = "Min", [REDUCE_L2] = "Sum"};
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    size_t kind = (size_t)node->attr.reduce.kind, n = 0;
    bool stays = node->attr.reduce.keep_dims && in->rank == 4; /* then axes are the file's */
    int64_t axes[TENSOR_MAX_RANK];
    const char *y;

    if (kind >= sizeof types / sizeof *types) {
        tf_cannot(w, "this reduction is not written");
        return "";
    }
    for (size_t axis = 0; axis < in->rank; axis++)
        if ((node->attr.reduce.axes >> axis & 1) != 0)
            axes[n++] = (int64_t)(stays ? tf_file_axis(in->rank, axis) : axis);
    y = stays ? tf_value(w, node->inputs[0]) : tf_plain(w, node->inputs[0]);
    if (node->attr.reduce.kind == REDUCE_L2)
        y = tf_step(w, "Square", base, TF_INPUTS(y));
    y = tf_step(w, types[kind], base, TF_INPUTS(y, tf_const_ints(w, base, axes, n)));
    tf_put_type(w, "Tidx", TF_INT32);
    tf_put_bool(w, "keep_dims", node->attr.reduce.keep_dims);
    if (node->attr.reduce.kind == REDUCE_L2)
        y = tf_step(w, "Sqrt", base, TF_INPUTS(y));
    return stays ? y : tf_to_file(w, y, out->rank, base);
}

const char *tf_write_gather(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->outputs[0])->rank;
    const struct value *indices = &w->graph->values[node->inputs[1]];
    const char *list, *y;

    if (!indices->is_constant || indices->shape.rank != 1 || w->graph->values[node->inputs[0]].is_constant) {
        tf_cannot(w, "only picking along an axis by a constant list is written");
        return "";
    }
    list = tf_const_ints(w, base, indices->data, (size_t)indices->shape.dims[0]);
    y = tf_put(w, "GatherV2", tf_name_near(w, base, "GatherV2"),
               TF_INPUTS(tf_value(w, node->inputs[0]), list,
                         tf_const_index(w, base, (int64_t)tf_file_axis(rank, (size_t)node->attr.axis))));
    tf_put_type(w, "Tparams", TF_FLOAT);
    tf_put_type(w, "Tindices", TF_INT32);
    tf_put_type(w, "Taxis", TF_INT32);
    return y;
}
