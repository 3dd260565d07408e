/* check_cores.c — see check_cores.h. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "coordinator/check_cores.h"

#include "common/log.h"

#include <sched.h>
#include <unistd.h>

/* The cores that this rank may run on; what cannot be told is enough. */
static int32_t allowed_cores(void)
{
    cpu_set_t *set = CPU_ALLOC(CPU_SETSIZE * 8);
    size_t bytes = CPU_ALLOC_SIZE(CPU_SETSIZE * 8);
    int32_t n = INT32_MAX;

    if (set != NULL && sched_getaffinity(0, bytes, set) == 0)
        n = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    return n;
}

void check_cores(const struct comm *comm, size_t threads)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t allowed = allowed_cores(), excess[2];
    struct comm node;

    comm_on_node(comm, &node);
    /* How many threads are too many: of a rank, of a machine. */
    excess[0] = allowed < (int32_t)threads ? (int32_t)threads - allowed : 0;
    excess[1] = online > 0 && node.size * (long)threads > online ? (int32_t)(node.size * (long)threads - online) : 0;
    comm_max_int32(comm, excess, 2);
    if (excess[1] > 0)
        log_warning("a machine has %d engine threads more than cores: fewer ranks there, or fewer engine.threads, are "
                    "as fast",
                    excess[1]);
    else if (excess[0] > 0)
        log_warning("a rank has %d engine threads more than cores that it may use: --cpus-per-task=%zu of srun, or "
                    "--map-by slot:PE=%zu of mpirun, gives each a core",
                    excess[0], threads, threads);
}
