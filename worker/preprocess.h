/* preprocess.h — from a record to the network's input. One operation a file in worker/preprocess/.
 */
#ifndef ETALON_PREPROCESS_H
#define ETALON_PREPROCESS_H

#include "common/preprocess_plan.h"
#include "formats/record.h"

/* Scratch of one thread; grows to the largest record seen, then stays. */
struct preprocessor;
/* `plan` is borrowed. out_shape: CHW (rank 3), or rank 1 / any rank for tensors: only the count and, for images, the
 * channels, height and width must match. */
struct preprocessor *preprocessor_create(const struct preprocess_plan *plan, const struct shape *out_shape,
                                         struct error *err);
void preprocessor_destroy(struct preprocessor *preprocessor); /* NULL is allowed */

/* What of an image it will look at: for record.wish, so that no more is decoded. Borrowed. */
const struct image_wish *preprocessor_wish(const struct preprocessor *preprocessor);

/* out[elements of out_shape], CHW. EX_DATAERR naming record->key: wrong channels or size ("expected 3x32x32, found
 * 1x28x28"), NaN or Inf in the input. */
int preprocess(struct preprocessor *preprocessor, const struct record *record, float *out, struct error *err);

#endif
