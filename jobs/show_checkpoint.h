/* show_checkpoint.h — a PyTorch checkpoint for `etalon inspect`.
 */
#ifndef ETALON_SHOW_CHECKPOINT_H
#define ETALON_SHOW_CHECKPOINT_H

#include "formats/torch/torch.h"

#include <stdio.h>

/* Names, types and shapes of its tensors. EX_OSERR, EX_IOERR, for JSON only. */
int show_checkpoint(const struct torch_state *state, bool as_json, FILE *out, struct error *err);

#endif
