/* recognise_activation.c — pass: activations that exporters write with small operators get their name back.
 *
 *   max(x, a), min(x, b), and both        clip, relu
 *   max(x, a x), 0 <= a <= 1              leaky relu
 *   clip(a x + b, 0, h) / h               hard sigmoid
 *   x sigmoid(a x)                        swish
 *   x hard_sigmoid(x), x clip(..) / h     hard swish
 *   x / 2 (1 + erf(x / sqrt 2))           gelu
 *   x / 2 (1 + tanh t), x sigmoid(2 t)    gelu by tanh, t = sqrt(2 / pi) (x + 0.044715 x^3)
 *   x tanh(softplus(x))                   mish
 *
 * Only the last node of a pattern is rewritten, to read x itself. What then has no reader falls to graph_compact; what
 * has other readers stays for them, so no pattern asks who else reads its parts.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

#include <float.h>
#include <math.h>

/* --- matching one operator --- */

static const struct node *activation_of(const struct graph *graph, int value, enum activation_kind kind)
{
    const struct node *node = rewrite_producer(graph, value);

    return node != NULL && node->op == OP_ACTIVATION && node->attr.activation.kind == kind ? node : NULL;
}

static bool is_binary(const struct node *node, enum binary_kind kind)
{
    return node != NULL && node->op == OP_BINARY && node->attr.binary.kind == kind &&
           node->fused.kind == ACTIVATION_NONE;
}

/* A node that combines a value with one number. */
struct scalar {
    int x;        /* the value */
    double c;     /* the number */
    bool is_left; /* c op x */
};

static bool match_scalar(const struct graph *graph, const struct node *node, enum binary_kind kind, struct scalar *out)
{
    for (size_t i = 0; i < 2; i++) {
        struct shape c_shape;
        const float *c = is_binary(node, kind) ? rewrite_constant(graph, node, i, &c_shape) : NULL;
        int x = c == NULL ? GRAPH_NONE : node->inputs[1 - i];

        if (c != NULL && shape_elements(&c_shape) == 1 && c_shape.rank <= graph->values[x].shape.rank && !isnan(c[0])) {
            *out = (struct scalar){x, (double)c[0], i == 0};
            return true;
        }
    }
    return false;
}

/* value = x * factor by one node. */
static bool match_scaled(const struct graph *graph, int value, int *x, double *factor)
{
    const struct node *node = rewrite_producer(graph, value);
    struct scalar s;

    if (match_scalar(graph, node, BINARY_MUL, &s))
        *factor = s.c;
    else if (match_scalar(graph, node, BINARY_DIV, &s) && !s.is_left && s.c != 0)
        *factor = 1 / s.c;
    else
        return false;
    *x = s.x;
    return true;
}

/* value = x + offset by one node. */
static bool match_shifted(const struct graph *graph, int value, int *x, double *offset)
{
    const struct node *node = rewrite_producer(graph, value);
    struct scalar s;

    if (match_scalar(graph, node, BINARY_ADD, &s))
        *offset = s.c;
    else if (match_scalar(graph, node, BINARY_SUB, &s) && !s.is_left)
        *offset = -s.c;
    else
        return false;
    *x = s.x;
    return true;
}

/* value = a x + b as (x + b) a a .. + b, each part there or not; true when x is reached. x == GRAPH_NONE: whatever is
 * found below. */
static bool match_affine(const struct graph *graph, int value, int *x, double *a, double *b)
{
    double number;
    int below;

    *a = 1;
    *b = 0;
    if (value != *x && match_shifted(graph, value, &below, &number)) {
        *b = number;
        value = below;
    }
    while (value != *x && match_scaled(graph, value, &below, &number)) {
        *a *= number;
        value = below;
    }
    if (value != *x && match_shifted(graph, value, &below, &number)) {
        *b += *a * number;
        value = below;
    }
    if (*x == GRAPH_NONE)
        *x = value;
    return value == *x;
}

/* Constants of patterns are written with 4 to 7 digits. */
static bool is_near(double x, double expected)
{
    return fabs(x - expected) <= 1e-4 * fabs(expected);
}

/* --- clips --- */

/* Whether the activation is a clip, and its range. */
static bool match_clip(struct activation activation, double *lo, double *hi)
{
    *lo = activation.kind == ACTIVATION_CLIP ? (double)activation.alpha : 0;
    *hi = activation.kind == ACTIVATION_CLIP ? (double)activation.beta : (double)FLT_MAX;
    return activation.kind == ACTIVATION_CLIP || activation.kind == ACTIVATION_RELU;
}

static struct activation make_clip(double lo, double hi)
{
    if (lo == 0 && hi >= (double)FLT_MAX)
        return (struct activation){.kind = ACTIVATION_RELU};
    return (struct activation){ACTIVATION_CLIP, (float)fmax(lo, (double)-FLT_MAX), (float)fmin(hi, (double)FLT_MAX)};
}

/* max(x, c) or min(x, c). */
static bool match_bound(const struct graph *graph, const struct node *node, struct activation *out, int *x)
{
    struct scalar s;

    if (match_scalar(graph, node, BINARY_MAX, &s))
        *out = make_clip(s.c, (double)FLT_MAX);
    else if (match_scalar(graph, node, BINARY_MIN, &s))
        *out = make_clip((double)-FLT_MAX, s.c);
    else
        return false;
    *x = s.x;
    return true;
}

static double clamp(double x, double lo, double hi)
{
    return fmin(fmax(x, lo), hi);
}

/* A clip of a clip is the clip to the images of the inner bounds; a clip to [0, inf) is a relu. */
static bool match_clips(const struct graph *graph, const struct node *node, struct activation *out, int *x)
{
    const struct node *inner = rewrite_producer(graph, node->inputs[0]);
    double lo, hi, inner_lo, inner_hi;

    if (node->op != OP_ACTIVATION || !match_clip(node->attr.activation, &lo, &hi) || isnan(lo) || isnan(hi))
        return false;
    *x = node->inputs[0];
    *out = make_clip(lo, hi);
    if (inner != NULL && inner->op == OP_ACTIVATION && match_clip(inner->attr.activation, &inner_lo, &inner_hi) &&
        !isnan(inner_lo) && !isnan(inner_hi)) {
        *x = inner->inputs[0];
        *out = make_clip(clamp(inner_lo, lo, hi), clamp(inner_hi, lo, hi));
        return true;
    }
    return out->kind != node->attr.activation.kind;
}

/* max(x, a x) */
static bool match_leaky(const struct graph *graph, const struct node *node, struct activation *out, int *x)
{
    double factor;
    int below;

    if (!is_binary(node, BINARY_MAX))
        return false;
    for (size_t i = 0; i < 2; i++)
        if (match_scaled(graph, node->inputs[i], &below, &factor) && below == node->inputs[1 - i] && factor >= 0 &&
            factor <= 1) {
            *x = below;
            *out = (struct activation){ACTIVATION_LEAKY_RELU, (float)factor, 0};
            return true;
        }
    return false;
}

/* --- gates: c x s(x) --- */

/* s = clip(a x + b, 0, h) with c h = 1 */
static bool match_hard_gate(const struct graph *graph, int s, double c, int *x, double *alpha, double *beta)
{
    const struct node *clip = activation_of(graph, s, ACTIVATION_CLIP);
    double lo, hi, a, b;

    if (clip == NULL || !match_clip(clip->attr.activation, &lo, &hi) || lo != 0 || !is_near(c * hi, 1) ||
        !match_affine(graph, clip->inputs[0], x, &a, &b))
        return false;
    *alpha = a / hi;
    *beta = b / hi;
    return true;
}

static bool is_cube(const struct graph *graph, int value, int x)
{
    const struct node *power = activation_of(graph, value, ACTIVATION_POWER), *product = rewrite_producer(graph, value);

    if (power != NULL)
        return power->inputs[0] == x && power->attr.activation.alpha == 3;
    for (size_t i = 0; i < 2 && is_binary(product, BINARY_MUL); i++) {
        const struct node *square = rewrite_producer(graph, product->inputs[1 - i]);

        power = activation_of(graph, product->inputs[1 - i], ACTIVATION_POWER);
        if (product->inputs[i] == x &&
            ((power != NULL && power->inputs[0] == x && power->attr.activation.alpha == 2) ||
             (is_binary(square, BINARY_MUL) && square->inputs[0] == x && square->inputs[1] == x)))
            return true;
    }
    return false;
}

/* value = slope (x + 0.044715 x^3) */
static bool match_gelu_argument(const struct graph *graph, int value, int x, double slope)
{
    const struct node *sum;
    double factor;
    int below, cube;

    if (!match_scaled(graph, value, &below, &factor) || !is_near(factor, slope))
        return false;
    sum = rewrite_producer(graph, below);
    for (size_t i = 0; i < 2 && is_binary(sum, BINARY_ADD); i++)
        if (sum->inputs[i] == x && match_scaled(graph, sum->inputs[1 - i], &cube, &factor) &&
            is_near(factor, 0.044715) && is_cube(graph, cube, x))
            return true;
    return false;
}

static bool match_gelu_by_tanh(const struct graph *graph, int x, int s, double c)
{
    const double slope = M_2_SQRTPI * M_SQRT1_2; /* sqrt(2 / pi) */
    const struct node *gate;
    double offset;
    int below;

    if ((gate = activation_of(graph, s, ACTIVATION_SIGMOID)) != NULL && c == 1)
        return match_gelu_argument(graph, gate->inputs[0], x, 2 * slope);
    return is_near(c, 0.5) && match_shifted(graph, s, &below, &offset) && offset == 1 &&
           (gate = activation_of(graph, below, ACTIVATION_TANH)) != NULL &&
           match_gelu_argument(graph, gate->inputs[0], x, slope);
}

static bool match_gate(const struct graph *graph, int x, int s, double c, struct activation *out)
{
    const struct node *gate;
    double a, b, offset;
    int below;

    if ((gate = activation_of(graph, s, ACTIVATION_SIGMOID)) != NULL && c == 1 &&
        match_affine(graph, gate->inputs[0], &x, &a, &b) && b == 0)
        *out = (struct activation){ACTIVATION_SWISH, (float)a, 0};
    else if ((gate = activation_of(graph, s, ACTIVATION_HARD_SIGMOID)) != NULL && c == 1 && gate->inputs[0] == x)
        *out = (struct activation){ACTIVATION_HARD_SWISH, gate->attr.activation.alpha, gate->attr.activation.beta};
    else if (match_hard_gate(graph, s, c, &x, &a, &b))
        *out = (struct activation){ACTIVATION_HARD_SWISH, (float)a, (float)b};
    else if (is_near(c, 0.5) && match_shifted(graph, s, &below, &offset) && offset == 1 &&
             (gate = activation_of(graph, below, ACTIVATION_ERF)) != NULL &&
             match_affine(graph, gate->inputs[0], &x, &a, &b) && b == 0 && is_near(a, M_SQRT1_2))
        *out = (struct activation){.kind = ACTIVATION_GELU};
    else if (match_gelu_by_tanh(graph, x, s, c))
        *out = (struct activation){.kind = ACTIVATION_GELU_TANH};
    else if (c == 1 && (gate = activation_of(graph, s, ACTIVATION_TANH)) != NULL &&
             (gate = activation_of(graph, gate->inputs[0], ACTIVATION_SOFTPLUS)) != NULL && gate->inputs[0] == x)
        *out = (struct activation){.kind = ACTIVATION_MISH};
    else
        return false;
    return true;
}

/* c u v, where either factor may be the gate and the gated may carry the constant. */
static bool match_product(const struct graph *graph, const struct node *node, double c, struct activation *out, int *x)
{
    if (!is_binary(node, BINARY_MUL))
        return false;
    for (size_t i = 0; i < 2; i++) {
        int u = node->inputs[i], v = node->inputs[1 - i], below;
        double factor;

        *x = u;
        if (match_gate(graph, u, v, c, out))
            return true;
        if (match_scaled(graph, u, &below, &factor)) { /* (k x) s(x), x (k s(x)) */
            *x = below;
            if (match_gate(graph, below, v, c * factor, out))
                return true;
            *x = v;
            if (match_gate(graph, v, below, c * factor, out))
                return true;
        }
    }
    return false;
}

static bool match_gated(const struct graph *graph, const struct node *node, struct activation *out, int *x)
{
    double factor, alpha, beta;
    int below;

    if (node->op == OP_BINARY && match_product(graph, node, 1, out, x))
        return true;
    if (node->op != OP_BINARY || !match_scaled(graph, node->outputs[0], &below, &factor))
        return false;
    if (match_product(graph, rewrite_producer(graph, below), factor, out, x))
        return true;
    *x = GRAPH_NONE;
    if (!match_hard_gate(graph, below, factor, x, &alpha, &beta))
        return false;
    *out = (struct activation){ACTIVATION_HARD_SIGMOID, (float)alpha, (float)beta};
    return true;
}

/* clip(a x + b, 0, 1) */
static bool match_unit_clip(const struct graph *graph, const struct node *node, struct activation *out, int *x)
{
    double alpha, beta;

    *x = GRAPH_NONE;
    if (node->op != OP_ACTIVATION || !match_hard_gate(graph, node->outputs[0], 1, x, &alpha, &beta) ||
        *x == node->inputs[0])
        return false;
    *out = (struct activation){ACTIVATION_HARD_SIGMOID, (float)alpha, (float)beta};
    return true;
}

/* --- the pass --- */

static int recognise(struct rewrite *rewrite, int index, struct error *err)
{
    static bool (*const patterns[])(const struct graph *, const struct node *, struct activation *, int *) = {
        match_bound, match_clips, match_leaky, match_gated, match_unit_clip,
    };
    struct activation activation;
    struct node *node;
    int x;

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (!patterns[i](rewrite->graph, &rewrite->graph->nodes[index], &activation, &x))
            continue;
        node = rewrite_become(rewrite, index, OP_ACTIVATION, x, err);
        if (node == NULL)
            return -1;
        node->attr.activation = activation;
        i = (size_t)-1; /* from the first pattern on: a bound may now join a clip before it */
    }
    return 0;
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++)
        if (rewrite_may_edit(&graph->nodes[i]) &&
            (graph->nodes[i].op == OP_BINARY || graph->nodes[i].op == OP_ACTIVATION))
            rc = recognise(&rewrite, (int)i, err);
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_recognise_activation = {
    .name = "recognise_activation",
    .summary = "recognise clip, leaky relu, hard sigmoid, swish, hard swish, gelu and mish made of small operators",
    .run = run,
};
