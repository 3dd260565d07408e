/* write_ops.c — operators of our graph in the words of opset 13; see write_ops.h.
 *
 * One function an operator. Nothing here fixes the batch: reshapes copy axis 0, resizes are given as scales.
 */
#include "formats/onnx/write_ops.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void fail(const struct onnx_job *job, const char *why)
{
    struct error err;

    error_set(&err, EX_UNAVAILABLE, "node \"%s\" (%s): %s", job->node->name, job->node->type, why);
    onnx_writer_fail(job->writer, &err);
}

static void add(const struct onnx_job *job, const char *type, size_t n_inputs)
{
    onnx_writer_node(job->writer, type, job->node->name, job->inputs, n_inputs, job->output);
}

/* A helper value or node of this one. */
static const char *derive(const struct onnx_job *job, const char *suffix)
{
    return onnx_graph_name(job->gw, job->node->name, suffix);
}

static const char *add_scalar(const struct onnx_job *job, const char *suffix, float value)
{
    const char *name = derive(job, suffix);

    onnx_writer_scalar(job->writer, name, value);
    return name;
}

static const char *add_ints(const struct onnx_job *job, const char *suffix, const int64_t *items, size_t n)
{
    const char *name = derive(job, suffix);

    onnx_writer_ints_tensor(job->writer, name, items, n);
    return name;
}

/* --- activations --- */

static void write_simple(const struct onnx_job *job, const char *type, const char *name, const char *x, const char *y)
{
    onnx_writer_node(job->writer, type, name, &x, 1, y);
}

static void write_pair(const struct onnx_job *job, const char *type, const char *name, const char *a, const char *b,
                       const char *y)
{
    onnx_writer_node(job->writer, type, name, (const char *[]){a, b}, 2, y);
}

/* x sigmoid(alpha x) */
static void write_swish(const struct onnx_job *job, float alpha, const char *name, const char *x, const char *y)
{
    const char *gate = derive(job, "gate"), *argument = x;

    if (alpha != 1) {
        argument = derive(job, "argument");
        write_pair(job, "Mul", argument, x, add_scalar(job, "alpha", alpha), argument);
    }
    write_simple(job, "Sigmoid", gate, argument, gate);
    write_pair(job, "Mul", name, x, gate, y);
}

/* x (1 + erf(x / sqrt 2)) / 2: Gelu is an operator of its own only since opset 20. */
static void write_gelu(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *scaled = derive(job, "scaled"), *erf_of = derive(job, "erf"), *gate = derive(job, "gate");
    const char *half = derive(job, "half_x");

    write_pair(job, "Mul", scaled, x, add_scalar(job, "sqrt_half", 0.70710678F), scaled);
    write_simple(job, "Erf", erf_of, scaled, erf_of);
    write_pair(job, "Add", gate, erf_of, add_scalar(job, "one", 1), gate);
    write_pair(job, "Mul", half, x, add_scalar(job, "half", 0.5F), half);
    write_pair(job, "Mul", name, half, gate, y);
}

/* x (1 + tanh t) / 2 = x sigmoid(2 t), t = sqrt(2 / pi) (x + 0.044715 x^3) */
static void write_gelu_tanh(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *cube = derive(job, "cube"), *small = derive(job, "small"), *sum = derive(job, "sum");
    const char *scaled = derive(job, "scaled"), *gate = derive(job, "gate");

    write_pair(job, "Pow", cube, x, add_scalar(job, "three", 3), cube);
    write_pair(job, "Mul", small, cube, add_scalar(job, "cubic", 0.044715F), small);
    write_pair(job, "Add", sum, x, small, sum);
    write_pair(job, "Mul", scaled, sum, add_scalar(job, "scale", 1.5957691F), scaled);
    write_simple(job, "Sigmoid", gate, scaled, gate);
    write_pair(job, "Mul", name, x, gate, y);
}

/* Mish is an operator of its own only since opset 18. */
static void write_mish(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *soft = derive(job, "softplus"), *gate = derive(job, "gate");

    write_simple(job, "Softplus", soft, x, soft);
    write_simple(job, "Tanh", gate, soft, gate);
    write_pair(job, "Mul", name, x, gate, y);
}

static void write_clip(const struct onnx_job *job, struct activation a, const char *name, const char *x, const char *y)
{
    const char *inputs[] = {x, "", ""};

    if (a.alpha > -FLT_MAX)
        inputs[1] = add_scalar(job, "min", a.alpha);
    if (a.beta < FLT_MAX)
        inputs[2] = add_scalar(job, "max", a.beta);
    onnx_writer_node(job->writer, "Clip", name, inputs, 3, y);
}

void onnx_write_activation(const struct onnx_job *job, struct activation a, const char *name, const char *x,
                           const char *y)
{
    static const char *const simple[ACTIVATION_COUNT] = {
        [ACTIVATION_NONE] = "Identity",
        [ACTIVATION_RELU] = "Relu",
        [ACTIVATION_SIGMOID] = "Sigmoid",
        [ACTIVATION_TANH] = "Tanh",
        [ACTIVATION_SOFTPLUS] = "Softplus",
        [ACTIVATION_EXP] = "Exp",
        [ACTIVATION_LOG] = "Log",
        [ACTIVATION_ABS] = "Abs",
        [ACTIVATION_SQRT] = "Sqrt",
        [ACTIVATION_ERF] = "Erf",
        [ACTIVATION_LEAKY_RELU] = "LeakyRelu",
        [ACTIVATION_ELU] = "Elu",
        [ACTIVATION_HARD_SIGMOID] = "HardSigmoid",
        [ACTIVATION_THRESHOLDED_RELU] = "ThresholdedRelu",
        [ACTIVATION_FLOOR] = "Floor",
        [ACTIVATION_CEIL] = "Ceil",
        [ACTIVATION_ROUND] = "Round",
        [ACTIVATION_SIGN] = "Sign",
    };
    const char *gate;

    switch (a.kind) {
    case ACTIVATION_CLIP:
        write_clip(job, a, name, x, y);
        break;
    case ACTIVATION_SWISH:
        write_swish(job, a.alpha, name, x, y);
        break;
    case ACTIVATION_GELU:
        write_gelu(job, name, x, y);
        break;
    case ACTIVATION_GELU_TANH:
        write_gelu_tanh(job, name, x, y);
        break;
    case ACTIVATION_MISH:
        write_mish(job, name, x, y);
        break;
    case ACTIVATION_POWER:
        write_pair(job, "Pow", name, x, add_scalar(job, "exponent", a.alpha), y);
        break;
    case ACTIVATION_HARD_SWISH:
        gate = derive(job, "gate");
        write_simple(job, "HardSigmoid", gate, x, gate);
        onnx_writer_float(job->writer, "alpha", a.alpha);
        onnx_writer_float(job->writer, "beta", a.beta);
        write_pair(job, "Mul", name, x, gate, y);
        break;
    default:
        write_simple(job, simple[a.kind], name, x, y);
        if (a.kind == ACTIVATION_LEAKY_RELU || a.kind == ACTIVATION_ELU || a.kind == ACTIVATION_HARD_SIGMOID ||
            a.kind == ACTIVATION_THRESHOLDED_RELU)
            onnx_writer_float(job->writer, "alpha", a.alpha);
        if (a.kind == ACTIVATION_HARD_SIGMOID)
            onnx_writer_float(job->writer, "beta", a.beta);
        break;
    }
}

/* --- windows --- */

/* Window attributes for one or two spatial axes. */
static void write_window(const struct onnx_job *job, const struct window *w, const int64_t pad_end[2],
                         bool has_dilations)
{
    size_t spatial = job->x->rank - 2, first = 2 - spatial;
    int64_t pads[4];

    for (size_t i = 0; i < spatial; i++) {
        pads[i] = w->pad_begin[first + i];
        pads[spatial + i] = pad_end[first + i];
    }
    onnx_writer_ints(job->writer, "kernel_shape", w->kernel + first, spatial);
    onnx_writer_ints(job->writer, "strides", w->stride + first, spatial);
    onnx_writer_ints(job->writer, "pads", pads, 2 * spatial);
    if (has_dilations)
        onnx_writer_ints(job->writer, "dilations", w->dilation + first, spatial);
}

static void write_conv(const struct onnx_job *job)
{
    const struct window *w = &job->node->attr.conv.window;
    bool is_transposed = job->node->op == OP_DECONV;

    add(job, is_transposed ? "ConvTranspose" : "Conv", job->n_inputs);
    write_window(job, w, w->pad_end, true);
    onnx_writer_int(job->writer, "group", job->node->attr.conv.group);
    if (is_transposed)
        onnx_writer_ints(job->writer, "output_padding", job->node->attr.conv.output_padding + 4 - job->x->rank,
                         job->x->rank - 2);
}

/* End pads with which rounding down gives the pool's own output size. They exceed the declared ones where the pool
 * rounds up; that changes nothing for a maximum, nor for an average that does not count padding. */
static bool find_pool_pads(const struct onnx_job *job, int64_t pad_end[2])
{
    const struct window *w = &job->node->attr.pool.window;
    bool is_exact = true;

    for (size_t i = 0; i < job->x->rank - 2; i++) {
        size_t k = i + 4 - job->x->rank;
        int64_t in = job->x->dims[2 + i], out = job->node->attr.pool.output[k];

        pad_end[k] = w->pad_end[k];
        if (pool_output_size(in, w->kernel[k], w->stride[k], w->dilation[k], w->pad_begin[k], w->pad_end[k], false,
                             false) == out)
            continue;
        is_exact = false;
        pad_end[k] = (out - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - in - w->pad_begin[k];
    }
    return is_exact;
}

static void write_pool(const struct onnx_job *job)
{
    bool is_max = job->node->attr.pool.kind == POOL_MAX, counts_pads = job->node->attr.pool.count_include_pad, is_exact;
    const struct window *w = &job->node->attr.pool.window;
    int64_t pad_end[2] = {0};

    if (job->node->attr.pool.is_global) {
        add(job, is_max ? "GlobalMaxPool" : "GlobalAveragePool", 1);
        return;
    }
    is_exact = find_pool_pads(job, pad_end);
    if (!is_max && (w->dilation[0] != 1 || w->dilation[1] != 1)) {
        fail(job, "an average pool with dilations needs opset 19");
        return;
    }
    add(job, is_max ? "MaxPool" : "AveragePool", 1);
    /* what hangs over the declared pads is not counted, so here they must stay, and the runtime rounds up by itself */
    write_window(job, w, !is_max && counts_pads ? w->pad_end : pad_end, is_max);
    if (!is_max)
        onnx_writer_int(job->writer, "count_include_pad", counts_pads);
    onnx_writer_int(job->writer, "ceil_mode", !is_max && counts_pads && !is_exact);
}

/* out / in as a scale with which a runtime's floor(in * scale) gives the output's size. */
static float find_scale(int64_t in, int64_t out, float wanted)
{
    float scale = wanted;

    if ((int64_t)floorf((float)in * scale) != out)
        scale = (float)out / (float)in;
    for (int i = 0; i < 4 && (int64_t)floorf((float)in * scale) < out; i++)
        scale = nextafterf(scale, INFINITY);
    return scale;
}

static void write_resize(const struct onnx_job *job)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
    const struct shape *y = &job->gw->graph->values[job->node->outputs[0]].shape;
    struct tensor scales = {DTYPE_FLOAT32, {.rank = 1, .dims = {(int64_t)y->rank}}, NULL};
    float *data = onnx_writer_memory(job->writer, y->rank, sizeof *data);
    const char *inputs[] = {job->inputs[0], "", derive(job, "scales")};

    for (size_t i = 0; data != NULL && i < y->rank; i++)
        data[i] = i < 2 ? 1 : find_scale(job->x->dims[i], y->dims[i], job->node->attr.resize.scale[i + 2 - y->rank]);
    scales.data = data;
    onnx_writer_tensor(job->writer, inputs[2], &scales);
    onnx_writer_node(job->writer, "Resize", job->node->name, inputs, 3, job->output);
    onnx_writer_string(job->writer, "mode", modes[job->node->attr.resize.mode]);
    onnx_writer_string(job->writer, "coordinate_transformation_mode", coordinates[job->node->attr.resize.coordinates]);
    onnx_writer_string(job->writer, "nearest_mode", roundings[job->node->attr.resize.rounding]);
    onnx_writer_float(job->writer, "cubic_coeff_a", job->node->attr.resize.cubic_a);
}

/* --- features --- */

static void write_dense(const struct onnx_job *job)
{
    add(job, "Gemm", job->n_inputs);
    onnx_writer_int(job->writer, "transB", 1);
}

static void write_matmul(const struct onnx_job *job)
{
    add(job, "MatMul", 2);
}

/* With mean 0, variance 1 and epsilon 0 a BatchNormalization is scale and shift. */
static void write_normalize(const struct onnx_job *job)
{
    int64_t channels = job->x->dims[1];
    struct tensor tensor = {DTYPE_FLOAT32, {.rank = 1, .dims = {channels}}, NULL};
    float *zeros = onnx_writer_memory(job->writer, (size_t)channels, sizeof *zeros);
    float *ones = onnx_writer_memory(job->writer, (size_t)channels, sizeof *ones);
    const char *inputs[] = {job->inputs[0], job->inputs[1], job->inputs[2], derive(job, "mean"),
                            derive(job, "variance")};

    for (int64_t c = 0; ones != NULL && c < channels; c++)
        ones[c] = 1;
    tensor.data = zeros;
    onnx_writer_tensor(job->writer, inputs[3], &tensor);
    tensor.data = ones;
    onnx_writer_tensor(job->writer, inputs[4], &tensor);
    onnx_writer_node(job->writer, "BatchNormalization", job->node->name, inputs, 5, job->output);
    onnx_writer_float(job->writer, "epsilon", 0);
}

/* The slope broadcasts from the right there: one axis of 1 for each spatial axis. */
static void write_prelu(const struct onnx_job *job)
{
    const char *inputs[] = {job->inputs[0], derive(job, "slope")};
    struct tensor slope;

    graph_constant(job->gw->graph, job->node->inputs[1], &slope);
    for (size_t i = 2; i < job->x->rank; i++)
        slope.shape.dims[slope.shape.rank++] = 1;
    onnx_writer_tensor(job->writer, inputs[1], &slope);
    onnx_writer_node(job->writer, "PRelu", job->node->name, inputs, 2, job->output);
}

static void write_element_wise(const struct onnx_job *job)
{
    onnx_write_activation(job, job->node->attr.activation, job->node->name, job->inputs[0], job->output);
}

static void write_binary(const struct onnx_job *job)
{
    static const char *const types[BINARY_COUNT] = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"};

    add(job, types[job->node->attr.binary.kind], 2);
}

static void write_softmax(const struct onnx_job *job)
{
    add(job, job->node->attr.softmax.is_log ? "LogSoftmax" : "Softmax", 1);
    onnx_writer_int(job->writer, "axis", job->node->attr.softmax.axis);
}

static void write_lrn(const struct onnx_job *job)
{
    add(job, "LRN", 1);
    onnx_writer_int(job->writer, "size", job->node->attr.lrn.size);
    onnx_writer_float(job->writer, "alpha", job->node->attr.lrn.alpha);
    onnx_writer_float(job->writer, "beta", job->node->attr.lrn.beta);
    onnx_writer_float(job->writer, "bias", job->node->attr.lrn.k);
}

/* At opset 13 only ReduceSum has its axes as an input. */
static void write_reduce(const struct onnx_job *job)
{
    static const char *const types[REDUCE_COUNT] = {"ReduceMean", "ReduceSum", "ReduceMax",
                                                    "ReduceMin",  "ReduceL2",  "ReduceProd"};
    bool is_sum = job->node->attr.reduce.kind == REDUCE_SUM;
    const char *inputs[] = {job->inputs[0], ""};
    int64_t axes[TENSOR_MAX_RANK];
    size_t n = 0;

    for (size_t i = 0; i < job->x->rank; i++)
        if ((job->node->attr.reduce.axes >> i & 1) != 0)
            axes[n++] = (int64_t)i;
    if (is_sum)
        inputs[1] = add_ints(job, "axes", axes, n);
    onnx_writer_node(job->writer, types[job->node->attr.reduce.kind], job->node->name, inputs, is_sum ? 2 : 1,
                     job->output);
    if (!is_sum)
        onnx_writer_ints(job->writer, "axes", axes, n);
    onnx_writer_int(job->writer, "keepdims", job->node->attr.reduce.keep_dims);
}

/* A helper value of one element along the axes of a normalisation. */
static void describe_reduced(const struct onnx_job *job, const char *name)
{
    struct shape shape = *job->x;

    for (size_t i = 0; i < shape.rank; i++)
        if ((job->node->attr.layer_norm.axes >> i & 1) != 0)
            shape.dims[i] = 1;
    onnx_writer_value(job->writer, name, DTYPE_FLOAT32, &shape, false);
}

/* One mean over the axes of a normalisation. */
static void write_mean(const struct onnx_job *job, const char *name, const char *x)
{
    int64_t axes[TENSOR_MAX_RANK];
    size_t n = 0;

    for (size_t i = 0; i < job->x->rank; i++)
        if ((job->node->attr.layer_norm.axes >> i & 1) != 0)
            axes[n++] = (int64_t)i;
    write_simple(job, "ReduceMean", name, x, name);
    onnx_writer_ints(job->writer, "axes", axes, n);
    onnx_writer_int(job->writer, "keepdims", 1);
    describe_reduced(job, name);
}

/* LayerNormalization is an operator of its own only since opset 17; runtimes know the pattern. The last node of the
 * chain, whichever it is, bears the name. */
static void write_layer_norm(const struct onnx_job *job)
{
    const char *mean = derive(job, "mean"), *centred = derive(job, "centred"), *square = derive(job, "square");
    const char *variance = derive(job, "variance"), *positive = derive(job, "positive"), *root = derive(job, "root");
    const char *steps[] = {derive(job, "normalised"), derive(job, "scaled"), job->output},
               *types[] = {"Div", "Mul", "Add"};
    const char *operands[3] = {root};
    const char *y = centred;

    write_mean(job, mean, job->inputs[0]);
    write_pair(job, "Sub", centred, job->inputs[0], mean, centred);
    write_pair(job, "Mul", square, centred, centred, square);
    write_mean(job, variance, square);
    write_pair(job, "Add", positive, variance, add_scalar(job, "epsilon", job->node->attr.layer_norm.epsilon),
               positive);
    write_simple(job, "Sqrt", root, positive, root);
    describe_reduced(job, positive);
    describe_reduced(job, root);
    for (size_t i = 1; i < 3; i++)
        operands[i] = i < job->n_inputs && job->inputs[i][0] != '\0' ? job->inputs[i] : NULL;
    for (size_t i = 0; i < 3; i++) {
        bool is_last = true;

        for (size_t j = i + 1; j < 3; j++)
            is_last = is_last && operands[j] == NULL;
        if (operands[i] == NULL)
            continue;
        write_pair(job, types[i], is_last ? job->node->name : steps[i], y, operands[i],
                   is_last ? job->output : steps[i]);
        y = steps[i];
    }
}

static void write_hardmax(const struct onnx_job *job)
{
    add(job, "Hardmax", 1);
    onnx_writer_int(job->writer, "axis", job->node->attr.axis);
}

/* --- movement --- */

static void write_gather(const struct onnx_job *job)
{
    add(job, "Gather", 2);
    onnx_writer_int(job->writer, "axis", job->node->attr.axis);
}

static void write_concat(const struct onnx_job *job)
{
    add(job, "Concat", job->n_inputs);
    onnx_writer_int(job->writer, "axis", job->node->attr.axis);
}

/* 0 copies an axis of the input: that is how the batch stays open. */
static void write_reshape(const struct onnx_job *job)
{
    struct shape y = job->gw->graph->values[job->node->outputs[0]].shape;

    if (y.rank > 0)
        y.dims[0] = 0;
    write_pair(job, "Reshape", job->node->name, job->inputs[0], add_ints(job, "shape", y.dims, y.rank), job->output);
}

static void write_transpose(const struct onnx_job *job)
{
    add(job, "Transpose", 1);
    onnx_writer_ints(job->writer, "perm", job->node->attr.perm, job->x->rank);
}

static void write_slice(const struct onnx_job *job)
{
    const struct shape *y = &job->gw->graph->values[job->node->outputs[0]].shape;
    const int64_t *begin = job->node->attr.slice.begin, *step = job->node->attr.slice.step;
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    const char *inputs[5] = {job->inputs[0]};
    size_t n = 0;

    for (size_t i = 0; i < y->rank; i++) {
        if (y->dims[i] == job->x->dims[i])
            continue; /* all of this axis; always so for the batch */
        starts[n] = begin[i];
        ends[n] = begin[i] + (y->dims[i] - 1) * step[i] + 1;
        axes[n] = (int64_t)i;
        steps[n++] = step[i];
    }
    if (n == 0) {
        add(job, "Identity", 1);
        return;
    }
    inputs[1] = add_ints(job, "starts", starts, n);
    inputs[2] = add_ints(job, "ends", ends, n);
    inputs[3] = add_ints(job, "axes", axes, n);
    inputs[4] = add_ints(job, "steps", steps, n);
    onnx_writer_node(job->writer, "Slice", job->node->name, inputs, 5, job->output);
}

static void write_pad(const struct onnx_job *job)
{
    static const char *const modes[] = {"constant", "reflect", "edge"};
    const char *inputs[] = {job->inputs[0], "", ""};
    int64_t pads[2 * TENSOR_MAX_RANK];
    size_t rank = job->x->rank;

    memcpy(pads, job->node->attr.pad.begin, rank * sizeof *pads);
    memcpy(pads + rank, job->node->attr.pad.end, rank * sizeof *pads);
    inputs[1] = add_ints(job, "pads", pads, 2 * rank);
    if (job->node->attr.pad.mode == PAD_CONSTANT)
        inputs[2] = add_scalar(job, "value", job->node->attr.pad.value);
    onnx_writer_node(job->writer, "Pad", job->node->name, inputs, 3, job->output);
    onnx_writer_string(job->writer, "mode", modes[job->node->attr.pad.mode]);
}

static void write_identity(const struct onnx_job *job)
{
    add(job, "Identity", 1);
}

/* --- the table --- */

static void (*const write_op[OP_COUNT])(const struct onnx_job *job) = {
    [OP_CONV] = write_conv,           [OP_DECONV] = write_conv,
    [OP_DENSE] = write_dense,         [OP_MATMUL] = write_matmul,
    [OP_POOL] = write_pool,           [OP_ACTIVATION] = write_element_wise,
    [OP_PRELU] = write_prelu,         [OP_BINARY] = write_binary,
    [OP_CONCAT] = write_concat,       [OP_SOFTMAX] = write_softmax,
    [OP_RESHAPE] = write_reshape,     [OP_TRANSPOSE] = write_transpose,
    [OP_SLICE] = write_slice,         [OP_PAD] = write_pad,
    [OP_NORMALIZE] = write_normalize, [OP_LRN] = write_lrn,
    [OP_REDUCE] = write_reduce,       [OP_RESIZE] = write_resize,
    [OP_IDENTITY] = write_identity,   [OP_LAYER_NORM] = write_layer_norm,
    [OP_HARDMAX] = write_hardmax,     [OP_GATHER] = write_gather,
};

void onnx_write_op(const struct onnx_job *job)
{
    if (write_op[job->node->op] == NULL)
        fail(job, "this operator is not written as ONNX");
    else
        write_op[job->node->op](job);
}
