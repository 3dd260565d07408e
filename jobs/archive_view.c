/* archive_view.c — see archive_view.h. */
#include "jobs/archive_view.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add(struct value_range *range, const struct histogram *h)
{
    range->n += h->n;
    range->zeros += h->zeros;
    range->nans += h->nans;
    range->infs += h->positive_infs + h->negative_infs;
    range->min = h->min < range->min ? h->min : range->min;
    range->max = h->max > range->max ? h->max : range->max;
}

struct value_range archive_value_range(const struct archive_value *value)
{
    struct value_range range = {.min = INFINITY, .max = -INFINITY};

    if (value->histogram.bins > 0)
        add(&range, &value->histogram);
    for (size_t c = 0; value->histogram.bins == 0 && c < value->channels; c++)
        add(&range, &value->per_channel[c]);
    return range;
}

/* The searches, whose rows are of the values that have a histogram, and each to its value's place. */
static int search(const struct archive *archive, struct job *job, const struct histogram **histograms,
                  struct method_thresholds *found, struct error *err)
{
    const struct comm alone = {.size = 1};
    float *rows, *row;
    size_t n = 0;

    for (size_t v = 0; v < archive->n_values; v++)
        if (archive->values[v].histogram.bins > 0)
            histograms[n++] = &archive->values[v].histogram;
    if (compare_methods(&alone, histograms, n, job_request(job)->calibration.percentile, &rows, err) != 0)
        return -1;
    row = rows;
    for (size_t v = 0; v < archive->n_values; v++)
        if (archive->values[v].histogram.bins > 0) {
            memcpy(found->thresholds + v * found->n_methods, row, found->n_methods * sizeof *row);
            row += found->n_methods;
        }
    free(rows);
    return 0;
}

int archive_thresholds(const struct archive *archive, struct job *job, struct method_thresholds *found,
                       struct error *err)
{
    static const char what[] = "the thresholds of all methods";
    const struct histogram **histograms = memory_create(archive->n_values, sizeof *histograms, what, err);
    struct method_thresholds new = {.n_methods = compared_methods(NULL)};
    int rc = -1;

    new.methods = histograms == NULL ? NULL : memory_create(new.n_methods, sizeof *new.methods, what, err);
    if (new.methods != NULL)
        new.thresholds = memory_create(archive->n_values, new.n_methods * sizeof *new.thresholds, what, err);
    if (new.thresholds != NULL) {
        compared_methods(new.methods);
        rc = search(archive, job, histograms, &new, err);
    }
    free(histograms);
    if (rc != 0)
        method_thresholds_fini(&new);
    else
        *found = new;
    return rc;
}

void method_thresholds_fini(struct method_thresholds *found)
{
    free(found->methods);
    free(found->thresholds);
    *found = (struct method_thresholds){0};
}

struct job *archive_job(const struct archive *archive, struct error *err)
{
    return job_from_archive(archive, &(struct emit_request){.model = "model.onnx", .output = "."}, err);
}
