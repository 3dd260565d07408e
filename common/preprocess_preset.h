/* preprocess_preset.h — chains of preprocessing with a name, as Sophon's import tools have them (-p VGG and so on).
 *
 * Sizes are those of the network's input, so a name is a step of its own (STEP_PRESET) until the network is known; what
 * runs, and what the fingerprint is of, are the steps that it stands for.
 */
#ifndef ETALON_PREPROCESS_PRESET_H
#define ETALON_PREPROCESS_PRESET_H

#include "common/error.h"
#include "common/preprocess_plan.h"
#include "common/tensor.h"

/* Puts its steps in the place of each preset of the plan. `input`: of the network, N x 3 x H x W. EX_CONFIG: of another
 * form; more than PREPROCESS_MAX_STEPS. A plan without presets stays as it is. */
int preprocess_expand(struct preprocess_plan *plan, const struct shape *input, struct error *err);

#endif
