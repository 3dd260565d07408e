/* activation.c — the plain definition of every element-wise activation.
 *
 * In double and through common/math.h, rounded once to float: the simulator's tables are made of it, and must not
 * depend on a machine's libm.
 */
#include "common/graph.h"
#include "common/math.h"

#include <math.h>

static const char *const names[ACTIVATION_COUNT] = {
    [ACTIVATION_NONE] = "none",
    [ACTIVATION_RELU] = "relu",
    [ACTIVATION_LEAKY_RELU] = "leaky_relu",
    [ACTIVATION_CLIP] = "clip",
    [ACTIVATION_SIGMOID] = "sigmoid",
    [ACTIVATION_TANH] = "tanh",
    [ACTIVATION_ELU] = "elu",
    [ACTIVATION_SWISH] = "swish",
    [ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
    [ACTIVATION_HARD_SWISH] = "hard_swish",
    [ACTIVATION_SOFTPLUS] = "softplus",
    [ACTIVATION_EXP] = "exp",
    [ACTIVATION_LOG] = "log",
    [ACTIVATION_ABS] = "abs",
    [ACTIVATION_SQRT] = "sqrt",
    [ACTIVATION_ERF] = "erf",
    [ACTIVATION_GELU] = "gelu",
    [ACTIVATION_POWER] = "power",
    [ACTIVATION_MISH] = "mish",
    [ACTIVATION_GELU_TANH] = "gelu_tanh",
    [ACTIVATION_THRESHOLDED_RELU] = "thresholded_relu",
    [ACTIVATION_FLOOR] = "floor",
    [ACTIVATION_CEIL] = "ceil",
    [ACTIVATION_ROUND] = "round",
    [ACTIVATION_SIGN] = "sign",
};

const char *activation_name(enum activation_kind kind)
{
    return (unsigned)kind < ACTIVATION_COUNT ? names[kind] : "unknown";
}

static double clamp(double x, double lo, double hi)
{
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

static double sigmoid(double x)
{
    double e = math_exp(-fabs(x)); /* never overflows */

    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* e^x - 1; the series where the subtraction would cancel. */
static double exp_minus_one(double x)
{
    return fabs(x) < 1e-5 ? x + x * x / 2 : math_exp(x) - 1;
}

static double tangent_hyperbolic(double x)
{
    double e = exp_minus_one(-2 * fabs(x));

    return copysign(-e / (2 + e), x);
}

static double softplus(double x)
{
    double e = math_exp(-fabs(x));

    return (x > 0 ? x : 0) + (e < 1e-8 ? e : math_log(1 + e));
}

static double logarithm(double x)
{
    if (x > 0)
        return isinf(x) ? x : math_log(x);
    return x == 0 ? (double)-INFINITY : (double)NAN;
}

/* erf x = 2/sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (2n+1)!! (Abramowitz and Stegun 7.1.6): all terms have one sign. */
static double error_function(double x)
{
    double term = x, sum = x;

    if (fabs(x) > 6) /* 1 - erf 6 = 2e-17 */
        return copysign(1, x);
    for (int n = 1; n < 200 && fabs(term) > 1e-18 * fabs(sum); n++) {
        term *= 2 * x * x / (2 * n + 1);
        sum += term;
    }
    return M_2_SQRTPI * math_exp(-x * x) * sum;
}

static double power(double x, double alpha)
{
    double magnitude;

    if (alpha == 2)
        return x * x;
    if (alpha == 0.5)
        return sqrt(x);
    if (alpha == 1 || alpha == -1)
        return alpha > 0 ? x : 1 / x;
    if (x == 0 || isinf(x) || alpha == 0)
        return pow(x, alpha); /* exact special cases, the same in every libm */
    if (x < 0 && floor(alpha) != alpha)
        return (double)NAN;
    magnitude = math_exp(alpha * math_log(fabs(x)));
    return x < 0 && fmod(alpha, 2) != 0 ? -magnitude : magnitude;
}

static double apply(struct activation activation, double x)
{
    double alpha = (double)activation.alpha, beta = (double)activation.beta;

    switch (activation.kind) {
    case ACTIVATION_NONE:
    case ACTIVATION_COUNT:
        return x;
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_LEAKY_RELU:
        return x > 0 ? x : alpha * x;
    case ACTIVATION_CLIP:
        return clamp(x, alpha, beta);
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    case ACTIVATION_TANH:
        return tangent_hyperbolic(x);
    case ACTIVATION_ELU:
        return x > 0 ? x : alpha * exp_minus_one(x);
    case ACTIVATION_SWISH:
        return isinf(x) && alpha * x < 0 ? 0 : x * sigmoid(alpha * x);
    case ACTIVATION_HARD_SIGMOID:
        return clamp(alpha * x + beta, 0, 1);
    case ACTIVATION_HARD_SWISH:
        return isinf(x) && alpha * x < 0 ? 0 : x * clamp(alpha * x + beta, 0, 1);
    case ACTIVATION_SOFTPLUS:
        return softplus(x);
    case ACTIVATION_EXP:
        return math_exp(x);
    case ACTIVATION_LOG:
        return logarithm(x);
    case ACTIVATION_ABS:
        return fabs(x);
    case ACTIVATION_SQRT:
        return sqrt(x);
    case ACTIVATION_ERF:
        return error_function(x);
    case ACTIVATION_GELU:
        return isinf(x) && x < 0 ? 0 : x / 2 * (1 + error_function(x * M_SQRT1_2));
    case ACTIVATION_POWER:
        return power(x, alpha);
    case ACTIVATION_MISH:
        return isinf(x) && x < 0 ? 0 : x * tangent_hyperbolic(softplus(x));
    case ACTIVATION_GELU_TANH: /* (1 + tanh t) / 2 is sigmoid(2 t), without the cancellation */
        return isinf(x) && x < 0 ? 0 : x * sigmoid(2 * sqrt(M_2_PI) * (x + 0.044715 * x * x * x));
    case ACTIVATION_THRESHOLDED_RELU:
        return x > alpha ? x : 0;
    case ACTIVATION_FLOOR:
        return floor(x);
    case ACTIVATION_CEIL:
        return ceil(x);
    case ACTIVATION_ROUND:
        return rint(x);
    case ACTIVATION_SIGN:
        return (x > 0) - (x < 0);
    }
    return x;
}

float activation_apply(struct activation activation, float x)
{
    return isnan(x) ? x : (float)apply(activation, (double)x);
}
