/* archive_view.h — what can be said of an archive beside what stands in it: found again from its counts.
 */
#ifndef ETALON_ARCHIVE_VIEW_H
#define ETALON_ARCHIVE_VIEW_H

#include "coordinator/compare_methods.h"
#include "formats/archive.h"
#include "jobs/job.h"

/* A value over all its channels, also where only these were counted. */
struct value_range {
    uint64_t n, zeros, nans, infs;
    float min, max; /* +Inf and -Inf where nothing finite was seen */
};

struct value_range archive_value_range(const struct archive_value *value);

/* thresholds[n_values][n_methods]; 0: nothing was seen, or per channel only. */
struct method_thresholds {
    size_t n_methods;
    const struct threshold_method **methods; /* [n_methods] */
    float *thresholds;
};

/* For signed int8, by each method that compare_methods compares; `job` is the archive's. EX_OSERR. */
int archive_thresholds(const struct archive *archive, struct job *job, struct method_thresholds *found,
                       struct error *err);
void method_thresholds_fini(struct method_thresholds *found); /* may be called on {0} */

/* job_from_archive without a model, for what its methods are asked. */
struct job *archive_job(const struct archive *archive, struct error *err);

#endif
