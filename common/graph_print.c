/* graph_print.c — a graph as a table for people. */
#include "common/graph_private.h"
#include "common/printable.h"

#include <inttypes.h>

static void print_activation(struct activation activation, FILE *out)
{
    fprintf(out, " %s", activation_name(activation.kind));
    switch (activation.kind) {
    case ACTIVATION_LEAKY_RELU:
    case ACTIVATION_ELU:
    case ACTIVATION_SWISH:
    case ACTIVATION_POWER:
    case ACTIVATION_THRESHOLDED_RELU:
        fprintf(out, "(%g)", (double)activation.alpha);
        break;
    case ACTIVATION_CLIP:
    case ACTIVATION_HARD_SIGMOID:
    case ACTIVATION_HARD_SWISH:
        fprintf(out, "(%g, %g)", (double)activation.alpha, (double)activation.beta);
        break;
    default:
        break;
    }
}

static void print_window(const struct window *w, FILE *out)
{
    fprintf(out, " kernel %lldx%lld", (long long)w->kernel[0], (long long)w->kernel[1]);
    if (w->stride[0] != 1 || w->stride[1] != 1)
        fprintf(out, " stride %lldx%lld", (long long)w->stride[0], (long long)w->stride[1]);
    if (w->dilation[0] != 1 || w->dilation[1] != 1)
        fprintf(out, " dilation %lldx%lld", (long long)w->dilation[0], (long long)w->dilation[1]);
    if (w->pad_begin[0] != 0 || w->pad_begin[1] != 0 || w->pad_end[0] != 0 || w->pad_end[1] != 0)
        fprintf(out, " pads %lld,%lld,%lld,%lld", (long long)w->pad_begin[0], (long long)w->pad_begin[1],
                (long long)w->pad_end[0], (long long)w->pad_end[1]);
}

static void print_list(const char *title, const int64_t *items, size_t n, FILE *out)
{
    fprintf(out, " %s", title);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%lld", i > 0 ? "," : " ", (long long)items[i]);
}

void graph_print_attributes(const struct graph *graph, const struct node *node, FILE *out)
{
    static const char *const pools[] = {"max", "average"};
    static const char *const binaries[BINARY_COUNT] = {"add", "sub", "mul", "div", "max", "min", "pow"};
    static const char *const reductions[REDUCE_COUNT] = {"mean", "sum", "max", "min", "l2", "prod"};
    static const char *const pads[] = {"constant", "reflect", "edge"};
    static const char *const resizes[] = {"nearest", "linear", "cubic"};
    size_t rank = graph->values[node->outputs[0]].shape.rank;

    switch (node->op) {
    case OP_CONV:
    case OP_DECONV:
        print_window(&node->attr.conv.window, out);
        if (node->attr.conv.group != 1)
            fprintf(out, " group %lld", (long long)node->attr.conv.group);
        break;
    case OP_POOL:
        fprintf(out, " %s%s", node->attr.pool.is_global ? "global " : "", pools[node->attr.pool.kind]);
        print_window(&node->attr.pool.window, out);
        break;
    case OP_ACTIVATION:
        print_activation(node->attr.activation, out);
        break;
    case OP_BINARY:
        fprintf(out, " %s", binaries[node->attr.binary.kind] != NULL ? binaries[node->attr.binary.kind] : "folded");
        break;
    case OP_CONCAT:
    case OP_GATHER:
    case OP_HARDMAX:
        fprintf(out, " axis %lld", (long long)node->attr.axis);
        break;
    case OP_SOFTMAX:
        fprintf(out, "%s axis %lld", node->attr.softmax.is_log ? " log" : "", (long long)node->attr.softmax.axis);
        break;
    case OP_TRANSPOSE:
        print_list("perm", node->attr.perm, rank, out);
        break;
    case OP_SLICE:
        print_list("begin", node->attr.slice.begin, rank, out);
        print_list("step", node->attr.slice.step, rank, out);
        break;
    case OP_PAD:
        fprintf(out, " %s", pads[node->attr.pad.mode]);
        print_list("begin", node->attr.pad.begin, rank, out);
        print_list("end", node->attr.pad.end, rank, out);
        break;
    case OP_LRN:
        fprintf(out, " size %lld alpha %g beta %g k %g", (long long)node->attr.lrn.size, (double)node->attr.lrn.alpha,
                (double)node->attr.lrn.beta, (double)node->attr.lrn.k);
        break;
    case OP_REDUCE:
        fprintf(out, " %s over axes 0x%x",
                reductions[node->attr.reduce.kind] != NULL ? reductions[node->attr.reduce.kind] : "folded",
                (unsigned)node->attr.reduce.axes);
        break;
    case OP_LAYER_NORM:
        fprintf(out, " over axes 0x%x epsilon %g", (unsigned)node->attr.layer_norm.axes,
                (double)node->attr.layer_norm.epsilon);
        break;
    case OP_RESIZE:
        fprintf(out, " %s", resizes[node->attr.resize.mode]);
        break;
    default:
        break;
    }
    if (node->fused.kind != ACTIVATION_NONE) {
        fprintf(out, " +");
        print_activation(node->fused, out);
    }
}

static void print_value(const struct value *value, FILE *out)
{
    char text[SHAPE_TEXT_BYTES];

    fputc(' ', out);
    printable_print(value->name, out);
    fprintf(out, "[%s]", value->has_shape ? shape_text(&value->shape, text) : "?");
}

static void print_ports(const struct graph *graph, const char *title, const int *values, size_t n, FILE *out)
{
    fprintf(out, "%s", title);
    for (size_t i = 0; i < n; i++)
        print_value(&graph->values[values[i]], out);
    fputc('\n', out);
}

void graph_print(const struct graph *graph, FILE *out)
{
    struct graph_totals totals = graph_totals(graph);

    fprintf(out, "graph%s", graph->name[0] == '\0' ? "" : " ");
    printable_print(graph->name, out);
    fprintf(out, ": %zu nodes, %zu values\n", graph->n_nodes, graph->n_values);
    print_ports(graph, "inputs:", graph->inputs, graph->n_inputs, out);
    print_ports(graph, "outputs:", graph->outputs, graph->n_outputs, out);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];

        fprintf(out, "%4zu %-10s ", i, op_name(node->op));
        printable_print(node->name, out);
        graph_print_attributes(graph, node, out);
        fprintf(out, " |");
        for (size_t j = 0; j < node->n_inputs; j++)
            if (node->inputs[j] != GRAPH_NONE)
                print_value(&graph->values[node->inputs[j]], out);
        fprintf(out, " ->");
        for (size_t j = 0; j < node->n_outputs; j++)
            print_value(&graph->values[node->outputs[j]], out);
        fputc('\n', out);
    }
    fprintf(out,
            "totals of one record: %" PRIu64 " parameters, %" PRIu64 " multiply-accumulates, %" PRIu64
            " bytes of activations in float32\n",
            totals.parameters, totals.macs, totals.activation_bytes);
}
