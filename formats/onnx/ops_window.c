/* ops_window.c — what slides a window over an image: convolutions and pools.
 *
 * Two spatial axes, or one (then the window lies along index 1 of struct window and has height 1).
 */
#include "formats/onnx/onnx_import.h"

#include <string.h>

enum auto_pad { PAD_EXPLICIT, PAD_VALID, PAD_SAME_UPPER, PAD_SAME_LOWER };
static const char *const auto_pads[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", NULL};

enum { MAX_EXTENT = 0x7fffffff, MAX_LIST = 16 };

/* Reads a list with one entry (or `per_axis` groups of entries) a spatial axis into fields of struct window. */
static int read_list(const struct onnx_node *node, const char *name, size_t spatial, size_t groups, int64_t least,
                     int64_t *const targets[], bool *is_present, struct error *err)
{
    int64_t items[MAX_LIST];
    size_t n;

    if (onnx_ints(node, name, items, MAX_LIST, &n, err) != 0)
        return -1;
    *is_present = n > 0;
    if (n != 0 && n != spatial * groups)
        return error_set(err, EX_DATAERR, "attribute \"%s\": expected %zu items for %zu spatial axes, found %zu", name,
                         spatial * groups, spatial, n);
    for (size_t i = 0; i < n; i++) {
        if (items[i] < least || items[i] > MAX_EXTENT)
            return error_set(err, EX_DATAERR, "attribute \"%s\": expected %lld or more, found %lld", name,
                             (long long)least, (long long)items[i]);
        targets[i / spatial][i % spatial + 2 - spatial] = items[i];
    }
    return 0;
}

/* Spatial axes of an image; EX_UNAVAILABLE where there are not one or two. */
static int count_spatial(const struct onnx_import *in, int x, size_t *out, struct error *err)
{
    const struct shape *shape = onnx_shape(in, x);
    char text[SHAPE_TEXT_BYTES];

    if (shape->rank != 3 && shape->rank != 4)
        return error_set(err, EX_UNAVAILABLE, "expected N x C x L or N x C x H x W as input \"%s\", found %s",
                         in->graph->values[x].name, shape_text(shape, text));
    *out = shape->rank - 2;
    return 0;
}

/* Explicit pads where SAME asks for out = ceil(in / stride); the odd one goes to the end for SAME_UPPER. */
static void pad_same(const struct shape *x, size_t spatial, enum auto_pad rule, struct window *w)
{
    for (size_t i = 0; i < spatial; i++) {
        size_t k = i + 2 - spatial;
        int64_t in = x->dims[2 + i], out = (in + w->stride[k] - 1) / w->stride[k];
        int64_t total = (out - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - in;

        total = total < 0 ? 0 : total;
        w->pad_begin[k] = rule == PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[k] = total - w->pad_begin[k];
    }
}

/* kernel_shape, strides, dilations and pads. `kernel` (may be NULL) is what the weights say of the kernel. SAME pads
 * are left to the caller, who gets the rule. */
static int read_window(const struct onnx_node *node, size_t spatial, const int64_t *kernel, struct window *w,
                       int *auto_pad, struct error *err)
{
    bool is_present;

    *w = (struct window){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    if (read_list(node, "kernel_shape", spatial, 1, 1, (int64_t *[]){w->kernel}, &is_present, err) != 0)
        return -1;
    for (size_t i = 0; i < spatial && kernel != NULL; i++) {
        int64_t *own = &w->kernel[i + 2 - spatial];

        if (is_present && *own != kernel[i])
            return error_set(err, EX_DATAERR,
                             "attribute \"kernel_shape\" says %lld along spatial axis %zu, the weights %lld",
                             (long long)*own, i, (long long)kernel[i]);
        *own = kernel[i];
    }
    if (kernel == NULL && !is_present)
        return error_set(err, EX_DATAERR, "attribute \"kernel_shape\" is missing");
    if (read_list(node, "strides", spatial, 1, 1, (int64_t *[]){w->stride}, &is_present, err) != 0 ||
        read_list(node, "dilations", spatial, 1, 1, (int64_t *[]){w->dilation}, &is_present, err) != 0 ||
        read_list(node, "pads", spatial, 2, 0, (int64_t *[]){w->pad_begin, w->pad_end}, &is_present, err) != 0 ||
        onnx_choice(node, "auto_pad", auto_pads, PAD_EXPLICIT, auto_pad, err) != 0)
        return -1;
    for (size_t k = 0; k < 2 && *auto_pad != PAD_EXPLICIT; k++) { /* exporters write zero pads beside it */
        if (*auto_pad != PAD_VALID && (w->pad_begin[k] != 0 || w->pad_end[k] != 0))
            return error_set(err, EX_DATAERR, "attributes \"pads\" and \"auto_pad\" exclude each other");
        w->pad_begin[k] = w->pad_end[k] = 0;
    }
    return 0;
}

/* Weights of as many axes as the input, with at least one element along each spatial axis. */
static int read_weights(const struct onnx_import *in, const struct onnx_node *node, size_t spatial, struct tensor *out,
                        struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (onnx_constant(in, node, 1, out, err) != 0)
        return -1;
    if (out->shape.rank != spatial + 2 || shape_elements(&out->shape) < 1)
        return error_set(err, EX_DATAERR, "expected weights of %zu axes, found shape %s", spatial + 2,
                         shape_text(&out->shape, text));
    return 0;
}

int onnx_build_conv(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1), onnx_input(node, 2)};
    struct node draft = {.op = OP_CONV, .inputs = inputs, .n_inputs = inputs[2] == GRAPH_NONE ? 2 : 3};
    struct window *window = &draft.attr.conv.window;
    struct tensor weights;
    size_t spatial;
    int auto_pad;

    if (count_spatial(in, inputs[0], &spatial, err) != 0 || read_weights(in, node, spatial, &weights, err) != 0 ||
        onnx_int(node, "group", 1, &draft.attr.conv.group, err) != 0 ||
        read_window(node, spatial, weights.shape.dims + 2, window, &auto_pad, err) != 0)
        return -1;
    if (auto_pad == PAD_SAME_UPPER || auto_pad == PAD_SAME_LOWER)
        pad_same(onnx_shape(in, inputs[0]), spatial, (enum auto_pad)auto_pad, window);
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- transposed convolution --- */

/* Pads from the size of the output: `wanted`, or in * stride where auto_pad is SAME. What is too much is cut, the odd
 * pixel at the end for SAME_UPPER, else at the begin; what is missing is added at the end. */
static int pad_transposed(const struct shape *x, size_t spatial, const int64_t *wanted, int auto_pad,
                          int64_t output_padding[2], struct window *w, struct error *err)
{
    for (size_t i = 0; i < spatial; i++) {
        size_t k = i + 2 - spatial;
        int64_t in = x->dims[2 + i], out = wanted != NULL ? wanted[i] : in * w->stride[k];
        int64_t total = w->stride[k] * (in - 1) + output_padding[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - out;

        if (out < 1 || out > MAX_EXTENT)
            return error_set(err, EX_DATAERR, "an output of %lld along spatial axis %zu makes no sense", (long long)out,
                             i);
        output_padding[k] += total < 0 ? -total : 0;
        total = total < 0 ? 0 : total;
        w->pad_begin[k] = auto_pad == PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[k] = total - w->pad_begin[k];
    }
    return 0;
}

int onnx_build_deconv(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1), onnx_input(node, 2)};
    struct node draft = {.op = OP_DECONV, .inputs = inputs, .n_inputs = inputs[2] == GRAPH_NONE ? 2 : 3};
    struct window *window = &draft.attr.conv.window;
    int64_t *extra = draft.attr.conv.output_padding, wanted[2];
    struct tensor weights;
    size_t spatial, n_wanted;
    bool is_present;
    int auto_pad;

    if (count_spatial(in, inputs[0], &spatial, err) != 0 || read_weights(in, node, spatial, &weights, err) != 0 ||
        onnx_int(node, "group", 1, &draft.attr.conv.group, err) != 0 ||
        read_window(node, spatial, weights.shape.dims + 2, window, &auto_pad, err) != 0 ||
        read_list(node, "output_padding", spatial, 1, 0, (int64_t *[]){extra}, &is_present, err) != 0 ||
        onnx_ints(node, "output_shape", wanted, 2, &n_wanted, err) != 0)
        return -1;
    if (n_wanted != 0 && n_wanted != spatial)
        return error_set(err, EX_DATAERR, "attribute \"output_shape\": expected %zu items, found %zu", spatial,
                         n_wanted);
    if ((n_wanted != 0 || auto_pad == PAD_SAME_UPPER || auto_pad == PAD_SAME_LOWER) &&
        pad_transposed(onnx_shape(in, inputs[0]), spatial, n_wanted != 0 ? wanted : NULL, auto_pad, extra, window,
                       err) != 0)
        return -1;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- pools --- */

/* Output sizes by floor or ceil; a window must not lie in the padding alone. */
static int size_pool(const struct shape *x, size_t spatial, bool is_ceil, struct node *draft, struct error *err)
{
    struct window *w = &draft->attr.pool.window;

    for (size_t i = 0; i < spatial; i++) {
        size_t k = i + 2 - spatial;
        int64_t extent = (w->kernel[k] - 1) * w->dilation[k] + 1;

        if (w->pad_begin[k] >= extent || w->pad_end[k] >= extent)
            return error_set(err, EX_DATAERR,
                             "pads %lld and %lld along spatial axis %zu reach beyond the window of %lld",
                             (long long)w->pad_begin[k], (long long)w->pad_end[k], i, (long long)extent);
        draft->attr.pool.output[k] = pool_output_size(x->dims[2 + i], w->kernel[k], w->stride[k], w->dilation[k],
                                                      w->pad_begin[k], w->pad_end[k], is_ceil, false);
        if (draft->attr.pool.output[k] < 1)
            return error_set(err, EX_DATAERR, "a window of %lld does not fit into %lld pixels along spatial axis %zu",
                             (long long)extent, (long long)x->dims[2 + i], i);
    }
    return 0;
}

int onnx_build_pool(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), auto_pad;
    struct node draft = {.op = OP_POOL, .inputs = &x, .n_inputs = 1};
    struct window *window = &draft.attr.pool.window;
    size_t spatial;
    bool is_ceil;

    draft.attr.pool.kind = (enum pool_kind)node->operator->variant;
    draft.attr.pool.output[0] = 1;
    if (count_spatial(in, x, &spatial, err) != 0 || read_window(node, spatial, NULL, window, &auto_pad, err) != 0 ||
        onnx_flag(node, "ceil_mode", false, &is_ceil, err) != 0 ||
        onnx_flag(node, "count_include_pad", false, &draft.attr.pool.count_include_pad, err) != 0)
        return -1;
    if (auto_pad == PAD_SAME_UPPER || auto_pad == PAD_SAME_LOWER)
        pad_same(onnx_shape(in, x), spatial, (enum auto_pad)auto_pad, window);
    return size_pool(onnx_shape(in, x), spatial, is_ceil, &draft, err) != 0 || onnx_add(in, node, &draft, err) < 0 ? -1
                                                                                                                   : 0;
}

int onnx_build_global_pool(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_POOL, .inputs = &x, .n_inputs = 1};

    draft.attr.pool.kind = (enum pool_kind)node->operator->variant;
    draft.attr.pool.is_global = true; /* graph_fold_node takes the window from the input */
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
