/* comm_node.c — memory that the ranks of one machine share; see comm.h.
 *
 * Not MPI_Win_allocate_shared: Open MPI backs it with files in /dev/shm, which may be small and which a killed job
 * leaves behind. An anonymous file (memfd_create) goes with the last process that has mapped it. The others open it
 * through /proc of the rank that made it, which the system allows to processes of the same user.
 */
#define _GNU_SOURCE /* memfd_create */
#include "coordinator/comm_private.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the rank that fills the memory tells the others. */
struct offer {
    int64_t pid, descriptor; /* descriptor -1: nothing is offered */
    uint64_t device, inode;  /* of the file: in another PID name space the same path leads elsewhere */
    uint64_t bytes;
};

/* The ranks of this machine; to be freed. */
static MPI_Comm find_node(const struct comm *comm, struct comm *node)
{
    MPI_Comm ranks;

    comm_check(MPI_Comm_split_type(comm_active(), MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &ranks),
               "finding the ranks of a machine");
    comm_check(MPI_Comm_rank(ranks, &node->rank), "asking for the rank");
    comm_check(MPI_Comm_size(ranks, &node->size), "asking for the number of ranks");
    return ranks;
}

void comm_on_node(const struct comm *comm, struct comm *node)
{
    *node = (struct comm){0, 1};
    if (comm->size > 1) {
        MPI_Comm ranks = find_node(comm, node);

        comm_check(MPI_Comm_free(&ranks), "leaving the ranks of a machine");
    }
}

/* A filled anonymous file, mapped for reading. */
static struct offer make(size_t bytes, void (*fill)(void *context, void *memory), void *context,
                         struct comm_shared *shared)
{
    struct offer offer = {.pid = getpid(), .descriptor = -1, .bytes = bytes};
    struct stat info;
    int file = bytes == 0 ? -1 : memfd_create("etalon", MFD_CLOEXEC);
    void *memory;

    if (file < 0)
        return offer;
    memory = ftruncate(file, (off_t)bytes) == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                                                : MAP_FAILED;
    if (memory == MAP_FAILED || fstat(file, &info) != 0) {
        log_debug("no memory for the ranks of this machine: %s", strerror(errno));
        if (memory != MAP_FAILED)
            munmap(memory, bytes);
        close(file);
        return offer;
    }
    fill(context, memory);
    mprotect(memory, bytes, PROT_READ); /* as for everybody else; were it refused, nothing would be wrong */
    *shared = (struct comm_shared){memory, bytes};
    offer.descriptor = file;
    offer.device = info.st_dev;
    offer.inode = info.st_ino;
    return offer;
}

static void take(const struct offer *offer, struct comm_shared *shared)
{
    char path[64];
    struct stat info;
    void *memory;
    int file;

    snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)offer->pid, (long long)offer->descriptor);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        log_debug("%s: cannot be opened: %s", path, strerror(errno));
        return;
    }
    memory = fstat(file, &info) == 0 && info.st_dev == offer->device && info.st_ino == offer->inode
                 ? mmap(NULL, offer->bytes, PROT_READ, MAP_SHARED, file, 0)
                 : MAP_FAILED;
    close(file);
    if (memory != MAP_FAILED)
        *shared = (struct comm_shared){memory, offer->bytes};
}

void comm_share_on_node(const struct comm *comm, size_t bytes, void (*fill)(void *context, void *memory), void *context,
                        struct comm_shared *shared)
{
    struct offer offer = {.descriptor = -1};
    struct comm node;
    MPI_Comm ranks;
    int has = 0;

    *shared = (struct comm_shared){NULL, 0};
    if (comm->size == 1)
        return;
    ranks = find_node(comm, &node);
    if (node.rank == 0 && node.size > 1)
        offer = make(bytes, fill, context, shared);
    comm_check(MPI_Bcast(&offer, (int)sizeof offer, MPI_BYTE, 0, ranks), "offering memory");
    if (node.rank > 0 && offer.descriptor >= 0)
        take(&offer, shared);
    has = shared->data != NULL;
    comm_check(MPI_Allreduce(MPI_IN_PLACE, &has, 1, MPI_INT, MPI_MIN, ranks), "sharing memory");
    if (node.rank == 0 && offer.descriptor >= 0)
        close((int)offer.descriptor); /* all have it mapped, or nobody will */
    if (!has)
        comm_shared_fini(shared);
    comm_check(MPI_Comm_free(&ranks), "leaving the ranks of a machine");
}

void comm_shared_fini(struct comm_shared *shared)
{
    if (shared->data != NULL)
        munmap((void *)(uintptr_t)shared->data, shared->bytes);
    *shared = (struct comm_shared){NULL, 0};
}
