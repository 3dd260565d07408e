/* input_moments.c — see input_moments.h. */
#include "coordinator/input_moments.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATCHES = 4096 };

/* Added to the diagonal, of its mean: without any, codes fit the 64 records and no others (MobileNet v1 0.25 with
 * activations in float, a trial: 24.8 dB at 0.001, 26.9 at 0.1, 28.4 at 1; nearest codes 23.3). Besides, elements /
 * patches: the fewer patches, the less their moments are worth. */
static const double diagonal_share = 0.25;

/* A layer's input as patches. */
struct patches {
    const struct view *view;
    struct window window;
    size_t in_height, in_width, out_height, out_width, taps;
    size_t first_channel; /* of the group */
};

bool input_moments_apply(const struct graph *graph, const struct node *node)
{
    size_t rank = graph->values[node->inputs[0]].shape.rank;

    return (node->op == OP_CONV && (rank == 3 || rank == 4)) || (node->op == OP_DENSE && rank == 2);
}

static struct patches patches_of(const struct graph *graph, const struct node *node, const struct view *view,
                                 size_t group)
{
    const struct shape *in = &graph->values[node->inputs[0]].shape, *out = &graph->values[node->outputs[0]].shape;
    const struct shape *weights = &graph->values[node->inputs[1]].shape;
    struct patches p = {view, {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}}, 1, 1, 1, 1, 1, 0};

    if (node->op == OP_CONV) {
        p.window = node->attr.conv.window;
        p.in_height = in->rank == 3 ? 1 : (size_t)in->dims[2];
        p.in_width = (size_t)in->dims[in->rank - 1];
        p.out_height = in->rank == 3 ? 1 : (size_t)out->dims[2];
        p.out_width = (size_t)out->dims[in->rank - 1];
        p.taps = (size_t)(p.window.kernel[0] * p.window.kernel[1]);
        p.first_channel = group * (size_t)weights->dims[1];
    }
    return p;
}

static double element(const struct view *v, size_t record, size_t channel, size_t at)
{
    return (double)
        v->data[((record * view_blocks(v) + channel / v->block) * v->spatial + at) * v->block + channel % v->block];
}

/* Elements first .. first + n of patch `index`, records one after the other. */
static void read_patch(const struct patches *p, size_t index, size_t first, size_t n, double *x)
{
    size_t pixels = p->out_height * p->out_width, record = index / pixels, pixel = index % pixels;
    int64_t y = (int64_t)(pixel / p->out_width), left = (int64_t)(pixel % p->out_width);

    for (size_t i = 0; i < n; i++) {
        size_t channel = p->first_channel + (first + i) / p->taps;
        int64_t tap = (int64_t)((first + i) % p->taps), width = p->window.kernel[1];
        int64_t row = y * p->window.stride[0] - p->window.pad_begin[0] + tap / width * p->window.dilation[0];
        int64_t column = left * p->window.stride[1] - p->window.pad_begin[1] + tap % width * p->window.dilation[1];
        bool is_inside = row >= 0 && row < (int64_t)p->in_height && column >= 0 && column < (int64_t)p->in_width;

        x[i] = is_inside ? element(p->view, record, channel, (size_t)row * p->in_width + (size_t)column) : 0;
    }
}

/* The upper half of sum x x', and sum x. */
static void add_patch(const double *x, size_t n, double *h, double *sum)
{
    for (size_t i = 0; i < n; i++) {
        sum[i] += x[i];
        for (size_t j = i; x[i] != 0 && j < n; j++)
            h[i * n + j] += x[i] * x[j];
    }
}

/* From sums to moments, both halves, with more on the diagonal. */
static void finish(double *h, const double *sum, size_t n, size_t count, bool is_centred)
{
    double trace = 0, more;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = i; j < n; j++) {
            double centre = is_centred ? sum[i] / (double)count * sum[j] : 0;

            h[i * n + j] = h[j * n + i] = (h[i * n + j] - centre) / (double)count;
        }
        trace += h[i * n + i];
        h[i * n + i] = fmax(h[i * n + i], 0); /* of a constant, what rounding left */
    }
    if (!isfinite(trace) || count <= n) { /* NaN, infinities; fewer patches than elements know nothing of pairs */
        memset(h, 0, n * n * sizeof *h);
        trace = 0;
    }
    more = (diagonal_share + (double)n / (double)count) * trace / (double)n;
    for (size_t i = 0; i < n; i++)
        h[i * n + i] += more > 0 ? more : 1; /* an input that is always the same: nearest codes */
}

int input_moments_find(const struct graph *graph, const struct node *node, const struct view *view, size_t group,
                       size_t first, size_t n, bool is_centred, double *h, struct error *err)
{
    struct patches p = patches_of(graph, node, view, group);
    size_t total = view->records * p.out_height * p.out_width, count = total < MAX_PATCHES ? total : MAX_PATCHES;
    double *x = memory_create(2 * n, sizeof *x, "a patch", err);

    if (x == NULL)
        return -1;
    memset(h, 0, n * n * sizeof *h);
    for (size_t i = 0; i < count; i++) { /* i total / count, without overflow */
        read_patch(&p, i * (total / count) + i * (total % count) / count, first, n, x);
        add_patch(x, n, h, x + n);
    }
    finish(h, x + n, n, count, is_centred);
    free(x);
    return 0;
}
