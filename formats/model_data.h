/* model_data.h — what the file of a model says itself of its data: where the records are, and what is done to them in
 * front of the network. Caffe's data layers do.
 */
#ifndef ETALON_MODEL_DATA_H
#define ETALON_MODEL_DATA_H

#include "common/preprocess_plan.h"
#include "formats/model.h"
#include "formats/record.h"

enum model_data_part { MODEL_DATA_PREPROCESS = 1, MODEL_DATA_RECORDS = 2 };

struct model_data {
    const char *origin; /* who says it, for messages: layer "mnist" (Data). NULL: the file says nothing */
    bool has_preprocess;
    struct preprocess_plan preprocess;
    struct dataset_request records; /* kind NULL: nothing was said or asked */
    uint64_t batch;                 /* records at once, as the file has it; 0: not said */
};

/* What is said of the first input of `graph`, which was imported from `request`; of the parts (a sum of
 * model_data_part) that are asked for, and what is wrong with others is no error. Relative paths start at the model's
 * folder, or, where only that exists, at the current one. Strings live in the graph's arena. EX_DATAERR: it contradicts
 * itself; EX_UNAVAILABLE: it asks for what we cannot do. Every message starts with the file's path. */
int model_describe_data(const struct model_request *request, const struct graph *graph, unsigned parts,
                        struct model_data *data, struct error *err);

#endif
