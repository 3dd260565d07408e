/* open_dataset.c — see open_dataset.h. */
#include "coordinator/open_dataset.h"

#include "common/memory.h"

#include <stdlib.h>

/* Collective. What rank 0 has found out about its dataset reaches the others' *bytes, to be freed. */
static int share_index(const struct comm *comm, struct dataset *dataset, void **bytes, size_t *size, struct error *err)
{
    uint64_t n = 0;
    int rc = 0;

    if (comm->rank == 0) {
        rc = dataset_index(dataset, bytes, size, err);
        n = rc == 0 ? *size : 0;
    }
    comm_broadcast(comm, &n, sizeof n);
    if (comm->rank > 0 && (*bytes = memory_create((size_t)n, 1, "a dataset's index", err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        comm_broadcast(comm, *bytes, (size_t)n);
    *size = (size_t)n;
    return rc;
}

int comm_open_dataset(const struct comm *comm, struct dataset_request request, struct dataset **dataset,
                      struct error *err)
{
    bool is_shared = comm->size > 1 && dataset_has_index(&request);
    void *bytes = NULL;
    int rc = 0;

    if (!is_shared || comm->rank == 0)
        rc = (*dataset = dataset_open(&request, err)) == NULL ? -1 : 0;
    rc = comm_agree(comm, rc, err);
    if (rc != 0 || !is_shared)
        return rc;
    rc = share_index(comm, *dataset, &bytes, &request.index_size, err);
    request.index = bytes;
    if (rc == 0 && comm->rank > 0)
        rc = (*dataset = dataset_open(&request, err)) == NULL ? -1 : 0;
    free(bytes);
    return comm_agree(comm, rc, err);
}
