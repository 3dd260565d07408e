/* simulate_rescale.c — what the profile makes of exact accumulators: codes of the output, or reals.
 *
 * Whatever the form, sums first become floats: multiples of the output's step, or reals where the target computes with
 * these. The integer forms give whole numbers, which float32 holds exactly once they are bounded; the fused activation
 * and the saturation to codes are then the same for all. Loops run along channels, whose constants lie in arrays; the
 * folder's CMakeLists.txt compiles this file for vectors of them.
 */
#include "worker/simulate_conv.h"

#include "common/isa.h"
#include "common/memory.h"

#include <math.h>
#include <string.h>

enum { STRIDE = INT_GEMM_PANEL };

/* Does the output count multiples of its step before the fused activation? */
static bool is_in_steps(const struct sim_conv *c)
{
    return c->rescale.form != REQUANTIZE_DEQUANTIZED;
}

int sim_conv_make_rescale(struct sim_conv *c, struct error *err)
{
    struct rescale *r = &c->rescale;
    size_t n = c->out_channels + INT_GEMM_PANEL;

    /* where reals are wanted, no form but the first gives them */
    r->form = sim_is_coded(c->plan, c->output_value) ? c->plan->profile->requantization : REQUANTIZE_DEQUANTIZED;
    r->bias_code = memory_create(n, sizeof *r->bias_code, "channels", err);
    r->factor = memory_create(n, sizeof *r->factor, "channels", err);
    r->bias = memory_create(n, sizeof *r->bias, "channels", err);
    r->out_scale = memory_create(n, sizeof *r->out_scale, "channels", err);
    r->m = memory_create(n, sizeof *r->m, "channels", err);
    r->shift = memory_create(n, sizeof *r->shift, "channels", err);
    r->before = memory_create(n, sizeof *r->before, "channels", err);
    r->before_negative = memory_create(n, sizeof *r->before_negative, "channels", err);
    return r->bias_code == NULL || r->factor == NULL || r->bias == NULL || r->out_scale == NULL || r->m == NULL ||
                   r->shift == NULL || r->before == NULL || r->before_negative == NULL
               ? -1
               : 0;
}

/* The factor as the form has it. Where it is a shift alone, the plan's scales make it a power of two. */
static struct multiplier multiplier_for(const struct profile *profile, enum requantization form, double factor)
{
    switch (form) {
    case REQUANTIZE_Q31:
    case REQUANTIZE_Q31_TWICE:
        return multiplier_of_31_bits(factor);
    case REQUANTIZE_MULTIPLIER:
    case REQUANTIZE_SHIFT:
        return multiplier_of_bits(factor, form == REQUANTIZE_SHIFT ? 8 : profile->multiplier_bits);
    default:
        return (struct multiplier){0, 1};
    }
}

/* See multiply_simply. */
static void prepare_rounding(struct rescale *r, size_t channel, enum rounding rounding)
{
    int64_t half = INT64_C(1) << (r->shift[channel] - 1);

    r->before[channel] = rounding == ROUND_HALF_UP || rounding == ROUND_HALF_AWAY ? half
                         : rounding == ROUND_HALF_EVEN                            ? half - 1
                                                                                  : 0;
    r->before_negative[channel] = rounding == ROUND_HALF_AWAY ? -1 : rounding == ROUND_TOWARD_ZERO ? 2 * half - 1 : 0;
    r->ties_go_to_even = rounding == ROUND_HALF_EVEN;
}

/* Bytes lack their lowest code; modulo 2^32, like the sums. */
static inline int32_t complete(int32_t sum, int32_t byte_offset, int32_t bias_code)
{
    return (int32_t)((uint32_t)sum + (uint32_t)byte_offset + (uint32_t)bias_code);
}

static void prepare_channel(struct sim_conv *c, size_t channel)
{
    const struct plan_node *w = c->weights;
    const struct plan_value *out = &c->plan->values[c->output_value];
    const struct profile *profile = c->plan->profile;
    struct rescale *r = &c->rescale;
    float acc_scale = w->acc_scale[w->n_weight_scales == 1 ? 0 : channel], bias = 0;
    int64_t offset = plan_output_offset(c->plan, (int)(c->node - c->plan->graph->nodes), channel);
    struct multiplier multiplier;

    if (w->bias_codes == NULL && w->bias != NULL)
        sim_store_reals(profile, &w->bias[channel], 1, &bias);
    r->bias_code[channel] = complete((int32_t)offset, 0, w->bias_codes == NULL ? 0 : w->bias_codes[channel]);
    r->out_scale[channel] = sim_is_coded(c->plan, c->output_value) ? out->scale[out->n_scales == 1 ? 0 : channel] : 1;
    multiplier = multiplier_for(profile, r->form, (double)acc_scale / (double)r->out_scale[channel]);
    r->m[channel] = multiplier.m;
    r->shift[channel] = multiplier.shift;
    if (multiplier.shift > 0 && multiplier.shift < 63)
        prepare_rounding(r, channel, profile->requantization_rounding);
    else
        r->shifts_are_simple = false;
    if (r->form == REQUANTIZE_RATIO) {
        r->factor[channel] = acc_scale / r->out_scale[channel];
        r->bias[channel] = bias / r->out_scale[channel];
    } else {
        r->factor[channel] = acc_scale;
        r->bias[channel] = bias;
    }
}

void sim_conv_prepare(struct sim_conv *c)
{
    c->rescale.shifts_are_simple = true;
    for (size_t channel = 0; channel < c->out_channels; channel++)
        prepare_channel(c, channel);
}

/* ---- sums to floats: rows of STRIDE, n channels of each ---- */

/* (sum + bias code) x factor + bias: the accumulator is rounded to float once, as chips do above 2^24. */
ISA_CLONES static void scale_sums(const int32_t *restrict sums, const int32_t *restrict byte_offset,
                                  const struct rescale *r, size_t rows, size_t first, size_t n, float *restrict out)
{
    const int32_t *restrict bias_code = r->bias_code + first;
    const float *restrict factor = r->factor + first, *restrict bias = r->bias + first;

    for (size_t i = 0; i < rows; i++, sums += STRIDE, out += STRIDE)
        for (size_t o = 0; o < n; o++)
            out[o] = (float)complete(sums[o], byte_offset[o], bias_code[o]) * factor[o] + bias[o];
}

static void scale_wide_sums(const int64_t *sums, const struct rescale *r, size_t rows, size_t first, size_t n,
                            float *out)
{
    for (size_t i = 0; i < rows; i++, sums += STRIDE, out += STRIDE)
        for (size_t o = 0; o < n; o++)
            out[o] = (float)(sums[o] + r->bias_code[first + o]) * r->factor[first + o] + r->bias[first + o];
}

static float bounded(int64_t steps)
{
    const int64_t bound = 1 << 20; /* beyond every code */

    return (float)(steps > bound ? bound : steps < -bound ? -bound : steps);
}

/* multiplier_apply for |sum| < 2^31, |m| < 2^31 and 0 < shift < 63: products fit 64 bits. A bare shift rounds toward
 * minus infinity; what is added first (`before`, `before_negative`, and the last bit of the quotient where ties go to
 * even) makes it the mode asked for. */
ISA_CLONES static void multiply_simply(const int32_t *restrict sums, const int32_t *restrict byte_offset,
                                       const struct rescale *r, size_t rows, size_t first, size_t n,
                                       float *restrict out)
{
    const int32_t *restrict bias_code = r->bias_code + first;
    const int64_t *restrict m = r->m + first, *restrict shift = r->shift + first, *restrict before = r->before + first,
                            *restrict before_negative = r->before_negative + first;
    const int64_t even = r->ties_go_to_even ? 1 : 0;

    for (size_t i = 0; i < rows; i++, sums += STRIDE, out += STRIDE)
        for (size_t o = 0; o < n; o++) {
            int64_t x = complete(sums[o], byte_offset[o], bias_code[o]) * m[o];
            int64_t added = before[o] + (x < 0 ? before_negative[o] : 0) + (x >> shift[o] & even);

            out[o] = bounded((x + added) >> shift[o]);
        }
}

static void multiply_sums(const struct sim_conv *c, size_t rows, size_t first, size_t n)
{
    const struct rescale *r = &c->rescale;
    enum rounding rounding = c->plan->profile->requantization_rounding;

    if (!c->is_wide && r->form != REQUANTIZE_Q31_TWICE && r->shifts_are_simple) {
        multiply_simply(c->tile->sums[0], c->byte_offsets + first, r, rows, first, n, c->tile->steps);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t o = 0; o < n; o++) {
            struct multiplier by = {(int32_t)r->m[first + o], (int)r->shift[first + o]};
            int64_t sum = c->is_wide ? c->tile->wide_sums[i * STRIDE + o] + r->bias_code[first + o]
                                     : complete(c->tile->sums[0][i * STRIDE + o], c->byte_offsets[first + o],
                                                r->bias_code[first + o]);

            c->tile->steps[i * STRIDE + o] =
                bounded(r->form == REQUANTIZE_Q31_TWICE ? multiplier_apply_twice(sum, by)
                                                        : multiplier_apply(sum, by, rounding));
        }
}

/* ---- the fused activation, and what is stored ---- */

/* ReLU and clip act on multiples of the output step, as chips do; other activations need the real value. */
ISA_CLONES static void clip_steps(float *restrict x, size_t rows, size_t n, struct activation a,
                                  const float *restrict out_scale)
{
    float low[STRIDE], high[STRIDE];

    for (size_t o = 0; o < n; o++) {
        low[o] = a.alpha / out_scale[o];
        high[o] = a.beta / out_scale[o];
    }
    for (size_t i = 0; i < rows; i++, x += STRIDE)
        for (size_t o = 0; o < n; o++)
            x[o] = x[o] < low[o] ? low[o] : x[o] > high[o] ? high[o] : x[o];
}

static void activate_steps(float *x, size_t rows, size_t n, struct activation a, const float *out_scale)
{
    for (size_t i = 0; i < rows; i++, x += STRIDE)
        for (size_t o = 0; o < n; o++)
            x[o] = activation_apply(a, x[o] * out_scale[o]) / out_scale[o];
}

static void apply_fused(const struct sim_conv *c, size_t rows, size_t first, size_t n, struct activation fused)
{
    const float *out_scale = c->rescale.out_scale + first;

    if (c->plan->profile->float_type == FLOAT_TYPE_FP16 && !is_in_steps(c))
        sim_round_to_half(c->tile->steps, rows * STRIDE);
    if (fused.kind == ACTIVATION_NONE || fused.kind == ACTIVATION_RELU)
        sim_activate(fused, c->tile->steps, rows * STRIDE);
    else if (!is_in_steps(c))
        for (size_t i = 0; i < rows; i++)
            sim_activate(fused, c->tile->steps + i * STRIDE, n);
    else if (fused.kind == ACTIVATION_CLIP)
        clip_steps(c->tile->steps, rows, n, fused, out_scale);
    else
        activate_steps(c->tile->steps, rows, n, fused, out_scale);
}

static void store_codes(const struct sim_conv *c, size_t rows, size_t first, size_t n, void *output)
{
    const struct plan_value *out = &c->plan->values[c->output_value];
    struct sim_quantizer quantizer = sim_quantizer_of(out, c->plan->profile->activation_rounding);

    if (!is_in_steps(c)) {
        quantizer.scale = out->scale[0];
        quantizer.scales = out->n_scales == 1 ? NULL : c->rescale.out_scale + first;
    }
    sim_quantize_rows((struct sim_rows){.x = c->tile->steps,
                                        .out = (char *)output + first * c->out_item,
                                        .n = rows,
                                        .length = n,
                                        .x_stride = STRIDE,
                                        .out_stride = c->out_channels},
                      &quantizer);
}

void sim_conv_rescale(struct sim_conv *c, size_t n, size_t first, size_t channels, void *output)
{
    const struct rescale *r = &c->rescale;
    bool is_hidden = c->plan->values[c->output_value].hides_zero_point; /* then saturation is the activation */

    if (is_in_steps(c) && r->form != REQUANTIZE_RATIO)
        multiply_sums(c, n, first, channels);
    else if (c->is_wide)
        scale_wide_sums(c->tile->wide_sums, r, n, first, channels, c->tile->steps);
    else
        scale_sums(c->tile->sums[0], c->byte_offsets + first, r, n, first, channels, c->tile->steps);
    apply_fused(c, n, first, channels, is_hidden ? (struct activation){0} : c->node->fused);
    if (sim_is_coded(c->plan, c->output_value))
        store_codes(c, n, first, channels, output);
    else
        for (size_t i = 0; i < n; i++)
            sim_store_reals(c->plan->profile, c->tile->steps + i * STRIDE, channels,
                            (float *)output + i * c->out_channels + first);
}
