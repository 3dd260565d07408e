/* ops_move.c — what moves elements: joining, cutting, padding, permuting. */
#include "formats/onnx/onnx_import.h"

#include <stdlib.h>
#include <string.h>

int onnx_build_concat(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    struct node draft = {.op = OP_CONCAT, .inputs = (int *)(uintptr_t)node->inputs, .n_inputs = node->n_inputs};
    int64_t wanted;
    size_t axis;

    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "input %zu is missing", i);
    if (!onnx_has(node, "axis"))
        return error_set(err, EX_DATAERR, "attribute \"axis\" is missing");
    if (onnx_int(node, "axis", 0, &wanted, err) != 0 ||
        import_axis(wanted, onnx_shape(in, onnx_input(node, 0))->rank, &axis, err) != 0)
        return -1;
    draft.attr.axis = (int64_t)axis;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- split --- */

/* Sizes of the n parts of `dim` elements: listed by attribute or input 1, or equal (from opset 18 the last one takes
 * what is left). */
static int read_parts(const struct onnx_import *in, const struct onnx_node *node, int64_t dim, int64_t *parts, size_t n,
                      struct error *err)
{
    int64_t count, each, sum = 0;
    size_t listed;

    if (onnx_input(node, 1) != GRAPH_NONE) {
        if (onnx_constant_ints(in, node, 1, parts, n, &listed, err) != 0)
            return -1;
    } else if (onnx_ints(node, "split", parts, n, &listed, err) != 0) {
        return -1;
    }
    if (onnx_int(node, "num_outputs", (int64_t)n, &count, err) != 0)
        return -1;
    if (count != (int64_t)n || (listed != 0 && listed != n))
        return error_set(err, EX_DATAERR, "%zu outputs, but split into %lld parts", n,
                         listed != 0 ? (long long)listed : (long long)count);
    each = (dim + (int64_t)n - 1) / (int64_t)n;
    if (listed == 0 && in->opset < 18 && dim % (int64_t)n != 0)
        return error_set(err, EX_DATAERR, "an axis of %lld does not split into %zu equal parts", (long long)dim, n);
    for (size_t i = 0; i < n; i++) {
        if (listed == 0)
            parts[i] = i + 1 < n ? each : dim - each * (int64_t)(n - 1);
        if (parts[i] < 0 || parts[i] > dim - sum)
            return error_set(err, EX_DATAERR, "part %zu of %lld elements lies outside an axis of %lld", i,
                             (long long)parts[i], (long long)dim);
        sum += parts[i];
    }
    return sum == dim ? 0
                      : error_set(err, EX_DATAERR, "the parts cover %lld of the %lld elements of the axis",
                                  (long long)sum, (long long)dim);
}

static int add_parts(struct onnx_import *in, const struct onnx_node *node, size_t axis, const int64_t *parts,
                     struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_SLICE, .inputs = &x, .n_inputs = 1};
    struct shape shape = *onnx_shape(in, x);

    for (size_t i = 0; i < shape.rank; i++)
        draft.attr.slice.step[i] = 1;
    for (size_t i = 0; i < node->proto->n_output; i++) {
        struct onnx_result result = {.slot = i, .shape = &shape};

        shape.dims[axis] = parts[i];
        if (node->proto->output[i][0] != '\0' && onnx_add_as(in, node, &draft, &result, err) < 0)
            return -1;
        draft.attr.slice.begin[axis] += parts[i];
    }
    return 0;
}

/* One slice an output. */
int onnx_build_split(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    const struct shape *x = onnx_shape(in, onnx_input(node, 0));
    size_t axis, n = node->proto->n_output;
    int64_t wanted, *parts;
    int rc = -1;

    if (onnx_int(node, "axis", 0, &wanted, err) != 0 || import_axis(wanted, x->rank, &axis, err) != 0)
        return -1;
    parts = memory_create(n, sizeof *parts, "the parts of a split", err);
    if (parts == NULL)
        return -1;
    if (read_parts(in, node, x->dims[axis], parts, n, err) == 0)
        rc = add_parts(in, node, axis, parts, err);
    free(parts);
    return rc;
}

/* --- slice, gather --- */

/* A slice along axis 0 of an activation must take the whole batch, of whatever length it was in the file. */
static int check_batch_is_whole(const struct onnx_import *in, const int inputs[5], struct error *err)
{
    struct tensor starts, ends, axes;
    bool has_axes = graph_constant(in->graph, inputs[3], &axes);
    int64_t rank = (int64_t)onnx_shape(in, inputs[0])->rank;

    if (!onnx_has_batch(in, inputs[0]) || !graph_constant(in->graph, inputs[1], &starts) ||
        !graph_constant(in->graph, inputs[2], &ends))
        return 0; /* what must be constant is said elsewhere */
    for (int64_t i = 0; i < shape_elements(&starts.shape) && i < shape_elements(&ends.shape); i++) {
        int64_t axis = has_axes && i < shape_elements(&axes.shape) ? tensor_integer(&axes, (size_t)i) : i;

        if ((axis == 0 || axis == -rank) &&
            (tensor_integer(&starts, (size_t)i) != 0 || tensor_integer(&ends, (size_t)i) < in->batch))
            return error_set(err, EX_UNAVAILABLE, "it cuts the batch axis");
    }
    return 0;
}

/* Starts, ends and axes as attributes (up to opset 9) or as inputs 1 to 3, with steps as input 4. */
int onnx_build_slice(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const names[] = {NULL, "starts", "ends", "axes"};
    int inputs[5] = {onnx_input(node, 0)};
    struct node draft = {.op = OP_SLICE_TO, .inputs = inputs, .n_inputs = 5};
    int64_t items[TENSOR_MAX_RANK];
    size_t n;

    for (size_t i = 1; i < 5; i++)
        inputs[i] = onnx_input(node, i);
    for (size_t i = 1; i < 4 && in->opset < 10; i++) {
        if (i < 3 && !onnx_has(node, names[i]))
            return error_set(err, EX_DATAERR, "attribute \"%s\" is missing", names[i]);
        if (onnx_ints(node, names[i], items, TENSOR_MAX_RANK, &n, err) != 0)
            return -1;
        if (onnx_has(node, names[i]) && (inputs[i] = onnx_add_ints(in, node, names[i], items, n, err)) < 0)
            return -1;
    }
    return check_batch_is_whole(in, inputs, err) != 0 || onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_gather(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1)};
    struct node draft = {.op = OP_GATHER, .inputs = inputs, .n_inputs = 2};
    int64_t wanted;
    size_t axis;

    if (onnx_int(node, "axis", 0, &wanted, err) != 0 ||
        import_axis(wanted, onnx_shape(in, inputs[0])->rank, &axis, err) != 0)
        return -1;
    draft.attr.axis = (int64_t)axis;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- pad --- */

/* Pads for the axes of input 3 (opset 18) spread over all of them. */
static int spread_pads(const struct onnx_import *in, const struct onnx_node *node, size_t rank, int64_t *pads,
                       size_t *n, struct error *err)
{
    int64_t axes[TENSOR_MAX_RANK], spread[2 * TENSOR_MAX_RANK] = {0};
    size_t n_axes, axis;

    if (onnx_constant_ints(in, node, 3, axes, TENSOR_MAX_RANK, &n_axes, err) != 0)
        return -1;
    if (*n != 2 * n_axes)
        return error_set(err, EX_DATAERR, "expected %zu pads for %zu axes, found %zu", 2 * n_axes, n_axes, *n);
    for (size_t i = 0; i < n_axes; i++) {
        if (import_axis(axes[i], rank, &axis, err) != 0)
            return -1;
        spread[axis] = pads[i];
        spread[rank + axis] = pads[n_axes + i];
    }
    *n = 2 * rank;
    memcpy(pads, spread, sizeof spread);
    return 0;
}

/* Pads and value as attributes (up to opset 10) or as inputs 1 and 2. */
int onnx_build_pad(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const modes[] = {"constant", "reflect", "edge", NULL}; /* in the order of enum pad_mode */
    int inputs[3] = {onnx_input(node, 0), onnx_input(node, 1), onnx_input(node, 2)}, mode;
    struct node draft = {.op = OP_PAD_TO, .inputs = inputs, .n_inputs = 3};
    size_t rank = onnx_shape(in, inputs[0])->rank, n;
    int64_t pads[2 * TENSOR_MAX_RANK];
    void *data;
    float value;

    if (onnx_choice(node, "mode", modes, 0, &mode, err) != 0)
        return -1;
    draft.attr.pad.mode = (enum pad_mode)mode;
    if (in->opset < 11) {
        if (onnx_ints(node, "pads", pads, 2 * TENSOR_MAX_RANK, &n, err) != 0 ||
            onnx_float(node, "value", 0, &value, err) != 0 ||
            (inputs[1] = onnx_add_ints(in, node, "pads", pads, n, err)) < 0 ||
            (inputs[2] = onnx_add_constant(in, node, "value", DTYPE_FLOAT32, &(struct shape){0}, &data, err)) < 0)
            return -1;
        *(float *)data = value;
    } else if (onnx_input(node, 3) != GRAPH_NONE) {
        if (onnx_constant_ints(in, node, 1, pads, 2 * TENSOR_MAX_RANK, &n, err) != 0 ||
            spread_pads(in, node, rank, pads, &n, err) != 0 ||
            (inputs[1] = onnx_add_ints(in, node, "pads", pads, n, err)) < 0)
            return -1;
    }
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- transpose, expand --- */

int onnx_build_transpose(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_TRANSPOSE, .inputs = &x, .n_inputs = 1};
    size_t rank = onnx_shape(in, x)->rank, n;

    if (onnx_ints(node, "perm", draft.attr.perm, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (onnx_has(node, "perm") && n != rank)
        return error_set(err, EX_DATAERR, "attribute \"perm\": expected %zu axes, found %zu", rank, n);
    for (size_t i = 0; i < rank && !onnx_has(node, "perm"); i++)
        draft.attr.perm[i] = (int64_t)(rank - 1 - i);
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_expand(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1)};
    struct node draft = {.op = OP_EXPAND, .inputs = inputs, .n_inputs = 2};

    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
