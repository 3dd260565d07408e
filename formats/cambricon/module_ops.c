/* module_ops.c — operators as lines of PyTorch 1.3; see module.h. Dims of the batch are left open. */
#include "formats/cambricon/module.h"

#include <math.h>

enum { CHANNELS = 1, ROWS = 2 };
enum { NUMBER_BYTES = 32, LIST_BYTES = 256 };

static const struct shape *shape_of(const struct module *m, int value)
{
    return &m->graph->values[value].shape;
}

static const struct shape *x_shape(const struct module *m)
{
    return shape_of(m, m->node->inputs[0]);
}

static const char *x_name(struct module *m)
{
    return module_value(m, m->node->inputs[0]);
}

/* Enough digits for the same float. */
static const char *number(float value, char text[NUMBER_BYTES])
{
    if (isfinite(value))
        snprintf(text, NUMBER_BYTES, "%.9g", (double)value);
    else
        snprintf(text, NUMBER_BYTES, "float(\"%s\")", value > 0 ? "inf" : "-inf");
    return text;
}

/* "(1, 2,)" */
static const char *list(const int64_t *items, size_t n, char text[LIST_BYTES])
{
    size_t length = (size_t)snprintf(text, LIST_BYTES, "(");

    for (size_t i = 0; i < n; i++)
        length +=
            (size_t)snprintf(text + length, LIST_BYTES - length, "%lld,%s", (long long)items[i], i + 1 < n ? " " : "");
    snprintf(text + length, LIST_BYTES - length, ")");
    return text;
}

/* ---- Windows */

/* A window over rows and columns, or over the only axis of a sequence: what PyTorch's modules take. */
struct extents {
    size_t n;     /* of axes */
    size_t first; /* in struct window */
    char kernel[LIST_BYTES], stride[LIST_BYTES], dilation[LIST_BYTES], pad[LIST_BYTES];
};

static bool has_even_pads(const struct window *w)
{
    return w->pad_begin[0] == w->pad_end[0] && w->pad_begin[1] == w->pad_end[1];
}

static bool describe_window(struct module *m, const struct window *w, bool with_pads, struct extents *e)
{
    static const int64_t none[2] = {0, 0};

    e->n = x_shape(m)->rank - ROWS;
    e->first = ROWS - e->n;
    if (e->n != 1 && e->n != 2) {
        module_cannot(m, "a window over %zu axes is not written", x_shape(m)->rank);
        return false;
    }
    list(w->kernel + e->first, e->n, e->kernel);
    list(w->stride + e->first, e->n, e->stride);
    list(w->dilation + e->first, e->n, e->dilation);
    list((with_pads ? w->pad_begin : none) + e->first, e->n, e->pad);
    return true;
}

/* Pads of unequal ends are a step of their own; the last axis comes first there. The name of what was padded. */
static const char *pad_input(struct module *m, const struct window *w, const struct extents *e, float value)
{
    const char *x = x_name(m);
    int64_t pads[4] = {w->pad_begin[1], w->pad_end[1], w->pad_begin[0], w->pad_end[0]};
    char text[LIST_BYTES], fill[NUMBER_BYTES];

    module_line(m, "padded = F.pad(%s, %s, value=%s)", x, list(pads, 2 * e->n, text), number(value, fill));
    return "padded";
}

static const char *has_bias(const struct module *m)
{
    return m->node->n_inputs > 2 && m->node->inputs[2] != GRAPH_NONE ? "True" : "False";
}

/* Weight and bias of a layer under its name. */
static void put_weights(struct module *m, const char *layer)
{
    module_weight(m, layer, "weight", m->node->inputs[1]);
    if (m->node->n_inputs > 2 && m->node->inputs[2] != GRAPH_NONE)
        module_weight(m, layer, "bias", m->node->inputs[2]);
}

static void put_conv(struct module *m)
{
    const struct window *w = &m->node->attr.conv.window;
    const struct shape *y = shape_of(m, m->node->outputs[0]);
    bool is_even = has_even_pads(w);
    struct extents e;
    const char *layer, *x;

    if (!describe_window(m, w, is_even, &e))
        return;
    layer = module_name_layer(m);
    module_member(m, "self.%s = nn.Conv%zud(%lld, %lld, %s, stride=%s, padding=%s, dilation=%s, groups=%lld, bias=%s)",
                  layer, e.n, (long long)x_shape(m)->dims[CHANNELS], (long long)y->dims[CHANNELS], e.kernel, e.stride,
                  e.pad, e.dilation, (long long)m->node->attr.conv.group, has_bias(m));
    put_weights(m, layer);
    x = is_even ? x_name(m) : pad_input(m, w, &e, 0);
    module_line(m, "%s = self.%s(%s)", module_target(m), layer, x);
}

static void put_deconv(struct module *m)
{
    const struct window *w = &m->node->attr.conv.window;
    const struct shape *y = shape_of(m, m->node->outputs[0]);
    char output_padding[LIST_BYTES];
    struct extents e;
    const char *layer;

    if (!has_even_pads(w)) {
        module_cannot(m, "a transposed convolution with pads of unequal ends is not written");
        return;
    }
    if (!describe_window(m, w, true, &e))
        return;
    layer = module_name_layer(m);
    module_member(
        m,
        "self.%s = nn.ConvTranspose%zud(%lld, %lld, %s, stride=%s, padding=%s, output_padding=%s, groups=%lld, "
        "bias=%s, dilation=%s)",
        layer, e.n, (long long)x_shape(m)->dims[CHANNELS], (long long)y->dims[CHANNELS], e.kernel, e.stride, e.pad,
        list(m->node->attr.conv.output_padding + e.first, e.n, output_padding), (long long)m->node->attr.conv.group,
        has_bias(m), e.dilation);
    put_weights(m, layer);
    module_line(m, "%s = self.%s(%s)", module_target(m), layer, x_name(m));
}

/* The rows or columns that PyTorch gives, without and with ceil_mode, and what the graph has. */
static bool find_ceil_mode(const struct module *m, const struct extents *e, bool has_own_pads, bool *ceil_mode)
{
    const struct window *w = &m->node->attr.pool.window;

    for (int ceil = 0; ceil < 2; ceil++) {
        bool fits = true;

        for (size_t i = e->first; i < 2; i++) {
            int64_t in = x_shape(m)->dims[ROWS + i - e->first], begin = w->pad_begin[i], end = w->pad_end[i];

            if (!has_own_pads) {
                in += begin + end;
                begin = end = 0;
            }
            fits = fits && pool_output_size(in, w->kernel[i], w->stride[i], w->dilation[i], begin, end, ceil != 0,
                                            false) == m->node->attr.pool.output[i];
        }
        *ceil_mode = ceil != 0;
        if (fits)
            return true;
    }
    return false;
}

static void put_pool(struct module *m)
{
    const struct window *w = &m->node->attr.pool.window;
    bool is_max = m->node->attr.pool.kind == POOL_MAX, is_even = has_even_pads(w), ceil_mode;
    bool has_own_pads = is_even && 2 * w->pad_begin[0] <= w->kernel[0] && 2 * w->pad_begin[1] <= w->kernel[1];
    struct extents e;
    const char *x;

    if (!describe_window(m, w, has_own_pads, &e))
        return;
    if (!find_ceil_mode(m, &e, has_own_pads, &ceil_mode) || (!is_max && (w->dilation[0] != 1 || w->dilation[1] != 1)) ||
        (!is_max && !has_own_pads && !m->node->attr.pool.count_include_pad)) {
        module_cannot(m, "a pool with such windows is not written");
        return;
    }
    x = has_own_pads ? x_name(m) : pad_input(m, w, &e, is_max ? -INFINITY : 0);
    if (is_max)
        module_line(m, "%s = F.max_pool%zud(%s, %s, stride=%s, padding=%s, dilation=%s, ceil_mode=%s)",
                    module_target(m), e.n, x, e.kernel, e.stride, e.pad, e.dilation, ceil_mode ? "True" : "False");
    else
        module_line(m, "%s = F.avg_pool%zud(%s, %s, stride=%s, padding=%s, ceil_mode=%s, count_include_pad=%s)",
                    module_target(m), e.n, x, e.kernel, e.stride, e.pad, ceil_mode ? "True" : "False",
                    m->node->attr.pool.count_include_pad ? "True" : "False");
}

static void put_dense(struct module *m)
{
    const struct shape *weights = shape_of(m, m->node->inputs[1]);
    const char *layer = module_name_layer(m);

    module_member(m, "self.%s = nn.Linear(%lld, %lld, bias=%s)", layer, (long long)weights->dims[1],
                  (long long)weights->dims[0], has_bias(m));
    put_weights(m, layer);
    module_line(m, "%s = self.%s(%s)", module_target(m), layer, x_name(m));
}

/* ---- Element by element */

/* Expressions of x, with alpha as the second argument and beta as the third. */
static const char *const activations[ACTIVATION_COUNT] = {
    [ACTIVATION_RELU] = "F.relu(%1$s)",
    [ACTIVATION_LEAKY_RELU] = "F.leaky_relu(%1$s, %2$s)",
    [ACTIVATION_CLIP] = "torch.clamp(%1$s, %2$s, %3$s)",
    [ACTIVATION_SIGMOID] = "torch.sigmoid(%1$s)",
    [ACTIVATION_TANH] = "torch.tanh(%1$s)",
    [ACTIVATION_ELU] = "F.elu(%1$s, %2$s)",
    [ACTIVATION_SWISH] = "%1$s * torch.sigmoid(%2$s * %1$s)",
    [ACTIVATION_HARD_SIGMOID] = "torch.clamp(%2$s * %1$s + %3$s, 0, 1)",
    [ACTIVATION_HARD_SWISH] = "%1$s * torch.clamp(%2$s * %1$s + %3$s, 0, 1)",
    [ACTIVATION_SOFTPLUS] = "F.softplus(%1$s)",
    [ACTIVATION_EXP] = "torch.exp(%1$s)",
    [ACTIVATION_LOG] = "torch.log(%1$s)",
    [ACTIVATION_ABS] = "torch.abs(%1$s)",
    [ACTIVATION_SQRT] = "torch.sqrt(%1$s)",
    [ACTIVATION_ERF] = "torch.erf(%1$s)",
    [ACTIVATION_GELU] = "F.gelu(%1$s)",
    [ACTIVATION_POWER] = "torch.pow(%1$s, %2$s)",
    [ACTIVATION_MISH] = "%1$s * torch.tanh(F.softplus(%1$s))",
    [ACTIVATION_GELU_TANH] = "0.5 * %1$s * (1 + torch.tanh(0.79788456 * (%1$s + 0.044715 * torch.pow(%1$s, 3))))",
    [ACTIVATION_THRESHOLDED_RELU] = "F.threshold(%1$s, %2$s, 0)",
    [ACTIVATION_FLOOR] = "torch.floor(%1$s)",
    [ACTIVATION_CEIL] = "torch.ceil(%1$s)",
    [ACTIVATION_ROUND] = "torch.round(%1$s)",
    [ACTIVATION_SIGN] = "torch.sign(%1$s)",
};

static void put_expression(struct module *m, struct activation a, const char *target, const char *x)
{
    char alpha[NUMBER_BYTES], beta[NUMBER_BYTES], *text;

    if (activations[a.kind] == NULL) {
        module_cannot(m, "%s has no form in PyTorch 1.3", activation_name(a.kind));
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    text = arena_format(m->arena, &m->err, activations[a.kind], x, number(a.alpha, alpha), number(a.beta, beta));
#pragma GCC diagnostic pop
    if (text != NULL)
        module_line(m, "%s = %s", target, text);
}

void module_fused(struct module *m, struct activation a, const char *variable)
{
    if (a.kind != ACTIVATION_NONE && m->err.code == 0)
        put_expression(m, a, variable, variable);
}

static void put_activation(struct module *m)
{
    put_expression(m, m->node->attr.activation, module_target(m), x_name(m));
}

static void put_prelu(struct module *m)
{
    const char *layer = module_name_layer(m);

    module_member(m, "self.%s = nn.PReLU(%lld)", layer, (long long)shape_elements(shape_of(m, m->node->inputs[1])));
    module_weight(m, layer, "weight", m->node->inputs[1]);
    module_line(m, "%s = self.%s(%s)", module_target(m), layer, x_name(m));
}

static void put_binary(struct module *m)
{
    static const char *const forms[BINARY_COUNT] = {
        [BINARY_ADD] = "%s = %s + %s",           [BINARY_SUB] = "%s = %s - %s",
        [BINARY_MUL] = "%s = %s * %s",           [BINARY_DIV] = "%s = %s / %s",
        [BINARY_MAX] = "%s = torch.max(%s, %s)", [BINARY_MIN] = "%s = torch.min(%s, %s)",
        [BINARY_POW] = "%s = torch.pow(%s, %s)",
    };
    const char *a = module_value(m, m->node->inputs[0]), *b = module_value(m, m->node->inputs[1]);
    const char *form = forms[m->node->attr.binary.kind], *target = module_target(m);

    if (form == NULL)
        module_cannot(m, "such an operator is not written");
    else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        module_line(m, form, target, a, b);
#pragma GCC diagnostic pop
}

static void put_matmul(struct module *m)
{
    const char *a = module_value(m, m->node->inputs[0]), *b = module_value(m, m->node->inputs[1]);

    module_line(m, "%s = torch.matmul(%s, %s)", module_target(m), a, b);
}

/* scale[c] and shift[c] behind as many open axes as there are behind the channels. */
static void put_normalize(struct module *m)
{
    const char *scale = module_value(m, m->node->inputs[1]), *shift = module_value(m, m->node->inputs[2]);
    static const char *const open[] = {"", "", "", ", 1", ", 1, 1", ", 1, 1, 1"};
    size_t rank = x_shape(m)->rank;

    if (rank >= sizeof open / sizeof *open)
        module_cannot(m, "a tensor of %zu axes is not written", rank);
    else
        module_line(m, "%s = %s * %s.reshape(1, -1%s) + %s.reshape(1, -1%s)", module_target(m), x_name(m), scale,
                    open[rank], shift, open[rank]);
}

static void put_lrn(struct module *m)
{
    char alpha[NUMBER_BYTES], beta[NUMBER_BYTES], k[NUMBER_BYTES];

    module_line(m, "%s = F.local_response_norm(%s, %lld, alpha=%s, beta=%s, k=%s)", module_target(m), x_name(m),
                (long long)m->node->attr.lrn.size, number(m->node->attr.lrn.alpha, alpha),
                number(m->node->attr.lrn.beta, beta), number(m->node->attr.lrn.k, k));
}

static void put_softmax(struct module *m)
{
    module_line(m, "%s = F.%ssoftmax(%s, dim=%lld)", module_target(m), m->node->attr.softmax.is_log ? "log_" : "",
                x_name(m), (long long)m->node->attr.softmax.axis);
}

static void put_layer_norm(struct module *m)
{
    const char *x = x_name(m), *target;
    int64_t axes[TENSOR_MAX_RANK];
    char dims[LIST_BYTES], epsilon[NUMBER_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < x_shape(m)->rank; i++)
        if (m->node->attr.layer_norm.axes >> i & 1)
            axes[n++] = (int64_t)i;
    list(axes, n, dims);
    target = module_target(m);
    module_line(m, "centred = %s - %s.mean(dim=%s, keepdim=True)", x, x, dims);
    module_line(m, "%s = centred / torch.sqrt((centred * centred).mean(dim=%s, keepdim=True) + %s)", target, dims,
                number(m->node->attr.layer_norm.epsilon, epsilon));
    if (m->node->n_inputs > 1 && m->node->inputs[1] != GRAPH_NONE)
        module_line(m, "%s = %s * %s", target, target, module_value(m, m->node->inputs[1]));
    if (m->node->n_inputs > 2 && m->node->inputs[2] != GRAPH_NONE)
        module_line(m, "%s = %s + %s", target, target, module_value(m, m->node->inputs[2]));
}

/* ---- Shapes */

static void put_concat(struct module *m)
{
    char *parts = arena_copy_string(m->arena, "", &m->err);

    for (size_t i = 0; i < m->node->n_inputs && parts != NULL; i++)
        parts = arena_format(m->arena, &m->err, "%s%s, ", parts, module_value(m, m->node->inputs[i]));
    if (parts != NULL)
        module_line(m, "%s = torch.cat((%s), dim=%lld)", module_target(m), parts, (long long)m->node->attr.axis);
}

static void put_reshape(struct module *m)
{
    struct shape y = *shape_of(m, m->node->outputs[0]);
    char dims[LIST_BYTES];

    if (y.rank > 0 && y.dims[0] == 1)
        y.dims[0] = -1; /* the batch */
    module_line(m, "%s = %s.reshape(%s)", module_target(m), x_name(m), list(y.dims, y.rank, dims));
}

static void put_transpose(struct module *m)
{
    char dims[LIST_BYTES];

    module_line(m, "%s = %s.permute(%s)", module_target(m), x_name(m),
                list(m->node->attr.perm, x_shape(m)->rank, dims));
}

static void put_slice(struct module *m)
{
    const struct shape *y = shape_of(m, m->node->outputs[0]);
    char *index = arena_copy_string(m->arena, ":", &m->err);

    for (size_t i = 1; i < y->rank && index != NULL; i++) {
        int64_t begin = m->node->attr.slice.begin[i], step = m->node->attr.slice.step[i];

        if (begin == 0 && step == 1 && y->dims[i] == x_shape(m)->dims[i])
            index = arena_format(m->arena, &m->err, "%s, :", index);
        else
            index = arena_format(m->arena, &m->err, "%s, %lld:%lld:%lld", index, (long long)begin,
                                 (long long)(begin + (y->dims[i] - 1) * step + 1), (long long)step);
    }
    if (index != NULL)
        module_line(m, "%s = %s[%s]", module_target(m), x_name(m), index);
}

/* F.pad counts axes from the last one on; other modes than a constant only know the last two. */
static void put_pad(struct module *m)
{
    static const char *const modes[] = {
        [PAD_CONSTANT] = "constant", [PAD_REFLECT] = "reflect", [PAD_EDGE] = "replicate"};
    size_t rank = x_shape(m)->rank, first = m->node->attr.pad.mode == PAD_CONSTANT ? 0 : ROWS, n = 0;
    int64_t pads[2 * TENSOR_MAX_RANK];
    char text[LIST_BYTES], value[NUMBER_BYTES];

    for (size_t i = 0; i < first && i < rank; i++)
        if (m->node->attr.pad.begin[i] != 0 || m->node->attr.pad.end[i] != 0)
            module_cannot(m, "%s pads of the first two axes have no form in PyTorch 1.3",
                          modes[m->node->attr.pad.mode]);
    for (size_t i = rank; i-- > first;) {
        pads[n++] = m->node->attr.pad.begin[i];
        pads[n++] = m->node->attr.pad.end[i];
    }
    module_line(m, "%s = F.pad(%s, %s, mode=\"%s\", value=%s)", module_target(m), x_name(m), list(pads, n, text),
                modes[m->node->attr.pad.mode], number(first == 0 ? m->node->attr.pad.value : 0, value));
}

static void put_reduce(struct module *m)
{
    static const char *const names[REDUCE_COUNT] = {[REDUCE_MEAN] = "mean",
                                                    [REDUCE_SUM] = "sum",
                                                    [REDUCE_MAX] = "max",
                                                    [REDUCE_MIN] = "min",
                                                    [REDUCE_PROD] = "prod"};
    enum reduce_kind kind = m->node->attr.reduce.kind;
    const char *x = x_name(m), *target = module_target(m), *keep = m->node->attr.reduce.keep_dims ? "True" : "False";
    bool has_pairs = kind == REDUCE_MAX || kind == REDUCE_MIN; /* of extremes and where they are */

    if (kind != REDUCE_L2 && names[kind] == NULL) {
        module_cannot(m, "such a reduction is not written");
        return;
    }
    if (kind == REDUCE_L2)
        module_line(m, "%s = %s * %s", target, x, x);
    for (size_t i = x_shape(m)->rank; i-- > 0;) { /* from the last on: indices before it stay */
        if (!(m->node->attr.reduce.axes >> i & 1))
            continue;
        module_line(m, "%s = %s.%s(dim=%zu, keepdim=%s)%s", target, kind == REDUCE_L2 ? target : x,
                    kind == REDUCE_L2 ? "sum" : names[kind], i, keep, has_pairs ? "[0]" : "");
        x = target;
    }
    if (kind == REDUCE_L2)
        module_line(m, "%s = torch.sqrt(%s)", target, target);
}

static void put_resize(struct module *m)
{
    const struct shape *y = shape_of(m, m->node->outputs[0]);
    enum resize_coordinates at = m->node->attr.resize.coordinates;
    enum resize_mode mode = m->node->attr.resize.mode;
    bool is_nearest = mode == RESIZE_NEAREST, is_aligned = at == RESIZE_ALIGN_CORNERS;
    char size[LIST_BYTES];

    for (size_t i = ROWS; i < y->rank && y->rank == 4 && !is_aligned; i++)
        if (m->node->attr.resize.scale[i - ROWS] != (float)y->dims[i] / (float)x_shape(m)->dims[i])
            module_cannot(m, "a resize by a factor that is not the ratio of the sizes has no form in PyTorch 1.3");
    if (y->rank != 4 || (mode == RESIZE_CUBIC && m->node->attr.resize.cubic_a != -0.75f) ||
        (is_nearest ? at != RESIZE_ASYMMETRIC || m->node->attr.resize.rounding != RESIZE_FLOOR
                    : !is_aligned && at != RESIZE_HALF_PIXEL && at != RESIZE_PYTORCH_HALF_PIXEL)) {
        module_cannot(m, "a resize with such coordinates has no form in PyTorch 1.3");
        return;
    }
    module_line(m, "%s = F.interpolate(%s, size=%s, mode=\"%s\"%s)", module_target(m), x_name(m),
                list(y->dims + ROWS, 2, size),
                is_nearest              ? "nearest"
                : mode == RESIZE_LINEAR ? "bilinear"
                                        : "bicubic",
                is_nearest   ? ""
                : is_aligned ? ", align_corners=True"
                             : ", align_corners=False");
}

static void put_gather(struct module *m)
{
    const struct shape *indices = shape_of(m, m->node->inputs[1]);
    const char *x = x_name(m), *at = module_value(m, m->node->inputs[1]);

    const char *target = module_target(m);

    if (indices->rank > 1)
        module_cannot(m, "indices of %zu axes are not written", indices->rank);
    module_line(m, "%s = torch.index_select(%s, %lld, %s.reshape(-1) %% %lld)", target, x,
                (long long)m->node->attr.axis, at, (long long)x_shape(m)->dims[m->node->attr.axis]);
    if (indices->rank == 0)
        module_line(m, "%s = %s.squeeze(%lld)", target, target, (long long)m->node->attr.axis);
}

static void put_identity(struct module *m)
{
    module_line(m, "%s = %s", module_target(m), x_name(m));
}

module_op *const module_ops[OP_COUNT] = {
    [OP_CONV] = put_conv,           [OP_DECONV] = put_deconv,
    [OP_DENSE] = put_dense,         [OP_MATMUL] = put_matmul,
    [OP_POOL] = put_pool,           [OP_ACTIVATION] = put_activation,
    [OP_PRELU] = put_prelu,         [OP_BINARY] = put_binary,
    [OP_CONCAT] = put_concat,       [OP_SOFTMAX] = put_softmax,
    [OP_RESHAPE] = put_reshape,     [OP_TRANSPOSE] = put_transpose,
    [OP_SLICE] = put_slice,         [OP_PAD] = put_pad,
    [OP_NORMALIZE] = put_normalize, [OP_LRN] = put_lrn,
    [OP_REDUCE] = put_reduce,       [OP_RESIZE] = put_resize,
    [OP_IDENTITY] = put_identity,   [OP_LAYER_NORM] = put_layer_norm,
    [OP_GATHER] = put_gather,
};
