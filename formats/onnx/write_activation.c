/* write_activation.c — activations in the words of opset 13, some of them several nodes; see write_ops.h. */
#include "formats/onnx/write_ops.h"

#include <float.h>

/* x sigmoid(alpha x) */
static void write_swish(const struct onnx_job *job, float alpha, const char *name, const char *x, const char *y)
{
    const char *gate = onnx_job_name(job, "gate"), *argument = x;

    if (alpha != 1) {
        argument = onnx_job_name(job, "argument");
        onnx_job_binary(job, "Mul", argument, x, onnx_job_scalar(job, "alpha", alpha), argument);
    }
    onnx_job_unary(job, "Sigmoid", gate, argument, gate);
    onnx_job_binary(job, "Mul", name, x, gate, y);
}

/* x (1 + erf(x / sqrt 2)) / 2: Gelu is an operator of its own only since opset 20. */
static void write_gelu(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *scaled = onnx_job_name(job, "scaled"), *erf_of = onnx_job_name(job, "erf"),
               *gate = onnx_job_name(job, "gate");
    const char *half = onnx_job_name(job, "half_x");

    onnx_job_binary(job, "Mul", scaled, x, onnx_job_scalar(job, "sqrt_half", 0.70710678F), scaled);
    onnx_job_unary(job, "Erf", erf_of, scaled, erf_of);
    onnx_job_binary(job, "Add", gate, erf_of, onnx_job_scalar(job, "one", 1), gate);
    onnx_job_binary(job, "Mul", half, x, onnx_job_scalar(job, "half", 0.5F), half);
    onnx_job_binary(job, "Mul", name, half, gate, y);
}

/* x (1 + tanh t) / 2 = x sigmoid(2 t), t = sqrt(2 / pi) (x + 0.044715 x^3) */
static void write_gelu_tanh(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *cube = onnx_job_name(job, "cube"), *small = onnx_job_name(job, "small"),
               *sum = onnx_job_name(job, "sum");
    const char *scaled = onnx_job_name(job, "scaled"), *gate = onnx_job_name(job, "gate");

    onnx_job_binary(job, "Pow", cube, x, onnx_job_scalar(job, "three", 3), cube);
    onnx_job_binary(job, "Mul", small, cube, onnx_job_scalar(job, "cubic", 0.044715F), small);
    onnx_job_binary(job, "Add", sum, x, small, sum);
    onnx_job_binary(job, "Mul", scaled, sum, onnx_job_scalar(job, "scale", 1.5957691F), scaled);
    onnx_job_unary(job, "Sigmoid", gate, scaled, gate);
    onnx_job_binary(job, "Mul", name, x, gate, y);
}

/* Mish is an operator of its own only since opset 18. */
static void write_mish(const struct onnx_job *job, const char *name, const char *x, const char *y)
{
    const char *soft = onnx_job_name(job, "softplus"), *gate = onnx_job_name(job, "gate");

    onnx_job_unary(job, "Softplus", soft, x, soft);
    onnx_job_unary(job, "Tanh", gate, soft, gate);
    onnx_job_binary(job, "Mul", name, x, gate, y);
}

static void write_clip(const struct onnx_job *job, struct activation a, const char *name, const char *x, const char *y)
{
    const char *inputs[] = {x, "", ""};

    if (a.alpha > -FLT_MAX)
        inputs[1] = onnx_job_scalar(job, "min", a.alpha);
    if (a.beta < FLT_MAX)
        inputs[2] = onnx_job_scalar(job, "max", a.beta);
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
        onnx_job_binary(job, "Pow", name, x, onnx_job_scalar(job, "exponent", a.alpha), y);
        break;
    case ACTIVATION_HARD_SWISH:
        gate = onnx_job_name(job, "gate");
        onnx_job_unary(job, "HardSigmoid", gate, x, gate);
        onnx_writer_float(job->writer, "alpha", a.alpha);
        onnx_writer_float(job->writer, "beta", a.beta);
        onnx_job_binary(job, "Mul", name, x, gate, y);
        break;
    default:
        onnx_job_unary(job, simple[a.kind], name, x, y);
        if (a.kind == ACTIVATION_LEAKY_RELU || a.kind == ACTIVATION_ELU || a.kind == ACTIVATION_HARD_SIGMOID ||
            a.kind == ACTIVATION_THRESHOLDED_RELU)
            onnx_writer_float(job->writer, "alpha", a.alpha);
        if (a.kind == ACTIVATION_HARD_SIGMOID)
            onnx_writer_float(job->writer, "beta", a.beta);
        break;
    }
}
