/* simulate_conv.c — exact accumulators of convolution, its transpose, and dense layers; see simulate_conv.h.
 *
 * Codes come in plain NCHW; one record at a time is turned to NHWC, so that a window's channels are neighbours and the
 * patch matrix (im2col) is made of memcpy. Products go through int_gemm.h; depthwise convolutions are summed directly.
 * A transposed convolution is gathered, too: each output pixel reads the input pixels that scatter into it.
 */
#include "worker/simulate_conv.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64 }; /* rows of the patch matrix made at a time: 64 x 4,608 x 2 B = 590 KB, inside a 1 MiB L2 */

/* Codes of 16 bits: a weight is 256 x high + low, of 9 and 8 bits. Runs of 256 along K keep each half's products,
 * below 2^15 x 2^7, in 32 bits. */
enum { WIDE_RUN = 256, HALVES = 2 };

bool sim_conv_applies(const struct plan *plan, int node)
{
    const struct node *n = &plan->graph->nodes[node];

    return (n->op == OP_CONV || n->op == OP_DECONV || n->op == OP_DENSE) && plan->nodes[node].is_quantized &&
           plan->values[n->inputs[0]].is_quantized;
}

static void set_geometry(struct sim_conv *c)
{
    const struct graph *g = c->plan->graph;
    const struct shape *in = &g->values[c->input_value].shape, *out = &g->values[c->output_value].shape;

    if (c->node->op != OP_DENSE) {
        bool is_1d = in->rank == 3; /* N x C x L: height 1 */

        c->in_channels = (size_t)in->dims[1];
        c->in_height = is_1d ? 1 : (size_t)in->dims[2];
        c->in_width = (size_t)in->dims[is_1d ? 2 : 3];
        c->out_channels = (size_t)out->dims[1];
        c->out_height = is_1d ? 1 : (size_t)out->dims[2];
        c->out_width = (size_t)out->dims[is_1d ? 2 : 3];
        c->group = (size_t)c->node->attr.conv.group;
        c->k = c->in_channels / c->group *
               (size_t)(c->node->attr.conv.window.kernel[0] * c->node->attr.conv.window.kernel[1]);
    } else { /* a dense layer is a 1 x 1 convolution of one pixel per row */
        c->in_channels = (size_t)in->dims[in->rank - 1];
        c->out_channels = (size_t)out->dims[out->rank - 1];
        c->in_height = c->in_width = c->out_height = c->out_width = c->group = 1;
        c->k = c->in_channels;
    }
    c->group_in = c->in_channels / c->group;
    c->group_out = c->out_channels / c->group;
    c->is_depthwise = c->group > 1 && c->group_in == 1 && c->group_out == 1;
}

/* Weight codes are [O][I of the group][kernel], those of DECONV [I][O of the group][kernel]. */
static size_t weight_index(const struct sim_conv *c, size_t output, size_t input, size_t tap)
{
    size_t group = output / c->group_out, taps = c->k / c->group_in;

    if (c->node->op == OP_DECONV)
        return ((group * c->group_in + input) * c->group_out + output % c->group_out) * taps + tap;
    return (output * c->group_in + input) * taps + tap;
}

/* Of one group as [O][kernel][I], the order of NHWC patches. */
static void turn_weights(const struct sim_conv *c, size_t group, int16_t *turned)
{
    size_t taps = c->k / c->group_in;

    for (size_t o = 0; o < c->group_out; o++)
        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < taps; t++)
                turned[o * c->k + t * c->group_in + i] =
                    c->weights->weight_codes[weight_index(c, group * c->group_out + o, i, t)];
}

/* Part `part` of a wide matrix [group_out][k]: one half of a run along K. */
static int pack_wide(struct sim_conv *c, size_t part, const int16_t *turned, struct int_weights *packed,
                     struct error *err)
{
    size_t first = part / HALVES * WIDE_RUN, run = c->k - first < WIDE_RUN ? c->k - first : WIDE_RUN;
    int16_t *half = memory_create(c->group_out * run, sizeof *half, "weights", err);
    int rc;

    if (half == NULL)
        return -1;
    for (size_t o = 0; o < c->group_out; o++)
        for (size_t i = 0; i < run; i++) {
            int16_t code = turned[o * c->k + first + i], low = (int8_t)(code & 255);

            half[o * run + i] = (int16_t)(part % HALVES == 0 ? low : (code - low) / 256);
        }
    rc = int_weights_init(packed, half, c->group_out, run, err);
    free(half);
    return rc;
}

static int pack_group(struct sim_conv *c, size_t group, struct error *err)
{
    int16_t *turned = memory_create(c->group_out * c->k, sizeof *turned, "weights", err);
    struct int_weights *packed = c->packed + group * c->n_parts;
    int rc = turned == NULL ? -1 : 0;

    if (rc == 0)
        turn_weights(c, group, turned);
    if (rc == 0 && !c->is_wide)
        rc = int_weights_init(packed, turned, c->group_out, c->k, err);
    for (size_t part = 0; rc == 0 && c->is_wide && part < c->n_parts; part++)
        rc = pack_wide(c, part, turned, &packed[part], err);
    free(turned);
    return rc;
}

/* The largest |accumulator| any input can cause must stay in int32: the promise of exactness. Wide ones have 64 bits,
 * which nothing fills. */
static int check_range(const struct sim_conv *c, struct error *err)
{
    const struct code_range *codes = &c->plan->values[c->input_value].codes;
    int64_t low = (int64_t)codes->zero_point - codes->lo, high = (int64_t)codes->hi - codes->zero_point;
    int64_t largest = low > high ? low : high;

    for (size_t o = 0; !c->is_wide && o < c->out_channels; o++) {
        int64_t sum = 0;

        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < c->k / c->group_in; t++)
                sum += abs(c->weights->weight_codes[weight_index(c, o, i, t)]);
        sum *= largest;
        if (c->weights->bias_codes != NULL)
            sum += llabs((long long)c->weights->bias_codes[o]);
        if (sum > INT32_MAX)
            return error_set(err, EX_UNAVAILABLE,
                             "node \"%s\": output channel %zu can reach %lld, which a 32-bit accumulator cannot hold",
                             c->node->name, o, (long long)sum);
    }
    return 0;
}

static int make_memory(struct sim_conv *c, struct error *err)
{
    size_t pixels = c->out_height * c->out_width, n_sums = c->is_wide ? PIXELS : pixels;

    c->image = memory_create(c->in_channels * c->in_height * c->in_width + 1, sizeof *c->image, "an image", err);
    c->patches = memory_create(PIXELS, (c->k + 1) * sizeof *c->patches, "patches", err);
    c->sums = memory_create(n_sums * c->sum_stride, sizeof *c->sums, "accumulators", err);
    c->row = memory_create(RESCALED_PIXELS, sizeof *c->row, "a channel", err);
    c->rescales = memory_create(c->out_channels, sizeof *c->rescales, "channels", err);
    if (c->image == NULL || c->patches == NULL || c->sums == NULL || c->row == NULL || c->rescales == NULL)
        return -1;
    if (c->is_wide)
        c->wide_sums = memory_create(pixels * c->sum_stride, sizeof *c->wide_sums, "accumulators", err);
    return c->is_wide && c->wide_sums == NULL ? -1 : 0;
}

static int make_weights(struct sim_conv *c, struct error *err)
{
    size_t taps = c->k / c->group_in;
    int rc = 0;

    if (c->is_depthwise) {
        c->taps = memory_create(c->k * c->in_channels, sizeof *c->taps, "taps", err);
        for (size_t ch = 0; c->taps != NULL && ch < c->in_channels; ch++)
            for (size_t t = 0; t < taps; t++)
                c->taps[t * c->in_channels + ch] = c->weights->weight_codes[weight_index(c, ch, 0, t)];
        return c->taps == NULL ? -1 : 0;
    }
    c->n_parts = c->is_wide ? (c->k + WIDE_RUN - 1) / WIDE_RUN * HALVES : 1;
    c->packed = memory_create(c->group * c->n_parts, sizeof *c->packed, "packed weights", err);
    if (c->packed == NULL)
        return -1;
    for (size_t g = 0; rc == 0 && g < c->group; g++)
        rc = pack_group(c, g, err);
    return rc;
}

struct sim_conv *sim_conv_create(const struct plan *plan, int node, struct error *err)
{
    struct sim_conv *c = memory_create(1, sizeof *c, "a simulated convolution", err);

    if (c == NULL)
        return NULL;
    c->plan = plan;
    c->node = &plan->graph->nodes[node];
    c->weights = &plan->nodes[node];
    c->input_value = c->node->inputs[0];
    c->output_value = c->node->outputs[0];
    c->is_wide = plan->profile->weight_limit > INT8_MAX;
    set_geometry(c);
    c->sum_stride = c->is_depthwise ? c->out_channels : c->group * int_gemm_padded(c->group_out);
    if (make_memory(c, err) != 0 || check_range(c, err) != 0 || make_weights(c, err) != 0) {
        sim_conv_destroy(c);
        return NULL;
    }
    return c;
}

void sim_conv_destroy(struct sim_conv *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->packed != NULL && i < c->group * c->n_parts; i++)
        int_weights_fini(&c->packed[i]);
    free(c->packed);
    free(c->taps);
    free(c->image);
    free(c->patches);
    free(c->sums);
    free(c->wide_sums);
    free(c->rescales);
    free(c->row);
    free(c);
}

/* In squares whose lines, 64 bytes each, stay in the first-level cache. */
static void to_nhwc(const int16_t *from, size_t channels, size_t spatial, int16_t *to)
{
    const size_t side = 32;

    for (size_t s0 = 0; s0 < spatial; s0 += side)
        for (size_t c0 = 0; c0 < channels; c0 += side)
            for (size_t s = s0; s < spatial && s < s0 + side; s++)
                for (size_t c = c0; c < channels && c < c0 + side; c++)
                    to[s * channels + c] = from[c * spatial + s];
}

/* The input row or column that a tap of an output row or column reads, or -1 where it reads none, which is real zero
 * and code 0: outside the image or, of a transposed convolution, between strides. */
static int64_t tap_position(const struct sim_conv *c, int axis, size_t out, size_t tap)
{
    const struct window *w = &c->node->attr.conv.window;
    int64_t size = (int64_t)(axis == 0 ? c->in_height : c->in_width), along = (int64_t)tap * w->dilation[axis];
    int64_t at = (int64_t)out * w->stride[axis] - w->pad_begin[axis] + along;

    if (c->node->op == OP_DECONV) { /* out = at x stride - pad + along */
        int64_t scattered = (int64_t)out + w->pad_begin[axis] - along;

        at = scattered < 0 || scattered % w->stride[axis] != 0 ? -1 : scattered / w->stride[axis];
    }
    return at < 0 || at >= size ? -1 : at;
}

static void make_patch(const struct sim_conv *c, size_t group, size_t pixel, int16_t *patch)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t y = pixel / c->out_width, x = pixel % c->out_width;

    for (size_t ky = 0; ky < (size_t)w->kernel[0]; ky++) {
        int64_t row = tap_position(c, 0, y, ky);

        for (size_t kx = 0; kx < (size_t)w->kernel[1]; kx++, patch += c->group_in) {
            int64_t column = tap_position(c, 1, x, kx);

            if (row < 0 || column < 0)
                memset(patch, 0, c->group_in * sizeof *patch);
            else
                memcpy(patch,
                       c->image + ((size_t)row * c->in_width + (size_t)column) * c->in_channels + group * c->group_in,
                       c->group_in * sizeof *patch);
        }
    }
}

static bool is_pointwise(const struct sim_conv *c)
{
    const struct window *w = &c->node->attr.conv.window;

    return c->node->op == OP_DENSE || (c->node->op == OP_CONV && c->group == 1 && w->kernel[0] * w->kernel[1] == 1 &&
                                       w->stride[0] * w->stride[1] == 1 && w->pad_begin[0] == 0 &&
                                       w->pad_begin[1] == 0 && w->pad_end[0] == 0 && w->pad_end[1] == 0);
}

/* The sums of `n` output pixels of one group, from the rows of its patch matrix. */
static void multiply(struct sim_conv *c, size_t group, const int16_t *rows, size_t stride, size_t first, size_t n)
{
    size_t padded = int_gemm_padded(c->group_out), column = group * padded;
    const struct int_weights *packed = c->packed + group * c->n_parts;

    if (!c->is_wide) {
        int_gemm(rows, stride, n, packed, c->sums + first * c->sum_stride + column, c->sum_stride);
        return;
    }
    for (size_t i = 0; i < n; i++)
        memset(c->wide_sums + (first + i) * c->sum_stride + column, 0, padded * sizeof *c->wide_sums);
    for (size_t part = 0; part < c->n_parts; part++) {
        int64_t weight = part % HALVES == 0 ? 1 : 256;

        int_gemm(rows + part / HALVES * WIDE_RUN, stride, n, &packed[part], c->sums, padded);
        for (size_t i = 0; i < n; i++)
            for (size_t o = 0; o < padded; o++)
                c->wide_sums[(first + i) * c->sum_stride + column + o] += weight * c->sums[i * padded + o];
    }
}

static void accumulate(struct sim_conv *c)
{
    size_t pixels = c->out_height * c->out_width, stride = c->k + c->k % 2;
    bool is_image = is_pointwise(c); /* then the image is the patch matrix */

    for (size_t first = 0; first < pixels; first += PIXELS) {
        size_t n = pixels - first < PIXELS ? pixels - first : PIXELS;

        for (size_t g = 0; g < c->group; g++) {
            for (size_t i = 0; !is_image && i < n; i++)
                make_patch(c, g, first + i, c->patches + i * stride);
            if (is_image)
                multiply(c, g, c->image + first * c->in_channels, c->in_channels, first, n);
            else
                multiply(c, g, c->patches, stride, first, n);
        }
    }
}

/* sum[ch] += in[ch] tap[ch]. */
static void add_products(const int16_t *in, const int16_t *tap, size_t n, int32_t *sum)
{
    for (size_t ch = 0; ch < n; ch++)
        sum[ch] += in[ch] * tap[ch];
}

static void add_wide_products(const int16_t *in, const int16_t *tap, size_t n, int64_t *sum)
{
    for (size_t ch = 0; ch < n; ch++)
        sum[ch] += in[ch] * tap[ch];
}

static void accumulate_depthwise(struct sim_conv *c)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t channels = c->in_channels, pixels = c->out_height * c->out_width;

    if (c->is_wide)
        memset(c->wide_sums, 0, pixels * c->sum_stride * sizeof *c->wide_sums);
    else
        memset(c->sums, 0, pixels * c->sum_stride * sizeof *c->sums);
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        size_t y = pixel / c->out_width, x = pixel % c->out_width;

        for (size_t ky = 0; ky < (size_t)w->kernel[0]; ky++)
            for (size_t kx = 0; kx < (size_t)w->kernel[1]; kx++) {
                int64_t row = tap_position(c, 0, y, ky), column = tap_position(c, 1, x, kx);
                const int16_t *in, *tap = c->taps + (ky * (size_t)w->kernel[1] + kx) * channels;

                if (row < 0 || column < 0)
                    continue;
                in = c->image + ((size_t)row * c->in_width + (size_t)column) * channels;
                if (c->is_wide)
                    add_wide_products(in, tap, channels, c->wide_sums + pixel * c->sum_stride);
                else
                    add_products(in, tap, channels, c->sums + pixel * c->sum_stride);
            }
    }
}

void sim_conv_run(struct sim_conv *c, const int16_t *input, void *output, size_t n_records)
{
    size_t in_spatial = c->in_height * c->in_width, out_elements = c->out_channels * c->out_height * c->out_width;
    size_t item = sim_is_coded(c->plan, c->output_value) ? sizeof(int16_t) : sizeof(float);
    size_t rows = n_records;

    if (c->node->op == OP_DENSE) { /* leading dims beyond the batch are rows too */
        const struct shape *shape = &c->plan->graph->values[c->input_value].shape;

        for (size_t d = 1; d + 1 < shape->rank; d++)
            rows *= (size_t)shape->dims[d];
    }
    sim_conv_prepare(c);
    for (size_t n = 0; n < rows; n++) {
        to_nhwc(input + n * c->in_channels * in_spatial, c->in_channels, in_spatial, c->image);
        if (c->is_depthwise)
            accumulate_depthwise(c);
        else
            accumulate(c);
        sim_conv_rescale(c, (char *)output + n * out_elements * item);
    }
}
