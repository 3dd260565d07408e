/* show_model.h — a model for `etalon inspect`: as a table for people, or as JSON.
 */
#ifndef ETALON_SHOW_MODEL_H
#define ETALON_SHOW_MODEL_H

#include "common/passes.h"
#include "formats/model_data.h"

/* Normalises `graph` and prints a line a pass that changed something, then those that had nothing to do. */
int show_passes(struct graph *graph, FILE *out, struct error *err);

/* The graph as one JSON object; with_passes normalises it first and adds what each pass did, `data` (NULL: nothing)
 * what the model says of its records and what is done to them. */
int show_json(struct graph *graph, const struct model_data *data, bool with_passes, FILE *out, struct error *err);

#endif
