/* comm_private.h — what comm.c lends to comm_node.c: MPI itself.
 */
#ifndef ETALON_COMM_PRIVATE_H
#define ETALON_COMM_PRIVATE_H

#include "coordinator/comm.h"

#include <mpi.h>

/* The ranks that all calls are of: all, or those of the group that was entered. */
MPI_Comm comm_active(void);
/* MPI's own failures: said once by the rank that saw them, then everything ends. */
void comm_check(int rc, const char *what);

#endif
