/* record_range.h — how far a record reaches on average; for methods that know values by their records' extrema. */
#ifndef ETALON_RECORD_RANGE_H
#define ETALON_RECORD_RANGE_H

#include "coordinator/thresholds.h"

struct record_range {
    double smallest, largest; /* means over records */
    double elements;          /* of one record */
};

/* false: nothing is known of records, see record_range_unknown. */
bool record_range(const struct threshold_request *request, struct record_range *range);
/* As a float, above 0 and at most the limit. */
float record_range_threshold(const struct threshold_request *request, double threshold);
/* The mse threshold, by "mse": for channels, of which no extrema are kept, and values without one finite record. */
int record_range_unknown(const struct threshold_request *request, struct threshold_found *found, struct error *err);

#endif
