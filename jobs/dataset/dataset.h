/* dataset.h — the verbs behind `etalon dataset`: a new one is one file in jobs/dataset/ and one word in
 * jobs/CMakeLists.txt.
 */
#ifndef ETALON_JOBS_DATASET_H
#define ETALON_JOBS_DATASET_H

#include "coordinator/comm.h"
#include "formats/record.h"
#include "jobs/options.h"

struct dataset_verb {
    const char *name;
    bool is_parallel; /* all ranks run it; otherwise only rank 0 does */
    /* argv[0] is the name; with --help it prints its page. 0, or -1 with err. */
    int (*run)(const struct comm *comm, int argc, char **argv, struct error *err);
};

/* A whole number option; NULL leaves *value alone. EX_USAGE. */
int dataset_number(const char *option, const char *text, uint64_t *value, struct error *err);

/* The words for `layout` and `channels`, on the command line and in a job; schema_dataset.c. */
enum { DATASET_LAYOUTS = 2, DATASET_ORDERS = 3 };
extern const char *const dataset_layouts[DATASET_LAYOUTS]; /* the second: interleaved */
extern const char *const dataset_orders[DATASET_ORDERS];
extern const enum pixel_order dataset_order_values[DATASET_ORDERS];

/* The options with which a verb is told what its dataset is. */
struct dataset_source {
    const char *kind, *list, *limit, *shape, *dtype, *layout, *channels;
};
#define DATASET_ARRAY_OPTIONS(s)                                                                                       \
    {"shape", 0, OPTION_TEXT, &(s)->shape, "DIMS", "bin, txt: of a record, such as 3x224x224"},                        \
        {"dtype", 0, OPTION_TEXT, &(s)->dtype, "TYPE", "bin: of its numbers (default float32)"},                       \
        {"layout", 0, OPTION_TEXT, &(s)->layout, "WORD", "arrays: chw (default) or hwc"},                              \
    {                                                                                                                  \
        "channels", 0, OPTION_TEXT, &(s)->channels, "WORD", "arrays: pictures in gray, rgb or bgr"                     \
    }
#define DATASET_SOURCE_OPTIONS(s)                                                                                      \
    {"kind", 0, OPTION_TEXT, &(s)->kind, "KIND", "as dataset.kind of a job; else told by what lies there"},            \
        {"list", 0, OPTION_TEXT, &(s)->list, "FILE", "images: \"path label\" a line"}, DATASET_ARRAY_OPTIONS(s),       \
    {                                                                                                                  \
        "limit", 0, OPTION_TEXT, &(s)->limit, "N", "the first N records only"                                          \
    }
/* What `path` and the options ask for; borrows from both. EX_USAGE, EX_NOINPUT. */
int dataset_source_request(const struct dataset_source *source, const char *path, struct dataset_request *request,
                           struct error *err);

#endif
