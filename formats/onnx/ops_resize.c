/* ops_resize.c — Resize, and its ancestor Upsample.
 *
 * The coordinate map changed with the opset: Upsample and Resize-10 say nothing of it, and runtimes take asymmetric
 * coordinates, rounded down to enlarge and up to shrink. From 11 on attributes say everything.
 */
#include "formats/onnx/onnx_import.h"

#include <string.h>

static const char *const modes[] = {"nearest", "linear", "cubic", NULL}; /* in the order of enum resize_mode */
/* In the order of enum resize_coordinates and enum resize_rounding. */
static const char *const coordinates[] = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", NULL};
static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil", NULL};

/* Scales (float32) or sizes (int64) for every axis, from those for `axes` (opset 18) where that attribute is there. */
static int add_factors(struct onnx_import *in, const struct onnx_node *node, int x, size_t slot, struct error *err)
{
    const struct shape *shape = onnx_shape(in, x);
    struct shape list = {.rank = 1, .dims = {(int64_t)shape->rank}};
    int64_t axes[TENSOR_MAX_RANK];
    struct tensor given;
    size_t n, axis;
    void *data;
    int value;

    if (onnx_constant(in, node, slot, &given, err) != 0 || onnx_ints(node, "axes", axes, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n == 0)
        return onnx_input(node, slot);
    if (given.shape.rank != 1 || given.shape.dims[0] != (int64_t)n)
        return error_set(err, EX_DATAERR, "expected %zu scales or sizes, one an axis, found %lld", n,
                         (long long)shape_elements(&given.shape));
    value = onnx_add_constant(in, node, "factors", given.dtype, &list, &data, err);
    for (size_t i = 0; value >= 0 && i < shape->rank; i++) {
        if (given.dtype == DTYPE_INT64)
            ((int64_t *)data)[i] = shape->dims[i];
        else
            ((float *)data)[i] = 1;
    }
    for (size_t i = 0; value >= 0 && i < n; i++) {
        if (import_axis(axes[i], shape->rank, &axis, err) != 0)
            return -1;
        if (given.dtype == DTYPE_INT64)
            ((int64_t *)data)[axis] = ((const int64_t *)given.data)[i];
        else
            ((float *)data)[axis] = ((const float *)given.data)[i];
    }
    return value;
}

static int check_options(const struct onnx_node *node, struct error *err)
{
    static const char *const policies[] = {"stretch", NULL};
    bool has_antialias, excludes_outside;
    int policy;

    if (onnx_flag(node, "antialias", false, &has_antialias, err) != 0 ||
        onnx_flag(node, "exclude_outside", false, &excludes_outside, err) != 0 ||
        onnx_choice(node, "keep_aspect_ratio_policy", policies, 0, &policy, err) != 0)
        return -1;
    if (has_antialias || excludes_outside)
        return error_set(err, EX_UNAVAILABLE, "%s 1 is not supported", has_antialias ? "antialias" : "exclude_outside");
    return 0;
}

/* From opset 11 on: inputs x, roi, scales, sizes; an empty list is as good as none. */
int onnx_build_resize(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[2] = {onnx_input(node, 0)}, mode, map, rounding;
    struct node draft = {.op = OP_RESIZE_TO, .inputs = inputs, .n_inputs = 2};
    size_t slot = 0;

    for (size_t i = 2; i <= 3; i++) {
        int value = onnx_input(node, i);

        if (value == GRAPH_NONE || shape_elements(onnx_shape(in, value)) == 0)
            continue;
        if (slot != 0)
            return error_set(err, EX_DATAERR, "scales and sizes are both given");
        slot = i;
    }
    if (slot == 0)
        return error_set(err, EX_DATAERR, "neither scales nor sizes are given");
    if (onnx_choice(node, "mode", modes, RESIZE_NEAREST, &mode, err) != 0 ||
        onnx_choice(node, "coordinate_transformation_mode", coordinates, RESIZE_HALF_PIXEL, &map, err) != 0 ||
        onnx_choice(node, "nearest_mode", roundings, RESIZE_PREFER_FLOOR, &rounding, err) != 0 ||
        onnx_float(node, "cubic_coeff_a", -0.75F, &draft.attr.resize.cubic_a, err) != 0 ||
        check_options(node, err) != 0)
        return -1;
    draft.attr.resize.mode = (enum resize_mode)mode;
    draft.attr.resize.coordinates = (enum resize_coordinates)map;
    draft.attr.resize.rounding = (enum resize_rounding)rounding;
    inputs[1] = add_factors(in, node, inputs[0], slot, err);
    return inputs[1] < 0 || onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* Does a list of scales shrink an axis, enlarge one? */
static void look_at_scales(const struct tensor *scales, bool *shrinks, bool *enlarges)
{
    *shrinks = *enlarges = false;
    for (size_t i = 0; i < (size_t)shape_elements(&scales->shape); i++) {
        *shrinks = *shrinks || tensor_real(scales, i) < 1;
        *enlarges = *enlarges || tensor_real(scales, i) > 1;
    }
}

/* Upsample (scales as attribute up to opset 8, then as input 1) and Resize-10. */
int onnx_build_upsample(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[2] = {onnx_input(node, 0), onnx_input(node, 1)}, mode;
    struct node draft = {.op = OP_RESIZE_TO, .inputs = inputs, .n_inputs = 2};
    float scales[TENSOR_MAX_RANK];
    struct tensor given;
    bool shrinks, enlarges;
    size_t n;
    void *data;

    if (onnx_choice(node, "mode", modes, RESIZE_NEAREST, &mode, err) != 0 ||
        onnx_floats(node, "scales", scales, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (inputs[1] == GRAPH_NONE) {
        inputs[1] = onnx_add_constant(in, node, "scales", DTYPE_FLOAT32, &(struct shape){1, {(int64_t)n}}, &data, err);
        if (inputs[1] < 0)
            return -1;
        if (n > 0)
            memcpy(data, scales, n * sizeof *scales);
    }
    if (!graph_constant(in->graph, inputs[1], &given))
        return error_set(err, EX_UNAVAILABLE, "expected constant scales, found \"%s\", computed at run time",
                         in->graph->values[inputs[1]].name);
    look_at_scales(&given, &shrinks, &enlarges);
    if (mode == RESIZE_NEAREST && shrinks && enlarges)
        return error_set(err, EX_UNAVAILABLE,
                         "shrinking one axis and enlarging another has no rounding rule at opset %lld",
                         (long long)in->opset);
    draft.attr.resize.mode = (enum resize_mode)mode;
    draft.attr.resize.coordinates = RESIZE_ASYMMETRIC;
    draft.attr.resize.rounding = shrinks ? RESIZE_CEIL : RESIZE_FLOOR;
    draft.attr.resize.cubic_a = -0.75F;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
