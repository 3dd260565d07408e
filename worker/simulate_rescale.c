/* simulate_rescale.c — what the profile makes of exact accumulators: codes of the output, or reals.
 *
 * Whatever the form, an output channel is first written as a row of floats: multiples of the output's step, or reals
 * where the target computes with these. The integer forms give whole numbers, which float32 holds exactly once they are
 * bounded; the fused activation and the saturation to codes are then the same for all.
 */
#include "worker/simulate_conv.h"

/* The factor as the form has it. Where it is a shift alone, the plan's scales make it a power of two. */
static struct multiplier multiplier_for(const struct profile *profile, double factor)
{
    switch (profile->requantization) {
    case REQUANTIZE_Q31:
    case REQUANTIZE_Q31_TWICE:
        return multiplier_of_31_bits(factor);
    case REQUANTIZE_MULTIPLIER:
    case REQUANTIZE_SHIFT:
        return multiplier_of_bits(factor, profile->requantization == REQUANTIZE_SHIFT ? 8 : profile->multiplier_bits);
    default:
        return (struct multiplier){0, 0};
    }
}

static struct rescale channel_rescale(const struct sim_conv *c, size_t channel)
{
    const struct plan_node *w = c->weights;
    const struct plan_value *out = &c->plan->values[c->output_value];
    const struct profile *profile = c->plan->profile;
    struct rescale r = {.acc_scale = w->acc_scale[w->n_weight_scales == 1 ? 0 : channel], .out_scale = 1};

    if (w->bias_codes == NULL && w->bias != NULL)
        sim_store_reals(profile, &w->bias[channel], 1, &r.bias);
    r.bias_code = w->bias_codes == NULL ? 0 : w->bias_codes[channel];
    r.bias_code += (int32_t)plan_output_offset(c->plan, (int)(c->node - c->plan->graph->nodes), channel);
    if (!sim_is_coded(c->plan, c->output_value)) /* reals are wanted: no form but this gives them */
        return r;
    r.out_scale = out->scale[out->n_scales == 1 ? 0 : channel];
    r.form = profile->requantization;
    r.rounding = profile->requantization_rounding;
    r.multiplier = multiplier_for(profile, (double)r.acc_scale / (double)r.out_scale);
    return r;
}

/* Some pixels of one output channel. */
struct stretch {
    size_t first, n; /* pixels */
    size_t column;   /* of the accumulators */
};

/* row[i] = (sum + bias code) x factor + bias: the accumulator is rounded to float once, as chips do above 2^24. */
static void scale_sums(const struct sim_conv *c, struct stretch s, int32_t bias_code, float factor, float bias)
{
    size_t at = s.first * c->sum_stride + s.column;

    if (c->is_wide) {
        for (size_t i = 0; i < s.n; i++)
            c->row[i] = (float)(c->wide_sums[at + i * c->sum_stride] + bias_code) * factor + bias;
        return;
    }
    for (size_t i = 0; i < s.n; i++)
        c->row[i] = (float)(c->sums[at + i * c->sum_stride] + bias_code) * factor + bias;
}

static void multiply_sums(const struct sim_conv *c, struct stretch s, const struct rescale *r)
{
    const int64_t bound = 1 << 20; /* beyond every code */

    for (size_t i = 0; i < s.n; i++) {
        size_t at = (s.first + i) * c->sum_stride + s.column;
        int64_t sum = (c->is_wide ? c->wide_sums[at] : c->sums[at]) + r->bias_code;
        int64_t steps = r->form == REQUANTIZE_Q31_TWICE ? multiplier_apply_twice(sum, r->multiplier)
                                                        : multiplier_apply(sum, r->multiplier, r->rounding);

        c->row[i] = (float)(steps > bound ? bound : steps < -bound ? -bound : steps);
    }
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

static void apply_fused(const struct sim_conv *c, size_t n, struct activation fused, bool in_steps, float out_scale)
{
    if (c->plan->profile->float_type == FLOAT_TYPE_FP16 && !in_steps)
        sim_round_to_half(c->row, n);
    for (size_t i = 0; fused.kind != ACTIVATION_NONE && i < n; i++)
        c->row[i] = in_steps ? apply_on_steps(fused, c->row[i], out_scale) : activation_apply(fused, c->row[i]);
}

/* to: the pixels of this stretch, codes or floats. */
static void rescale_stretch(struct sim_conv *c, struct stretch s, const struct rescale *r, void *to)
{
    const struct plan_value *out = &c->plan->values[c->output_value];
    const struct profile *profile = c->plan->profile;
    struct activation fused = out->hides_zero_point ? (struct activation){0} : c->node->fused; /* saturation is it */
    bool in_steps = r->form != REQUANTIZE_DEQUANTIZED;

    if (r->form == REQUANTIZE_DEQUANTIZED)
        scale_sums(c, s, r->bias_code, r->acc_scale, r->bias);
    else if (r->form == REQUANTIZE_RATIO)
        scale_sums(c, s, r->bias_code, r->acc_scale / r->out_scale, r->bias / r->out_scale);
    else
        multiply_sums(c, s, r);
    apply_fused(c, s.n, fused, in_steps, r->out_scale);
    if (sim_is_coded(c->plan, c->output_value))
        sim_value_codes(c->row, s.n, in_steps ? 1 : r->out_scale, out, profile->activation_rounding, to);
    else
        sim_store_reals(profile, c->row, s.n, to);
}

void sim_conv_prepare(struct sim_conv *c)
{
    for (size_t channel = 0; channel < c->out_channels; channel++)
        c->rescales[channel] = channel_rescale(c, channel);
}

void sim_conv_rescale(struct sim_conv *c, void *output)
{
    size_t pixels = c->out_height * c->out_width;
    size_t item = sim_is_coded(c->plan, c->output_value) ? sizeof(int16_t) : sizeof(float);

    for (size_t first = 0; first < pixels; first += RESCALED_PIXELS) {
        struct stretch s = {.first = first, .n = pixels - first};

        s.n = s.n < RESCALED_PIXELS ? s.n : RESCALED_PIXELS;
        for (size_t channel = 0; channel < c->out_channels; channel++) {
            s.column = sim_conv_column(c, channel);
            rescale_stretch(c, s, &c->rescales[channel], (char *)output + (channel * pixels + first) * item);
        }
    }
}
