/* metric.h — what an evaluation counts of a network's first output, beside the errors of its activations
 * (../metrics.h).
 *
 * A metric is a file here and a word in METRICS of worker/CMakeLists.txt. Its state is 64-bit words that start at 0 and
 * merge by addition, so that counts are the same for any number of threads and ranks, in any order.
 */
#ifndef ETALON_METRIC_H
#define ETALON_METRIC_H

#include "common/tensor.h"
#include "worker/metrics.h"

#include <math.h>

/* What is known before the first record. */
struct metric_task {
    struct shape output; /* of one record, its batch dim being 1 */
    bool are_probabilities;
    size_t n_top_k, top_k[METRICS_MAX_TOP];
    bool is_segmentation; /* a class for every pixel is asked for */
    bool has_label_maps;  /* and the data set tells it */
};

/* One record's output of one network. */
struct metric_sample {
    const float *output, *fp32; /* [elements of the output]; the same for the fp32 network itself */
    int64_t label;              /* -1: none */
    const float *label_map;     /* [pixels]: the class of each, or -1 where it does not count; NULL: not known */
};

enum { METRIC_MAX_COLUMNS = 8, METRIC_HEADING_BYTES = 16, METRIC_REMARK_BYTES = 128 };

struct metric_column { /* of the table */
    char heading[METRIC_HEADING_BYTES];
    int width;
    double value; /* NaN: not known */
};

/* Where results go by name. Numbers that are not finite are not known. */
struct metric_sink {
    void *context;
    void (*number)(void *context, const char *name, double value);
    void (*count)(void *context, const char *name, uint64_t value);
    void (*numbers)(void *context, const char *name, const double *values, size_t n);
    void (*matrix)(void *context, const char *name, const uint64_t *values, size_t rows, size_t columns);
};

struct metric {
    const char *name;
    /* Optional. EX_CONFIG: the job asks for it, and the output is of another kind. */
    int (*check)(const struct metric_task *task, struct error *err);
    /* Of its state; 0: it has nothing to say of such an output. */
    size_t (*words)(const struct metric_task *task);
    void (*add)(const struct metric_task *task, const struct metric_sample *sample, uint64_t *state);
    void (*normalise)(
        uint64_t *state); /* optional: equal states have equal words afterwards, and sums do not overflow */
    /* Results in percent. Those of the fp32 network itself leave out what is about fp32. columns returns how many. */
    size_t (*columns)(const struct metric_task *task, const uint64_t *state, bool is_fp32,
                      struct metric_column columns[METRIC_MAX_COLUMNS]);
    void (*remark)(const uint64_t *state, char text[METRIC_REMARK_BYTES]); /* optional: behind a target's columns */
    void (*tell)(const struct metric_task *task, const uint64_t *state, bool is_fp32, const struct metric_sink *sink);
};

extern const struct metric *const metrics[]; /* NULL-terminated */

/* 100 part / whole; NaN of nothing. */
static inline double metric_percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : 100.0 * (double)part / (double)whole;
}

/* Of all metrics, one after the other. */
int metrics_check(const struct metric_task *task, struct error *err);
size_t metrics_words(const struct metric_task *task);
void metrics_add(const struct metric_task *task, const struct metric_sample *sample, uint64_t *state);
void metrics_normalise(const struct metric_task *task, uint64_t *state);

#endif
