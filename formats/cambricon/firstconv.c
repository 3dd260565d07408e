/* firstconv.c — see firstconv.h. */
#include "formats/cambricon/firstconv.h"

static const char word[] = "firstconv";

static int refuse_node(const struct plan *plan, const struct node *node, const char *reason, struct error *err)
{
    return error_set(err, EX_UNAVAILABLE, "%s: node \"%s\" (%s), which reads input \"%s\", %s", word, node->name,
                     node->type, plan->graph->values[plan->graph->inputs[0]].name, reason);
}

/* Every node that reads the input, of which there must be one. */
static int find_node(const struct plan *plan, size_t *found, struct error *err)
{
    const struct graph *graph = plan->graph;
    size_t n_readers = 0;

    if (graph->n_inputs != 1)
        return error_set(err, EX_UNAVAILABLE, "%s: it is for networks of one input, found %zu", word, graph->n_inputs);
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] == graph->inputs[0]) {
                *found = n;
                n_readers++;
            }
    if (n_readers == 1 && !graph_is_output(graph, graph->inputs[0]))
        return 0;
    return error_set(err, EX_UNAVAILABLE, "%s: input \"%s\" is read by %zu nodes, not by one convolution alone", word,
                     graph->values[graph->inputs[0]].name, n_readers);
}

static int check_node(const struct plan *plan, size_t n, struct error *err)
{
    const struct graph *graph = plan->graph;
    const struct node *node = &graph->nodes[n];
    const struct window *window = &node->attr.conv.window;
    const struct shape *x = &graph->values[graph->inputs[0]].shape;

    if (node->op != OP_CONV)
        return refuse_node(plan, node, "is no convolution", err);
    for (size_t i = 0; i < n; i++) /* PyTorch's tool takes the first that is defined */
        if (graph->nodes[i].op == OP_CONV)
            return refuse_node(plan, node, "is not the first convolution", err);
    if (x->rank != 4 || (x->dims[1] != 1 && x->dims[1] != 3 && x->dims[1] != 4))
        return refuse_node(plan, node, "reads no picture of 1, 3 or 4 channels", err);
    if (node->attr.conv.group != 1)
        return refuse_node(plan, node, "is a grouped or depthwise convolution", err);
    if (window->dilation[0] != 1 || window->dilation[1] != 1)
        return refuse_node(plan, node, "has a dilation", err);
    if (plan->nodes[n].n_weight_scales == 0)
        return refuse_node(plan, node, "computes in float", err);
    return 0;
}

int firstconv_init(struct firstconv *first, const struct plan *plan, const struct emit_info *info, struct error *err)
{
    const char *reason;

    if (find_node(plan, &first->node, err) != 0 || check_node(plan, first->node, err) != 0)
        return -1;
    if (info->may_be_reals)
        return error_set(err, EX_UNAVAILABLE,
                         "%s: it reads bytes, and the records are numbers of another type, or nothing tells of what "
                         "type they are (emit --job has the data)",
                         word);
    first->channels = (size_t)plan->graph->values[plan->graph->inputs[0]].shape.dims[1];
    reason = pixel_affine_read(info->preprocess == NULL ? NULL : info->preprocess[0], first->channels, &first->pixels);
    if (reason == NULL && first->pixels.resamples_reals)
        reason = "a resize or pad stands behind a mean or scale";
    if (reason != NULL)
        return error_set(err, EX_UNAVAILABLE, "%s: the preprocessing is no mean and scale of bytes: %s", word, reason);
    return 0;
}

int firstconv_check_pytorch(const struct firstconv *first, struct error *err)
{
    for (size_t c = 0; c < first->channels; c++) {
        double mean = first->pixels.mean[c], divisor = 1 / first->pixels.scale[c];

        if (!(mean >= 0 && mean <= 255 && divisor > 0 && divisor <= 255))
            return error_set(err, EX_UNAVAILABLE,
                             "%s: channel %zu: expected a mean of 0 to 255 and a divisor above 0, to 255, found %g and "
                             "%g",
                             word, c, mean, divisor);
    }
    return 0;
}

/* `std` is a single number there. */
int firstconv_check_caffe(const struct firstconv *first, struct error *err)
{
    for (size_t c = 1; c < first->channels; c++)
        if ((float)first->pixels.scale[c] != (float)first->pixels.scale[0])
            return error_set(err, EX_UNAVAILABLE,
                             "%s: channel %zu has another scale than channel 0, %g and %g; Caffe has one for all", word,
                             c, first->pixels.scale[c], first->pixels.scale[0]);
    return 0;
}

const char *firstconv_channel_order(const struct firstconv *first)
{
    static const char *const names[] = {[PIXEL_COLOURS_AS_STORED] = "as in the calibration's records",
                                        [PIXEL_GRAY] = "GRAY",
                                        [PIXEL_RGB] = "RGB",
                                        [PIXEL_BGR] = "BGR",
                                        [PIXEL_YUV444] = "YUV"};

    return names[first->pixels.colours];
}
