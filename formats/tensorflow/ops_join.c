/* ops_join.c — what joins values: Concat in its two forms, Pack, Tile, ReverseV2. */
#include "formats/tensorflow/tf_import.h"

#include <stdlib.h>

/* How the axes of the result lie: as those of the first activation. Constants can lie as one likes. */
static struct tf_order common_order(const struct tf_import *in, const struct tf_tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!in->graph->values[tensors[i].value].is_constant)
            return tensors[i].order;
    return tf_plain_order();
}

/* Joins tensors[0..n) along `axis` of the file, as a step, or (NULL) as output 0. */
static int join(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensors, size_t n,
                size_t axis, const char *step, struct tf_tensor *out, struct error *err)
{
    struct tf_order order = common_order(in, tensors, n);
    struct node draft = {.op = OP_CONCAT, .n_inputs = n, .attr.axis = order.axis[axis]};
    int value = 0;

    for (size_t i = 1; i < n; i++)
        if (tf_rank(in, &tensors[i]) != tf_rank(in, &tensors[0]))
            return error_set(err, EX_DATAERR, "inputs 0 and %zu differ in rank", i);
    draft.inputs = memory_create(n, sizeof *draft.inputs, "the inputs of a node", err);
    if (draft.inputs == NULL)
        return -1;
    for (size_t i = 0; i < n && value >= 0; i++)
        value = draft.inputs[i] = tf_arrange(in, node, &tensors[i], order, err);
    if (value >= 0)
        value = tf_add(in, node, &draft, &(struct tf_result){.step = step}, err);
    free(draft.inputs);
    if (value < 0)
        return -1;
    *out = (struct tf_tensor){.value = value, .order = order};
    return 0;
}

static int concat(struct tf_import *in, struct tf_node *node, const struct tf_tensor *tensors, size_t axis_slot,
                  struct error *err)
{
    int64_t wanted;
    size_t axis;

    if (tf_constant_int(in, node, axis_slot, &wanted, err) != 0 ||
        import_axis(wanted, tf_rank(in, &tensors[0]), &axis, err) != 0)
        return -1;
    return join(in, node, tensors, node->n_inputs - 1, axis, NULL, &node->outputs[0], err);
}

/* ConcatV2: the axis comes last. */
int tf_build_concat(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return concat(in, node, node->inputs, node->n_inputs - 1, err);
}

/* Concat: the axis comes first. */
int tf_build_concat_first(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return concat(in, node, node->inputs + 1, 0, err);
}

/* Pack: each input gets a new axis, along which they join. */
int tf_build_pack(struct tf_import *in, struct tf_node *node, struct error *err)
{
    size_t axis, rank = tf_rank(in, &node->inputs[0]);
    struct tf_tensor *grown;
    int64_t wanted;
    int rc = 0;

    if (rank >= TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "more than %d axes", TENSOR_MAX_RANK);
    if (tf_int(node, "axis", 0, &wanted, err) != 0 || import_axis(wanted, rank + 1, &axis, err) != 0)
        return -1;
    grown = memory_create(node->n_inputs, sizeof *grown, "the inputs of a node", err);
    if (grown == NULL)
        return -1;
    for (size_t i = 0; i < node->n_inputs && rc == 0; i++) {
        struct shape shape = tf_shape(in, &node->inputs[i]), grown_shape = {.rank = rank + 1};

        if (shape.rank != rank)
            rc = error_set(err, EX_DATAERR, "inputs 0 and %zu differ in rank", i);
        for (size_t k = 0; k <= rank; k++)
            grown_shape.dims[k] = k == axis ? 1 : shape.dims[k - (k > axis)];
        if (rc == 0)
            rc = tf_reshape_step(in, node, &node->inputs[i], &grown_shape, "unsqueezed", &grown[i], err);
    }
    if (rc == 0)
        rc = join(in, node, grown, node->n_inputs, axis, NULL, &node->outputs[0], err);
    free(grown);
    return rc;
}

/* --- Tile --- */

/* The tensor, joined with itself. */
static int repeat(struct tf_import *in, const struct tf_node *node, size_t axis, size_t copies, const char *step,
                  struct tf_tensor *tensor, struct error *err)
{
    struct tf_tensor *tensors = memory_create(copies, sizeof *tensors, "the copies of a value", err);
    int rc;

    if (tensors == NULL)
        return -1;
    for (size_t i = 0; i < copies; i++)
        tensors[i] = *tensor;
    rc = join(in, node, tensors, copies, axis, step, tensor, err);
    free(tensors);
    return rc;
}

/* Axis by axis. */
int tf_build_tile(struct tf_import *in, struct tf_node *node, struct error *err)
{
    enum { MAX_COPIES = 4096 };
    int64_t multiples[TENSOR_MAX_RANK];
    size_t n, left = 0;

    if (tf_constant_ints(in, node, 1, multiples, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n != tf_rank(in, &node->inputs[0]))
        return error_set(err, EX_DATAERR, "%zu multiples for %zu axes", n, tf_rank(in, &node->inputs[0]));
    for (size_t i = 0; i < n; i++) {
        if (multiples[i] < 1 || multiples[i] > MAX_COPIES)
            return error_set(err, EX_UNAVAILABLE, "axis %zu: expected 1 to %d copies, found %lld", i, MAX_COPIES,
                             (long long)multiples[i]);
        left += multiples[i] != 1;
    }
    if (left == 0)
        return tf_build_identity(in, node, err);
    node->outputs[0] = node->inputs[0];
    for (size_t i = 0; i < n; i++)
        if (multiples[i] != 1 &&
            repeat(in, node, i, (size_t)multiples[i], --left == 0 ? NULL : "repeated", &node->outputs[0], err) != 0)
            return -1;
    return 0;
}

/* --- ReverseV2 --- */

/* Slices run forward only, so what is reversed is cut into pieces of one and joined. */
int tf_reverse(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *x, size_t axis,
               const char *step, struct tf_tensor *out, struct error *err)
{
    enum { MAX_PIECES = 256 };
    struct tf_part part = tf_whole(in, x);
    int64_t n = part.size.dims[axis];
    struct tf_tensor pieces[MAX_PIECES];

    if ((axis == 0 && !in->graph->values[x->value].is_constant) || n < 1 || n > MAX_PIECES)
        return error_set(err, EX_UNAVAILABLE, axis == 0 ? "it reverses the batch axis" : "it reverses %lld elements",
                         (long long)n);
    part.size.dims[axis] = 1;
    for (int64_t i = 0; i < n; i++) {
        part.begin[axis] = n - 1 - i;
        if (tf_add_part(in, node, x, &part, 0, "piece", &pieces[i], err) != 0)
            return -1;
    }
    return join(in, node, pieces, (size_t)n, axis, step, out, err);
}

int tf_build_reverse(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int64_t axes[TENSOR_MAX_RANK];
    size_t n, axis;

    if (tf_constant_ints(in, node, 1, axes, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n == 0)
        return tf_build_identity(in, node, err);
    node->outputs[0] = node->inputs[0];
    for (size_t i = 0; i < n; i++)
        if (import_axis(axes[i], tf_rank(in, &node->inputs[0]), &axis, err) != 0 ||
            tf_reverse(in, node, &node->outputs[0], axis, i + 1 < n ? "reversed" : NULL, &node->outputs[0], err) != 0)
            return -1;
    return 0;
}
