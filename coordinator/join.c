/* join.c — see join.h. */
#include "coordinator/join.h"

int join_output(const struct comm *comm, const char *folder, const struct output *own, struct output **joined,
                bool *sees, struct error *err)
{
    char key[OUTPUT_KEY_BYTES] = "";
    int rc;

    *joined = NULL;
    if (comm->rank == 0)
        output_key(own, key);
    comm_broadcast(comm, key, sizeof key);
    rc = output_join(folder, key, joined, err);
    if (rc == 0 && comm->rank == 0 && *joined == NULL)
        rc = error_set(err, EX_IOERR, "output folder %s: its lock file is gone, somebody else may be writing there",
                       folder);
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        sees[comm->rank] = *joined != NULL;
        comm_unite(comm, sees, (size_t)comm->size * sizeof *sees);
    }
    return rc;
}
