/* open_dataset.h — a dataset on all ranks, found out about by one.
 */
#ifndef ETALON_OPEN_DATASET_H
#define ETALON_OPEN_DATASET_H

#include "coordinator/comm.h"
#include "formats/record.h"

/* Collective. Where opening means a walk over the whole set, rank 0 alone walks: the storage behind a thousand ranks is
 * read once. *dataset is set on ranks that could open it, also when another failed. Errors of dataset_open. */
int comm_open_dataset(const struct comm *comm, struct dataset_request request, struct dataset **dataset,
                      struct error *err);

#endif
