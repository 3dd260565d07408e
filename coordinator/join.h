/* join.h — the output folder, on every rank that sees it: it may lie on a disk of rank 0's host.
 */
#ifndef ETALON_JOIN_H
#define ETALON_JOIN_H

#include "common/output.h"
#include "coordinator/comm.h"

/* Collective. `own` is rank 0's, which has opened the folder. *joined is each rank's own way in (output_join), NULL
 * where another folder bears the name; sees[size] says on every rank for which ranks it is not NULL: rank 0 always. */
int join_output(const struct comm *comm, const char *folder, const struct output *own, struct output **joined,
                bool *sees, struct error *err);

#endif
