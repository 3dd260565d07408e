/* model_options.h — the options of verbs that read a model without a job: what `model:` says in a job file.
 */
#ifndef ETALON_MODEL_OPTIONS_H
#define ETALON_MODEL_OPTIONS_H

#include "formats/model.h"
#include "jobs/options.h"

struct model_options {
    const char *weights;
    struct option_list inputs, ends, removed_names, removed_types, kept;
    bool is_normalised;
    const char *batch; /* of `convert` only, which writes */
    bool is_separate;
    struct option_list separate;
};

/* Rows for a verb's table of options. */
#define MODEL_OPTIONS(m)                                                                                               \
    {"weights", 0, OPTION_TEXT, &(m)->weights, "FILE", "the weights, where the model has two files"},                  \
        {"input", 0, OPTION_LIST, &(m)->inputs, "NAME=SHAPE", "the shape of an input that the model leaves open"},     \
        {"end", 0, OPTION_LIST, &(m)->ends, "VALUE", "the network ends at this value"},                                \
        {"remove-node", 0, OPTION_LIST, &(m)->removed_names, "NAME", "leave out this node at an input or output"},     \
        {"remove-type", 0, OPTION_LIST, &(m)->removed_types, "TYPE", "leave out such nodes there, e.g. Softmax"},      \
        {"keep", 0, OPTION_LIST, &(m)->kept, "PATTERN", "fold and fuse no nodes of such names"},                       \
    {                                                                                                                  \
        "normalised", 0, OPTION_FLAG, &(m)->is_normalised, NULL, "after folding and fusing, as the engine runs it"     \
    }

/* Imports `file` as the options say, and normalises it where they do. Owned by the caller; NULL on failure, with advice
 * in the options' words. EX_USAGE: a shape that cannot be read, no such type of node, a batch to be split that is none.
 */
struct graph *model_options_import(const struct model_options *options, const char *file, struct error *err);

/* The request alone, for those who import later. Borrows from options and arena. EX_USAGE as above. */
int model_options_request(const struct model_options *options, const char *file, struct arena *arena,
                          struct model_request *request, struct error *err);

#endif
