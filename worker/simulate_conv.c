/* simulate_conv.c — convolution and dense layers on integers: exact accumulators, then the profile's rescaling.
 *
 * Codes come in plain NCHW; one record at a time is turned to NHWC, so that a window's channels are neighbours and the
 * patch matrix (im2col) is made of memcpy. Products go through int_gemm.h; depthwise convolutions are summed directly.
 */
#include "worker/simulate_private.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64 }; /* rows of the patch matrix made at a time: 64 x 4,608 x 2 B = 590 KB, inside a 1 MiB L2 */

struct sim_conv {
    const struct plan *plan;
    const struct node *node;
    const struct plan_node *weights;
    int input_value, output_value;
    size_t in_channels, in_height, in_width, out_channels, out_height, out_width;
    size_t group, group_in, group_out, k; /* per group; k = group_in x kernel */
    bool is_depthwise;
    struct int_weights *packed; /* [group]; dense and grouped */
    int16_t *taps;              /* depthwise: [kernel][channels] */
    int16_t *image;             /* one record, NHWC, + 1 for an odd K */
    int16_t *patches;           /* [PIXELS][k + k % 2] */
    int32_t *sums;              /* [out pixels][c_stride] of one record */
    float *row;                 /* [out pixels]: one channel on its way to codes */
    size_t sum_stride;
    const float *float_bias; /* NULL: none, or bias_codes are used */
};

bool sim_conv_applies(const struct plan *plan, int node)
{
    const struct node *n = &plan->graph->nodes[node];

    return (n->op == OP_CONV || n->op == OP_DENSE) && plan->nodes[node].is_quantized &&
           plan->values[n->inputs[0]].is_quantized;
}

static void set_geometry(struct sim_conv *c)
{
    const struct graph *g = c->plan->graph;
    const struct shape *in = &g->values[c->input_value].shape, *out = &g->values[c->output_value].shape;

    if (c->node->op == OP_CONV) {
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

/* [O][I][kernel] -> [O][kernel][I]: the order of NHWC patches. */
static int pack_group(struct sim_conv *c, size_t group, struct error *err)
{
    size_t taps = c->k / c->group_in;
    int16_t *turned = memory_create(c->group_out * c->k, sizeof *turned, "weights", err);
    const int16_t *from = c->weights->weight_codes + group * c->group_out * c->k;
    int rc;

    if (turned == NULL)
        return -1;
    for (size_t o = 0; o < c->group_out; o++)
        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < taps; t++)
                turned[o * c->k + t * c->group_in + i] = from[o * c->k + i * taps + t];
    rc = int_weights_init(&c->packed[group], turned, c->group_out, c->k, err);
    free(turned);
    return rc;
}

/* The largest |accumulator| any input can cause must stay in int32: the promise of exactness. */
static int check_range(const struct sim_conv *c, struct error *err)
{
    const struct code_range *codes = &c->plan->values[c->input_value].codes;
    int64_t low = (int64_t)codes->zero_point - codes->lo, high = (int64_t)codes->hi - codes->zero_point;
    int64_t largest = low > high ? low : high;

    for (size_t o = 0; o < c->out_channels; o++) {
        int64_t sum = 0;

        for (size_t i = 0; i < c->k; i++)
            sum += llabs((long long)c->weights->weight_codes[o * c->k + i]);
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

struct sim_conv *sim_conv_create(const struct plan *plan, int node, struct error *err)
{
    struct sim_conv *c = memory_create(1, sizeof *c, "a simulated convolution", err);
    size_t pixels, taps;

    if (c == NULL)
        return NULL;
    c->plan = plan;
    c->node = &plan->graph->nodes[node];
    c->weights = &plan->nodes[node];
    c->input_value = c->node->inputs[0];
    c->output_value = c->node->outputs[0];
    set_geometry(c);
    taps = c->k / c->group_in;
    pixels = c->out_height * c->out_width;
    c->float_bias = c->weights->bias_codes == NULL ? c->weights->bias : NULL;
    c->sum_stride = c->is_depthwise ? c->out_channels : c->group * int_gemm_padded(c->group_out);
    c->image = memory_create(c->in_channels * c->in_height * c->in_width + 1, sizeof *c->image, "an image", err);
    c->patches = memory_create(PIXELS, (c->k + 1) * sizeof *c->patches, "patches", err);
    c->sums = memory_create(pixels * c->sum_stride, sizeof *c->sums, "accumulators", err);
    c->row = memory_create(pixels, sizeof *c->row, "a channel", err);
    if (c->image == NULL || c->patches == NULL || c->sums == NULL || c->row == NULL || check_range(c, err) != 0)
        goto fail;
    if (c->is_depthwise) {
        c->taps = memory_create(c->k * c->in_channels, sizeof *c->taps, "taps", err);
        if (c->taps == NULL)
            goto fail;
        for (size_t ch = 0; ch < c->in_channels; ch++)
            for (size_t t = 0; t < taps; t++)
                c->taps[t * c->in_channels + ch] = c->weights->weight_codes[ch * taps + t];
        return c;
    }
    c->packed = memory_create(c->group, sizeof *c->packed, "packed weights", err);
    if (c->packed == NULL)
        goto fail;
    for (size_t g = 0; g < c->group; g++)
        if (pack_group(c, g, err) != 0)
            goto fail;
    return c;
fail:
    sim_conv_destroy(c);
    return NULL;
}

void sim_conv_destroy(struct sim_conv *c)
{
    if (c == NULL)
        return;
    for (size_t g = 0; c->packed != NULL && g < c->group; g++)
        int_weights_fini(&c->packed[g]);
    free(c->packed);
    free(c->taps);
    free(c->image);
    free(c->patches);
    free(c->sums);
    free(c->row);
    free(c);
}

static void to_nhwc(const int16_t *from, size_t channels, size_t spatial, int16_t *to)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t s = 0; s < spatial; s++)
            to[s * channels + c] = from[c * spatial + s];
}

/* The input row or column a tap falls on, or -1 outside the image (real zero, hence code 0). */
static int64_t tap_position(const struct sim_conv *c, int axis, size_t out, size_t tap)
{
    const struct window *w = &c->node->attr.conv.window;
    int64_t size = (int64_t)(axis == 0 ? c->in_height : c->in_width);
    int64_t at = (int64_t)out * w->stride[axis] - w->pad_begin[axis] + (int64_t)tap * w->dilation[axis];

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

    return c->node->op == OP_DENSE ||
           (c->group == 1 && w->kernel[0] * w->kernel[1] == 1 && w->stride[0] * w->stride[1] == 1 &&
            w->pad_begin[0] == 0 && w->pad_begin[1] == 0 && w->pad_end[0] == 0 && w->pad_end[1] == 0);
}

static void accumulate(struct sim_conv *c)
{
    size_t pixels = c->out_height * c->out_width, stride = c->k + c->k % 2;

    if (is_pointwise(c)) {
        int_gemm(c->image, c->in_channels, pixels, &c->packed[0], c->sums, c->sum_stride);
        return;
    }
    for (size_t first = 0; first < pixels; first += PIXELS) {
        size_t n = pixels - first < PIXELS ? pixels - first : PIXELS;

        for (size_t g = 0; g < c->group; g++) {
            for (size_t i = 0; i < n; i++)
                make_patch(c, g, first + i, c->patches + i * stride);
            int_gemm(c->patches, stride, n, &c->packed[g],
                     c->sums + first * c->sum_stride + g * int_gemm_padded(c->group_out), c->sum_stride);
        }
    }
}

static void accumulate_depthwise(struct sim_conv *c)
{
    const struct window *w = &c->node->attr.conv.window;
    size_t channels = c->in_channels;

    for (size_t pixel = 0; pixel < c->out_height * c->out_width; pixel++) {
        size_t y = pixel / c->out_width, x = pixel % c->out_width;
        int32_t *sum = c->sums + pixel * c->sum_stride;

        memset(sum, 0, channels * sizeof *sum);
        for (size_t ky = 0; ky < (size_t)w->kernel[0]; ky++)
            for (size_t kx = 0; kx < (size_t)w->kernel[1]; kx++) {
                int64_t row = tap_position(c, 0, y, ky), column = tap_position(c, 1, x, kx);
                const int16_t *in, *tap = c->taps + (ky * (size_t)w->kernel[1] + kx) * channels;

                if (row < 0 || column < 0)
                    continue;
                in = c->image + ((size_t)row * c->in_width + (size_t)column) * channels;
                for (size_t ch = 0; ch < channels; ch++)
                    sum[ch] += in[ch] * tap[ch];
            }
    }
}

/* How one output channel turns accumulators into codes: everything that is constant along the channel. */
struct rescale {
    float acc_scale, out_scale, ratio, bias;
    int32_t bias_code;
};

static struct rescale channel_rescale(const struct sim_conv *c, size_t channel)
{
    const struct plan_node *w = c->weights;
    const struct plan_value *out = &c->plan->values[c->output_value];
    struct rescale r = {.acc_scale = w->acc_scale[w->n_weight_scales == 1 ? 0 : channel], .out_scale = 1};

    if (out->is_quantized)
        r.out_scale = out->scale[out->n_scales == 1 ? 0 : channel];
    r.ratio = r.acc_scale / r.out_scale;
    r.bias = c->float_bias == NULL ? 0 : c->float_bias[channel];
    r.bias_code = w->bias_codes == NULL ? 0 : w->bias_codes[channel];
    r.bias_code += (int32_t)plan_output_offset(c->plan, (int)(c->node - c->plan->graph->nodes), channel);
    return r;
}

/* ReLU and clip act on multiples of the output step, as chips do; other activations need the real value. */
static float apply_on_steps(struct activation a, float steps, float out_scale)
{
    switch (a.kind) {
    case ACTIVATION_NONE:
        return steps;
    case ACTIVATION_RELU:
        return steps > 0 ? steps : 0;
    case ACTIVATION_CLIP: {
        float low = a.alpha / out_scale, high = a.beta / out_scale;

        return steps < low ? low : steps > high ? high : steps;
    }
    default:
        return activation_apply(a, steps * out_scale) / out_scale;
    }
}

/* One output channel of one record: accumulators, side by side in c->row, become multiples of the output step or reals.
 */
static void rescale_channel(struct sim_conv *c, size_t channel, size_t column, void *output)
{
    const struct plan_value *out = &c->plan->values[c->output_value];
    const struct profile *profile = c->plan->profile;
    struct rescale r = channel_rescale(c, channel);
    struct activation fused = out->hides_zero_point ? (struct activation){0} : c->node->fused; /* saturation is it */
    size_t pixels = c->out_height * c->out_width;
    const int32_t *sum = c->sums + column;
    float *row = out->is_quantized ? c->row : (float *)output + channel * pixels;
    bool in_steps = out->is_quantized && profile->requantization == REQUANTIZE_RATIO;
    float factor = in_steps ? r.ratio : r.acc_scale, bias = in_steps ? r.bias / r.out_scale : r.bias;

    for (size_t i = 0; i < pixels; i++) /* one rounding of the accumulator above 2^24, as the chips do */
        row[i] = (float)(sum[i * c->sum_stride] + r.bias_code) * factor + bias;
    if (fused.kind != ACTIVATION_NONE)
        for (size_t i = 0; i < pixels; i++)
            row[i] = in_steps ? apply_on_steps(fused, row[i], r.out_scale) : activation_apply(fused, row[i]);
    if (out->is_quantized)
        sim_value_codes(row, pixels, in_steps ? 1 : r.out_scale, out, profile->activation_rounding,
                        (int16_t *)output + channel * pixels);
}

void sim_conv_run(struct sim_conv *c, const int16_t *input, void *output, size_t n_records)
{
    size_t in_spatial = c->in_height * c->in_width, out_elements = c->out_channels * c->out_height * c->out_width;
    size_t item = c->plan->values[c->output_value].is_quantized ? sizeof(int16_t) : sizeof(float);
    size_t rows = n_records;

    if (c->node->op == OP_DENSE) { /* leading dims beyond the batch are rows too */
        const struct shape *shape = &c->plan->graph->values[c->input_value].shape;

        for (size_t d = 1; d + 1 < shape->rank; d++)
            rows *= (size_t)shape->dims[d];
    }
    for (size_t n = 0; n < rows; n++) {
        to_nhwc(input + n * c->in_channels * in_spatial, c->in_channels, in_spatial, c->image);
        if (c->is_depthwise)
            accumulate_depthwise(c);
        else
            accumulate(c);
        for (size_t ch = 0; ch < c->out_channels; ch++)
            rescale_channel(
                c, ch, c->is_depthwise ? ch : ch / c->group_out * int_gemm_padded(c->group_out) + ch % c->group_out,
                (char *)output + n * out_elements * item);
    }
}
