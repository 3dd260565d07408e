/* ops_dilation.c — SpaceToBatchND and BatchToSpaceND around a convolution: how TensorFlow writes dilation.
 *
 * Cutting an image into block x block images of every block-th pixel, convolving each, and putting them together again
 * is one convolution whose dilation is the block. So nothing is cut: the value stays the whole image, marked as being
 * in blocks (struct tf_blocks); the convolution takes dilation and pads from the mark; what BatchToSpaceND crops is
 * taken off the pads. The two multiply the batch in between, which no other reading could keep out of the graph.
 */
#include "formats/tensorflow/tf_import.h"

/* Block shape and begin/end pairs (pads, crops) of the two spatial axes. */
static int read_block(const struct tf_import *in, const struct tf_node *node, struct tf_blocks *out, struct error *err)
{
    int64_t pairs[4];
    size_t n, n_pairs;

    if (tf_constant_ints(in, node, 1, out->block, 2, &n, err) != 0 ||
        tf_constant_ints(in, node, 2, pairs, 4, &n_pairs, err) != 0)
        return -1;
    if (n != 2 || n_pairs != 4)
        return error_set(err, EX_UNAVAILABLE, "expected blocks of 2 axes with 4 pads, found %zu with %zu", n, n_pairs);
    for (size_t k = 0; k < 2; k++) {
        out->pad_begin[k] = pairs[2 * k];
        out->pad_end[k] = pairs[2 * k + 1];
        if (out->block[k] < 1 || pairs[2 * k] < 0 || pairs[2 * k + 1] < 0 || out->block[k] > INT32_MAX ||
            pairs[2 * k] > INT32_MAX || pairs[2 * k + 1] > INT32_MAX)
            return error_set(err, EX_DATAERR, "a block of %lld with pads %lld and %lld makes no sense",
                             (long long)out->block[k], (long long)pairs[2 * k], (long long)pairs[2 * k + 1]);
    }
    return 0;
}

static int mark(struct tf_import *in, struct tf_node *node, const struct tf_blocks *blocks, struct error *err)
{
    struct tf_blocks *kept = arena_create_array(in->graph->arena, 1, sizeof *kept, err);

    if (kept == NULL)
        return -1;
    *kept = *blocks;
    node->outputs[0].blocks = kept;
    return 0;
}

int tf_mark_convolved(struct tf_import *in, struct tf_node *node, const struct tf_blocks *blocks, struct error *err)
{
    struct tf_blocks convolved = *blocks;

    convolved.is_convolved = true;
    return mark(in, node, &convolved, err);
}

int tf_build_space_to_batch(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x = tf_image(in, node, 0, true, err);
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};
    struct tf_order order = tf_image_order(4, true);
    struct tf_blocks blocks = {0};

    if (x < 0 || read_block(in, node, &blocks, err) != 0)
        return -1;
    for (size_t k = 0; k < 2; k++)
        if ((in->graph->values[x].shape.dims[2 + k] + blocks.pad_begin[k] + blocks.pad_end[k]) % blocks.block[k] != 0)
            return error_set(err, EX_DATAERR, "the padded image does not divide into blocks of %lld",
                             (long long)blocks.block[k]);
    return tf_finish(in, node, &draft, &order, err) != 0 ? -1 : mark(in, node, &blocks, err);
}

/* --- back to the image --- */

/* The value that an element-wise node works on; GRAPH_NONE where it is not one, or works on two. */
static int operand(const struct graph *graph, const struct node *node)
{
    const int *inputs = node->inputs;

    if (node->op == OP_ACTIVATION || node->op == OP_NORMALIZE || node->op == OP_IDENTITY)
        return inputs[0];
    if (node->op != OP_BINARY || graph->values[inputs[0]].is_constant == graph->values[inputs[1]].is_constant)
        return GRAPH_NONE;
    return graph->values[inputs[0]].is_constant ? inputs[1] : inputs[0];
}

/* The convolution behind `value`, past element-wise operators. */
static int find_conv(const struct graph *graph, int value)
{
    while (value != GRAPH_NONE && graph->values[value].producer != GRAPH_NONE) {
        const struct node *node = &graph->nodes[graph->values[value].producer];

        if (node->op == OP_CONV)
            return graph->values[value].producer;
        value = operand(graph, node);
    }
    return GRAPH_NONE;
}

/* Shapes again, from the convolution down to `value`. */
static int resize_chain(struct graph *graph, int conv, int value, struct error *err)
{
    int last = graph->values[value].producer;

    for (int at = value;; at = operand(graph, &graph->nodes[graph->values[at].producer])) {
        graph->values[at].has_shape = false;
        if (graph->values[at].producer == conv)
            break;
    }
    for (int i = conv; i <= last; i++) /* nodes were added in this order */
        if (!graph->nodes[i].is_removed && !graph->values[graph->nodes[i].outputs[0]].has_shape &&
            graph_fold_node(graph, i, err) != 0)
            return -1;
    return 0;
}

/* Takes the crops off the pads of the convolution. */
static int crop(struct tf_import *in, int value, const struct tf_blocks *crops, struct error *err)
{
    int conv = find_conv(in->graph, value);
    struct window *w;

    if (conv == GRAPH_NONE)
        return error_set(err, EX_UNAVAILABLE, "there is no convolution between SpaceToBatchND and BatchToSpaceND");
    w = &in->graph->nodes[conv].attr.conv.window;
    for (size_t k = 0; k < 2; k++) {
        if (crops->pad_begin[k] > w->pad_begin[k] || crops->pad_end[k] > w->pad_end[k])
            return error_set(err, EX_UNAVAILABLE, "crops %lld and %lld are more than the pads %lld and %lld",
                             (long long)crops->pad_begin[k], (long long)crops->pad_end[k], (long long)w->pad_begin[k],
                             (long long)w->pad_end[k]);
        w->pad_begin[k] -= crops->pad_begin[k];
        w->pad_end[k] -= crops->pad_end[k];
    }
    return resize_chain(in->graph, conv, value, err);
}

int tf_build_batch_to_space(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *tensor = &node->inputs[0];
    int x = tensor->value;
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};
    struct tf_blocks crops = {0};

    if (tensor->blocks == NULL || !tensor->blocks->is_convolved)
        return error_set(err, EX_UNAVAILABLE,
                         "it is supported behind SpaceToBatchND and a convolution only, where it means dilation");
    if (tensor->blocks->is_joined) /* its crops are in the convolution now */
        return error_set(err, EX_UNAVAILABLE, "a second BatchToSpaceND behind one convolution");
    if (read_block(in, node, &crops, err) != 0)
        return -1;
    tensor->blocks->is_joined = true;
    for (size_t k = 0; k < 2; k++)
        if (crops.block[k] != tensor->blocks->block[k])
            return error_set(err, EX_UNAVAILABLE, "blocks of %lld were cut, blocks of %lld are joined",
                             (long long)tensor->blocks->block[k], (long long)crops.block[k]);
    return crop(in, x, &crops, err) != 0 ? -1 : tf_finish(in, node, &draft, &tensor->order, err);
}
