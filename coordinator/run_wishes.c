/* run_wishes.c — what a job's methods and targets want of the run; see run.h. */
#include "coordinator/run.h"

unsigned run_collects(const struct run_request *q)
{
    unsigned kinds = q->calibration.activations->wants | q->calibration.weights->wants;

    for (size_t i = 0; i < q->calibration.n_overrides; i++)
        if (q->calibration.overrides[i].activations != NULL)
            kinds |= q->calibration.overrides[i].activations->wants;
    return kinds;
}

/* As the job wants it, or as the target has no more. */
static bool weights_have_one_scale(const struct run_request *q, const struct profile *profile)
{
    return q->calibration.granularity == GRANULARITY_PER_TENSOR || !profile->per_channel_weights;
}

/* With a scale for each output channel there is nothing to gain, and activations get less even. */
bool run_equalizes(const struct run_request *q, const struct profile *profile)
{
    return q->calibration.equalization == EQUALIZATION_AUTO ? weights_have_one_scale(q, profile)
                                                            : q->calibration.equalization == EQUALIZATION_WEIGHTS;
}

/* One scale a tensor leaves steps that are coarse for most channels: there it gained on every network. Elsewhere
 * figures differ by less than their errors. Without a simulation nothing else needs the data. */
bool run_rounds_by_output(const struct run_request *q, const struct profile *profile)
{
    return q->calibration.rounding == WEIGHT_ROUNDING_AUTO
               ? q->calibration.bias_correction == BIAS_CORRECTION_SIMULATED && weights_have_one_scale(q, profile)
               : q->calibration.rounding == WEIGHT_ROUNDING_OUTPUT;
}

enum equalized_targets run_equalized_targets(const struct run_request *q)
{
    size_t n = 0;

    for (size_t i = 0; i < q->n_targets; i++)
        n += run_equalizes(q, target_profile(q->targets[i], &q->target_settings));
    return n == 0 ? EQUALIZED_NONE : n < q->n_targets ? EQUALIZED_SOME : EQUALIZED_ALL;
}

bool run_has_short_biases(const struct run_request *q)
{
    for (size_t i = 0; i < q->n_targets; i++) {
        const struct profile *profile = target_profile(q->targets[i], &q->target_settings);

        if (profile->bias_limit > 0 && run_equalizes(q, profile))
            return true;
    }
    return false;
}
