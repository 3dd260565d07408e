/* plan_shift.c — see plan_shift.h.
 *
 * The weight codes carry input scale / output scale as well, so a weight's step follows from the activations'
 * thresholds; a larger shift is a finer step. Source: BM1684's lowering in SOPHON's public compiler.
 */
#include "coordinator/plan_shift.h"

#include <math.h>

static const double most_saturated = 0.03; /* of biases */

static bool biases_fit(const struct plan *plan, const struct plan_layer *layer, size_t i, double step)
{
    bool is_whole = layer->n_scales == 1;
    size_t first = is_whole ? 0 : i, end = is_whole ? layer->out_channels : i + 1, n_beyond = 0;

    if (layer->bias == NULL || plan->profile->bias_limit == 0)
        return true;
    for (size_t channel = first; channel < end; channel++)
        n_beyond += fabs((double)layer->bias[channel]) > plan->profile->bias_limit * step;
    return (double)n_beyond <= most_saturated * (double)(end - first);
}

float plan_shift_step(const struct plan *plan, const struct plan_layer *layer, size_t i, double max_abs,
                      bool *saturates)
{
    const struct plan_value *output = &plan->values[layer->node->outputs[0]];
    double out_scale = (double)output->scale[output->n_scales == 1 ? 0 : i];
    double largest = max_abs * plan_layer_input_scale(layer, i) / out_scale, limit = plan->profile->weight_limit;
    int n = 0;

    while (n < plan->profile->largest_shift && ldexp(largest, n + 1) < limit)
        n++;
    while (n > 0 && !biases_fit(plan, layer, i, ldexp(out_scale, -n)))
        n--;
    *saturates = largest >= limit;
    return ldexpf((float)out_scale, -n);
}
