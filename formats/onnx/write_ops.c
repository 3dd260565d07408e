/* write_ops.c — operators of our graph in the words of opset 13; see write_ops.h.
 *
 * One function an operator. Nothing here fixes the batch: reshapes copy axis 0, resizes are given as scales.
 */
#include "formats/onnx/write_ops.h"

#include <string.h>

void onnx_job_fail(const struct onnx_job *job, const char *why)
{
    struct error err;

    error_set(&err, EX_UNAVAILABLE, "node \"%s\" (%s): %s", job->node->name, job->node->type, why);
    onnx_writer_fail(job->writer, &err);
}

void onnx_job_add(const struct onnx_job *job, const char *type, size_t n_inputs)
{
    onnx_writer_node(job->writer, type, job->node->name, job->inputs, n_inputs, job->output);
}

const char *onnx_job_name(const struct onnx_job *job, const char *suffix)
{
    return onnx_graph_name(job->gw, job->node->name, suffix);
}

const char *onnx_job_scalar(const struct onnx_job *job, const char *suffix, float value)
{
    const char *name = onnx_job_name(job, suffix);

    onnx_writer_scalar(job->writer, name, value);
    return name;
}

const char *onnx_job_ints(const struct onnx_job *job, const char *suffix, const int64_t *items, size_t n)
{
    const char *name = onnx_job_name(job, suffix);

    onnx_writer_ints_tensor(job->writer, name, items, n);
    return name;
}

void onnx_job_unary(const struct onnx_job *job, const char *type, const char *name, const char *x, const char *y)
{
    onnx_writer_node(job->writer, type, name, &x, 1, y);
}

void onnx_job_binary(const struct onnx_job *job, const char *type, const char *name, const char *a, const char *b,
                     const char *y)
{
    onnx_writer_node(job->writer, type, name, (const char *[]){a, b}, 2, y);
}

/* --- features --- */

static void write_dense(const struct onnx_job *job)
{
    onnx_job_add(job, "Gemm", job->n_inputs);
    onnx_writer_int(job->writer, "transB", 1);
}

static void write_matmul(const struct onnx_job *job)
{
    onnx_job_add(job, "MatMul", 2);
}

/* With mean 0, variance 1 and epsilon 0 a BatchNormalization is scale and shift. */
static void write_normalize(const struct onnx_job *job)
{
    int64_t channels = job->x->dims[1];
    struct tensor tensor = {DTYPE_FLOAT32, {.rank = 1, .dims = {channels}}, NULL};
    float *zeros = onnx_writer_memory(job->writer, (size_t)channels, sizeof *zeros);
    float *ones = onnx_writer_memory(job->writer, (size_t)channels, sizeof *ones);
    const char *inputs[] = {job->inputs[0], job->inputs[1], job->inputs[2], onnx_job_name(job, "mean"),
                            onnx_job_name(job, "variance")};

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
    const char *inputs[] = {job->inputs[0], onnx_job_name(job, "slope")};
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

    onnx_job_add(job, types[job->node->attr.binary.kind], 2);
}

/* Before opset 13, all axes from this one on are one: the same only where those behind have one element. */
static void add_axis(const struct onnx_job *job, int64_t axis)
{
    int64_t behind = 1;

    for (size_t i = (size_t)axis + 1; i < job->x->rank; i++)
        behind *= job->x->dims[i];
    if (onnx_writer_opset(job->writer) < 13 && behind != 1)
        onnx_job_fail(job, "before opset 13 it runs along the last axis only");
    onnx_writer_int(job->writer, "axis", axis);
}

static void write_softmax(const struct onnx_job *job)
{
    onnx_job_add(job, job->node->attr.softmax.is_log ? "LogSoftmax" : "Softmax", 1);
    add_axis(job, job->node->attr.softmax.axis);
}

static void write_lrn(const struct onnx_job *job)
{
    onnx_job_add(job, "LRN", 1);
    onnx_writer_int(job->writer, "size", job->node->attr.lrn.size);
    onnx_writer_float(job->writer, "alpha", job->node->attr.lrn.alpha);
    onnx_writer_float(job->writer, "beta", job->node->attr.lrn.beta);
    onnx_writer_float(job->writer, "bias", job->node->attr.lrn.k);
}

static void write_reduce(const struct onnx_job *job)
{
    static const char *const types[REDUCE_COUNT] = {"ReduceMean", "ReduceSum", "ReduceMax",
                                                    "ReduceMin",  "ReduceL2",  "ReduceProd"};
    int64_t axes[TENSOR_MAX_RANK];
    size_t n = 0;

    for (size_t i = 0; i < job->x->rank; i++)
        if ((job->node->attr.reduce.axes >> i & 1) != 0)
            axes[n++] = (int64_t)i;
    onnx_writer_reduction(job->writer, types[job->node->attr.reduce.kind], job->node->name, job->inputs[0], axes, n,
                          onnx_job_name(job, "axes"), job->output);
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
    onnx_writer_reduction(job->writer, "ReduceMean", name, x, axes, n, onnx_graph_name(job->gw, name, "axes"), name);
    onnx_writer_int(job->writer, "keepdims", 1);
    describe_reduced(job, name);
}

/* LayerNormalization is an operator of its own only since opset 17; runtimes know the pattern. The last node of the
 * chain, whichever it is, bears the name. */
static void write_layer_norm(const struct onnx_job *job)
{
    const char *mean = onnx_job_name(job, "mean"), *centred = onnx_job_name(job, "centred"),
               *square = onnx_job_name(job, "square");
    const char *variance = onnx_job_name(job, "variance"), *positive = onnx_job_name(job, "positive"),
               *root = onnx_job_name(job, "root");
    const char *steps[] = {onnx_job_name(job, "normalised"), onnx_job_name(job, "scaled"), job->output},
               *types[] = {"Div", "Mul", "Add"};
    const char *operands[3] = {root};
    const char *y = centred;

    write_mean(job, mean, job->inputs[0]);
    onnx_job_binary(job, "Sub", centred, job->inputs[0], mean, centred);
    onnx_job_binary(job, "Mul", square, centred, centred, square);
    write_mean(job, variance, square);
    onnx_job_binary(job, "Add", positive, variance, onnx_job_scalar(job, "epsilon", job->node->attr.layer_norm.epsilon),
                    positive);
    onnx_job_unary(job, "Sqrt", root, positive, root);
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
        onnx_job_binary(job, types[i], is_last ? job->node->name : steps[i], y, operands[i],
                        is_last ? job->output : steps[i]);
        y = steps[i];
    }
}

static void write_hardmax(const struct onnx_job *job)
{
    onnx_job_add(job, "Hardmax", 1);
    add_axis(job, job->node->attr.axis);
}

/* --- movement --- */

static void write_gather(const struct onnx_job *job)
{
    onnx_job_add(job, "Gather", 2);
    onnx_writer_int(job->writer, "axis", job->node->attr.axis);
}

static void write_concat(const struct onnx_job *job)
{
    onnx_job_add(job, "Concat", job->n_inputs);
    onnx_writer_int(job->writer, "axis", job->node->attr.axis);
}

/* 0 copies an axis of the input: that is how the batch stays open. */
static void write_reshape(const struct onnx_job *job)
{
    struct shape y = job->gw->graph->values[job->node->outputs[0]].shape;

    if (y.rank > 0)
        y.dims[0] = 0;
    onnx_job_binary(job, "Reshape", job->node->name, job->inputs[0], onnx_job_ints(job, "shape", y.dims, y.rank),
                    job->output);
}

static void write_transpose(const struct onnx_job *job)
{
    onnx_job_add(job, "Transpose", 1);
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
        onnx_job_add(job, "Identity", 1);
        return;
    }
    inputs[1] = onnx_job_ints(job, "starts", starts, n);
    inputs[2] = onnx_job_ints(job, "ends", ends, n);
    inputs[3] = onnx_job_ints(job, "axes", axes, n);
    inputs[4] = onnx_job_ints(job, "steps", steps, n);
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
    inputs[1] = onnx_job_ints(job, "pads", pads, 2 * rank);
    if (job->node->attr.pad.mode == PAD_CONSTANT)
        inputs[2] = onnx_job_scalar(job, "value", job->node->attr.pad.value);
    onnx_writer_node(job->writer, "Pad", job->node->name, inputs, 3, job->output);
    onnx_writer_string(job->writer, "mode", modes[job->node->attr.pad.mode]);
}

static void write_identity(const struct onnx_job *job)
{
    onnx_job_add(job, "Identity", 1);
}

/* --- the table --- */

static void (*const write_op[OP_COUNT])(const struct onnx_job *job) = {
    [OP_CONV] = onnx_write_conv,      [OP_DECONV] = onnx_write_conv,
    [OP_DENSE] = write_dense,         [OP_MATMUL] = write_matmul,
    [OP_POOL] = onnx_write_pool,      [OP_ACTIVATION] = write_element_wise,
    [OP_PRELU] = write_prelu,         [OP_BINARY] = write_binary,
    [OP_CONCAT] = write_concat,       [OP_SOFTMAX] = write_softmax,
    [OP_RESHAPE] = write_reshape,     [OP_TRANSPOSE] = write_transpose,
    [OP_SLICE] = write_slice,         [OP_PAD] = write_pad,
    [OP_NORMALIZE] = write_normalize, [OP_LRN] = write_lrn,
    [OP_REDUCE] = write_reduce,       [OP_RESIZE] = onnx_write_resize,
    [OP_IDENTITY] = write_identity,   [OP_LAYER_NORM] = write_layer_norm,
    [OP_HARDMAX] = write_hardmax,     [OP_GATHER] = write_gather,
};

void onnx_write_op(const struct onnx_job *job)
{
    if (write_op[job->node->op] == NULL)
        onnx_job_fail(job, "this operator is not written as ONNX");
    else
        write_op[job->node->op](job);
}
