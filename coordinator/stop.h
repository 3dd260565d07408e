/* stop.h — "checkpoint and stop": SIGUSR1, which mpirun and srun hand to every rank.
 *
 * SIGTERM is not for this: behind mpirun, SIGKILL follows it within a second.
 */
#ifndef ETALON_STOP_H
#define ETALON_STOP_H

#include "common/error.h"

#include <stdbool.h>

/* From now on SIGUSR1 only sets a flag, which ends passes over data. Without it the signal ends the process, as ever.
 * EX_OSERR. */
int stop_listen(struct error *err);
bool stop_is_requested(void); /* of this rank; never taken back */

#endif
