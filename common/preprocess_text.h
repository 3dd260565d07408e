/* preprocess_text.h — a preprocessing chain in the words of the job file.
 */
#ifndef ETALON_PREPROCESS_TEXT_H
#define ETALON_PREPROCESS_TEXT_H

#include "common/preprocess_plan.h"

#include <stdio.h>

extern const char *const resize_filter_names[N_FILTERS];
extern const char *const channel_order_names[N_CHANNEL_ORDERS];

/* An item of `preprocess:` a line, each behind `indent`: what is printed can stand in a job file, and means the same
 * bits there. */
void preprocess_print(const struct preprocess_plan *plan, const char *indent, FILE *out);

#endif
