/* fold_normalize.c — pass: scales and shifts per channel move into the weights beside them.
 *
 * y = scale (w x + b) + shift is a layer with weights scale w and bias scale b + shift; w (scale x + shift) + b one
 * with weights w scale and bias b + w shift, where no zero padding comes between. Products and sums are made in double
 * and rounded to float once.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

/* The scale and shift of an OP_NORMALIZE, borrowed. */
struct affine {
    const float *scale, *shift; /* [channels] */
    int64_t channels;
};

static struct affine affine_of(const struct graph *graph, const struct node *node)
{
    return (struct affine){rewrite_constant(graph, node, 1, NULL), rewrite_constant(graph, node, 2, NULL),
                           graph->values[node->inputs[0]].shape.dims[1]};
}

static bool is_all(const float *x, int64_t n, float expected)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != expected)
            return false;
    return true;
}

/* --- two in a row --- */

static int merge(struct rewrite *rewrite, int first, int second, struct error *err)
{
    struct affine a = affine_of(rewrite->graph, &rewrite->graph->nodes[first]);
    struct affine b = affine_of(rewrite->graph, &rewrite->graph->nodes[second]);
    struct shape vector = {.rank = 1, .dims = {a.channels}};
    float *scale = rewrite_create_data(rewrite, &vector, err);
    float *shift = scale == NULL ? NULL : rewrite_create_data(rewrite, &vector, err);

    if (shift == NULL)
        return -1;
    for (int64_t c = 0; c < a.channels; c++) {
        scale[c] = (float)((double)a.scale[c] * (double)b.scale[c]);
        shift[c] = (float)((double)a.shift[c] * (double)b.scale[c] + (double)b.shift[c]);
    }
    if (rewrite_set_constant(rewrite, first, 1, &vector, scale, "scale", err) != 0 ||
        rewrite_set_constant(rewrite, first, 2, &vector, shift, "shift", err) != 0)
        return -1;
    rewrite_absorb(rewrite, first, second);
    return 0;
}

/* --- backward, into the producer --- */

/* Are there codes of its weights that are wanted as they are? */
static bool has_codes(const struct graph *graph, const struct node *node)
{
    return node->n_inputs > 1 && node->inputs[1] != GRAPH_NONE && rewrite_keeps_codes(graph, node->inputs[1]);
}

static bool takes_output_scale(const struct graph *graph, const struct node *node)
{
    return !has_codes(graph, node) && (node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE) &&
           node->fused.kind == ACTIVATION_NONE;
}

/* The output channel to which element `i` of the weights contributes. */
static int64_t output_channel(const struct node *node, const struct shape *w, int64_t elements, int64_t i)
{
    int64_t outer = i / (elements / w->dims[0]);

    if (node->op == OP_DECONV) { /* w[I, O/g, kh, kw] */
        int64_t per_group = w->dims[1], inner = elements / w->dims[0] / per_group;

        return outer / (w->dims[0] / node->attr.conv.group) * per_group + i / inner % per_group;
    }
    return outer;
}

static int scale_output_weights(struct rewrite *rewrite, int index, const float *scale, struct error *err)
{
    const struct node *node = &rewrite->graph->nodes[index];
    struct shape shape;
    const float *w = rewrite_constant(rewrite->graph, node, 1, &shape);
    int64_t elements = shape_elements(&shape);
    float *scaled = rewrite_create_data(rewrite, &shape, err);

    if (scaled == NULL)
        return -1;
    for (int64_t i = 0; i < elements; i++)
        scaled[i] = (float)((double)w[i] * (double)scale[output_channel(node, &shape, elements, i)]);
    return rewrite_set_constant(rewrite, index, 1, &shape, scaled, "weight", err);
}

static int fold_backward(struct rewrite *rewrite, int producer, int index, struct error *err)
{
    struct affine a = affine_of(rewrite->graph, &rewrite->graph->nodes[index]);
    const float *b = rewrite_constant(rewrite->graph, &rewrite->graph->nodes[producer], 2, NULL);
    struct shape vector = {.rank = 1, .dims = {a.channels}};
    float *bias;

    if (!is_all(a.scale, a.channels, 1) && scale_output_weights(rewrite, producer, a.scale, err) != 0)
        return -1;
    if (b != NULL || !is_all(a.shift, a.channels, 0)) {
        bias = rewrite_create_data(rewrite, &vector, err);
        if (bias == NULL)
            return -1;
        for (int64_t c = 0; c < a.channels; c++)
            bias[c] = (float)((b == NULL ? 0 : (double)b[c] * (double)a.scale[c]) + (double)a.shift[c]);
        if (rewrite_set_constant(rewrite, producer, 2, &vector, bias, "bias", err) != 0)
            return -1;
    }
    rewrite_absorb(rewrite, producer, index);
    return 0;
}

/* --- forward, into the consumer --- */

static bool is_padded(const struct window *w)
{
    return w->pad_begin[0] != 0 || w->pad_begin[1] != 0 || w->pad_end[0] != 0 || w->pad_end[1] != 0;
}

static bool takes_input_affine(const struct node *node, const struct affine *a)
{
    if (node->op == OP_DENSE)
        return true;
    /* Padding puts zeros after the shift; without a shift they are the same zeros. */
    return node->op == OP_CONV && (!is_padded(&node->attr.conv.window) || is_all(a->shift, a->channels, 0));
}

static int fold_forward(struct rewrite *rewrite, int index, int consumer, struct error *err)
{
    const struct node *node = &rewrite->graph->nodes[consumer];
    struct affine a = affine_of(rewrite->graph, &rewrite->graph->nodes[index]);
    const float *b = rewrite_constant(rewrite->graph, node, 2, NULL), *w;
    int64_t group = node->op == OP_CONV ? node->attr.conv.group : 1, outputs, inputs, inner;
    struct shape shape, vector;
    float *scaled, *bias;

    w = rewrite_constant(rewrite->graph, node, 1, &shape);
    outputs = shape.dims[0];
    inputs = shape.dims[1]; /* of one group */
    inner = shape_elements(&shape) / outputs / inputs;
    vector = (struct shape){.rank = 1, .dims = {outputs}};
    scaled = rewrite_create_data(rewrite, &shape, err);
    bias = scaled == NULL ? NULL : rewrite_create_data(rewrite, &vector, err);
    if (bias == NULL)
        return -1;
    for (int64_t o = 0; o < outputs; o++) {
        double sum = b == NULL ? 0 : (double)b[o];

        for (int64_t i = 0; i < inputs; i++) {
            int64_t c = o / (outputs / group) * inputs + i;

            for (int64_t k = 0; k < inner; k++) {
                int64_t at = (o * inputs + i) * inner + k;

                scaled[at] = (float)((double)w[at] * (double)a.scale[c]);
                sum += (double)w[at] * (double)a.shift[c];
            }
        }
        bias[o] = (float)sum;
    }
    if (rewrite_set_constant(rewrite, consumer, 1, &shape, scaled, "weight", err) != 0 ||
        ((b != NULL || !is_all(bias, outputs, 0)) &&
         rewrite_set_constant(rewrite, consumer, 2, &vector, bias, "bias", err) != 0))
        return -1;
    return rewrite_bypass(rewrite, index, err);
}

/* --- the pass --- */

static int fold(struct rewrite *rewrite, int index, struct error *err)
{
    struct graph *graph = rewrite->graph;
    const struct node *node = &graph->nodes[index];
    struct affine a = affine_of(graph, node);
    int producer = rewrite_own_producer(rewrite, node->inputs[0], index);
    int consumer = rewrite_sole_consumer(rewrite, node->outputs[0]);

    if (producer != GRAPH_NONE && graph->nodes[producer].op == OP_NORMALIZE)
        return merge(rewrite, producer, index, err);
    if (producer != GRAPH_NONE && takes_output_scale(graph, &graph->nodes[producer]))
        return fold_backward(rewrite, producer, index, err);
    if (consumer != GRAPH_NONE && rewrite_may_edit(&graph->nodes[consumer]) &&
        !has_codes(graph, &graph->nodes[consumer]) && takes_input_affine(&graph->nodes[consumer], &a))
        return fold_forward(rewrite, index, consumer, err);
    return 0;
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++)
        if (rewrite_may_edit(&graph->nodes[i]) && graph->nodes[i].op == OP_NORMALIZE)
            rc = fold(&rewrite, (int)i, err);
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_fold_normalize = {
    .name = "fold_normalize",
    .summary = "fold batch normalisation and scaling into the convolution or dense layer beside it",
    .run = run,
};
