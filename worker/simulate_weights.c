/* simulate_weights.c — weights of a simulated convolution: packed for its kernels, and what they can add up to. */
#include "worker/simulate_conv.h"

#include "common/memory.h"

#include <stdlib.h>

/* Weight codes are [O][I of the group][kernel], those of DECONV [I][O of the group][kernel]. */
static int16_t weight_at(const struct sim_conv *c, size_t output, size_t input, size_t tap)
{
    size_t group = output / c->group_out;

    if (c->node->op == OP_DECONV)
        return c->weights
            ->weight_codes[((group * c->group_in + input) * c->group_out + output % c->group_out) * c->n_taps + tap];
    return c->weights->weight_codes[(output * c->group_in + input) * c->n_taps + tap];
}

static int16_t low_half(int16_t code)
{
    return (int8_t)(code & 255);
}

/* Of one group as [O][kernel][I], the order of rows of channels. */
static int pack_group(struct sim_conv *c, size_t group, size_t half, struct int_weights *packed, struct error *err)
{
    int16_t *turned = memory_create(c->group_out * c->k, sizeof *turned, "weights", err);
    int rc;

    if (turned == NULL)
        return -1;
    for (size_t o = 0; o < c->group_out; o++)
        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < c->n_taps; t++) {
                int16_t code = weight_at(c, group * c->group_out + o, i, t), low = low_half(code);

                if (c->is_wide && half == 0)
                    code = low;
                else if (c->is_wide)
                    code = (int16_t)((code - low) / 256);
                turned[o * c->k + t * c->group_in + i] = code;
            }
    rc = int_weights_init(packed, turned, c->group_out, c->segments, c->segment_items, c->are_bytes, err);
    free(turned);
    return rc;
}

int sim_conv_check_range(const struct sim_conv *c, struct error *err)
{
    const struct code_range *codes = &c->plan->values[c->input_value].codes;
    int64_t low = (int64_t)codes->zero_point - codes->lo, high = (int64_t)codes->hi - codes->zero_point;
    int64_t largest = low > high ? low : high;

    for (size_t o = 0; !c->is_wide && o < c->out_channels; o++) {
        int64_t sum = 0;

        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < c->n_taps; t++)
                sum += abs(weight_at(c, o, i, t));
        sum *= largest;
        sum += llabs((long long)plan_output_offset(c->plan, (int)(c->node - c->plan->graph->nodes), o));
        if (c->weights->bias_codes != NULL)
            sum += llabs((long long)c->weights->bias_codes[o]);
        if (sum > INT32_MAX)
            return error_set(err, EX_UNAVAILABLE,
                             "node \"%s\": output channel %zu can reach %lld, which a 32-bit accumulator cannot hold",
                             c->node->name, o, (long long)sum);
    }
    return 0;
}

/* A byte is its code less the lowest one. */
static int make_byte_offsets(struct sim_conv *c, struct error *err)
{
    c->byte_offsets = memory_create(c->out_channels, sizeof *c->byte_offsets, "channels", err);
    for (size_t o = 0; c->byte_offsets != NULL && c->are_bytes && o < c->out_channels; o++) {
        uint32_t sum = 0;

        for (size_t i = 0; i < c->group_in; i++)
            for (size_t t = 0; t < c->n_taps; t++)
                sum += (uint32_t)weight_at(c, o, i, t);
        c->byte_offsets[o] = (int32_t)(sum * (uint32_t)c->in_codes.lowest);
    }
    return c->byte_offsets == NULL ? -1 : 0;
}

static int make_taps(struct sim_conv *c, struct error *err)
{
    size_t stride = c->in_channels + INT_GEMM_PANEL;

    c->taps = memory_create(c->n_taps * stride, sizeof *c->taps, "taps", err);
    for (size_t ch = 0; c->taps != NULL && ch < c->in_channels; ch++)
        for (size_t t = 0; t < c->n_taps; t++)
            c->taps[t * stride + ch] = weight_at(c, ch, 0, t);
    c->tap_rows = memory_create(c->n_taps, sizeof *c->tap_rows, "taps", err);
    c->tap_weights = memory_create(c->n_taps, sizeof *c->tap_weights, "taps", err);
    return c->taps == NULL || c->tap_rows == NULL || c->tap_weights == NULL ? -1 : 0;
}

int sim_conv_make_weights(struct sim_conv *c, struct error *err)
{
    size_t halves = c->is_wide ? SIM_HALVES : 1;

    if (make_byte_offsets(c, err) != 0)
        return -1;
    if (c->is_depthwise)
        return make_taps(c, err);
    c->packed = memory_create(c->group * halves, sizeof *c->packed, "packed weights", err);
    if (c->packed == NULL)
        return -1;
    for (size_t i = 0; i < c->group * halves; i++)
        if (pack_group(c, i / halves, i % halves, &c->packed[i], err) != 0)
            return -1;
    return 0;
}
