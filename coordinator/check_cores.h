/* check_cores.h — do the ranks of a machine have a core for each of their threads?
 */
#ifndef ETALON_CHECK_CORES_H
#define ETALON_CHECK_CORES_H

#include "coordinator/comm.h"

/* Collective. A warning where some rank has more engine threads than its launcher lets it use cores, or a machine has
 * fewer cores than threads of its ranks: results are the same, later. */
void check_cores(const struct comm *comm, size_t threads);

#endif
