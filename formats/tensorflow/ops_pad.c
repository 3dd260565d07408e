/* ops_pad.c — Pad, PadV2, MirrorPad. */
#include "formats/tensorflow/tf_import.h"

/* Begin and end for each axis of the file, into a draft whose axes lie as the input's. */
static int read_pads(const struct tf_import *in, const struct tf_node *node, struct node *draft, int64_t *largest,
                     struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    size_t rank = tf_rank(in, x), n;
    int64_t pairs[2 * TENSOR_MAX_RANK];

    if (tf_constant_ints(in, node, 1, pairs, 2 * TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n != 2 * rank)
        return error_set(err, EX_DATAERR, "expected %zu pads for %zu axes, found %zu", 2 * rank, rank, n);
    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t *to = i % 2 == 0 ? draft->attr.pad.begin : draft->attr.pad.end;

        to[x->order.axis[i / 2]] = pairs[i];
        *largest = pairs[i] > *largest ? pairs[i] : *largest;
    }
    return 0;
}

int tf_build_pad(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x = node->inputs[0].value;
    struct node draft = {.op = OP_PAD, .inputs = &x, .n_inputs = 1};
    int64_t largest;

    if (read_pads(in, node, &draft, &largest, err) != 0 ||
        (node->n_inputs > 2 && tf_constant_number(in, node, 2, &draft.attr.pad.value, err) != 0))
        return -1;
    draft.attr.pad.mode = PAD_CONSTANT;
    return tf_finish(in, node, &draft, &node->inputs[0].order, err);
}

/* SYMMETRIC repeats the edge, as our edge mode does for one pixel, but goes on with the one before. */
int tf_build_mirror_pad(struct tf_import *in, struct tf_node *node, struct error *err)
{
    static const char *const modes[] = {"REFLECT", "SYMMETRIC", NULL};
    int x = node->inputs[0].value, mode;
    struct node draft = {.op = OP_PAD, .inputs = &x, .n_inputs = 1};
    int64_t largest;

    if (tf_attribute(node->proto, "mode") == NULL)
        return error_set(err, EX_DATAERR, "attribute \"mode\" is missing");
    if (tf_choice(node, "mode", modes, 0, &mode, err) != 0 || read_pads(in, node, &draft, &largest, err) != 0)
        return -1;
    if (mode == 1 && largest > 1)
        return error_set(err, EX_UNAVAILABLE, "mode SYMMETRIC is supported for pads of 1, not of %lld",
                         (long long)largest);
    draft.attr.pad.mode = mode == 0 ? PAD_REFLECT : PAD_EDGE;
    return tf_finish(in, node, &draft, &node->inputs[0].order, err);
}
