/* show_dataset.h — a dataset for `etalon inspect`: its first records, and what a sample of all holds.
 */
#ifndef ETALON_SHOW_DATASET_H
#define ETALON_SHOW_DATASET_H

#include "formats/record.h"

#include <stdio.h>

/* Opens and reads; what single records have against them is shown, not an error, unless all of the sample are bad
 * (EX_DATAERR). Otherwise as dataset_open, dataset_read. */
int show_dataset(const struct dataset_request *request, bool as_json, FILE *out, struct error *err);

#endif
