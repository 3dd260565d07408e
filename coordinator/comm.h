/* comm.h — ranks, and the few things they do together. The only header through which the rest meets MPI.
 *
 * Every call has a one-process version, chosen at run time: started plainly, nothing here talks to anybody. All calls
 * are made by each rank's main thread (MPI_THREAD_FUNNELED). Failures of MPI itself end the program (EX_OSERR): a
 * broken communicator cannot be trusted.
 */
#ifndef ETALON_COMM_H
#define ETALON_COMM_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm {
    int rank, size;
};

/* Starts MPI when we were launched by mpirun or srun (their environment says so), else one process. */
int comm_init(int *argc, char ***argv, struct comm *comm, struct error *err);
void comm_finalize(void);
/* Ends all ranks at once with this exit code; for faults found between collectives. Does not return. */
_Noreturn void comm_abort(int code);

/* Collective over all ranks: those that name the same group work by themselves. Every call from here on, with *comm, is
 * of this group alone (comm_abort still ends all), until comm_leave_group; groups are not nested. */
void comm_enter_group(const struct comm *world, int group, struct comm *comm);
void comm_leave_group(void); /* collective over the group */

/* Collective. Every rank returns the same verdict: 0 when rc == 0 everywhere, else -1 with the lowest failing rank's
 * error ("rank 3: ..." is prepended when there are several ranks and it is not rank 0's). */
int comm_agree(const struct comm *comm, int rc, struct error *err);

void comm_barrier(const struct comm *comm);
void comm_broadcast(const struct comm *comm, void *data, size_t bytes);  /* from rank 0 */
void comm_max_int32(const struct comm *comm, int32_t *values, size_t n); /* all ranks get the maximum, in place */
void comm_max_float(const struct comm *comm, float *values, size_t n);
void comm_sum_uint64(const struct comm *comm, uint64_t *values, size_t n);
void comm_sum_int64(const struct comm *comm, int64_t *values, size_t n);
/* Items [first, first + count) of n, this rank's contiguous share; sizes differ by at most one. */
void comm_share(const struct comm *comm, size_t n, size_t *first, size_t *count);
/* data holds n items of `bytes`; each rank has filled its comm_share; afterwards all have all. */
void comm_gather_shares(const struct comm *comm, void *data, size_t n, size_t bytes);
/* Every byte becomes the union of the ranks' bits; where one rank has filled it and the others have 0, that rank's. */
void comm_unite(const struct comm *comm, void *data, size_t bytes);

/* Bytes of any size from rank r > 0, which gives, to rank 0, which takes; both wait for each other. *buffer (from
 * malloc; *capacity bytes) grows to *bytes. Without memory for it rank 0 gets EX_OSERR and nothing is sent. */
void comm_give(const void *data, size_t bytes);
int comm_take(int rank, void **buffer, size_t *capacity, size_t *bytes, struct error *err);

/* The ranks of this machine: this one's number among them, and how many there are. Collective. */
void comm_on_node(const struct comm *comm, struct comm *node);

/* Memory that the ranks of one machine read, and none writes. */
struct comm_shared {
    const void *data; /* NULL: there is none */
    size_t bytes;
};

/* Collective. The first rank of each machine has `fill` write `bytes` (what the others say is not looked at), and all
 * of that machine see them. Where a rank is alone on its machine, or the system does not allow it, there is no such
 * memory, and everybody keeps what he has. Nothing is left behind by ranks that are killed. */
void comm_share_on_node(const struct comm *comm, size_t bytes, void (*fill)(void *context, void *memory), void *context,
                        struct comm_shared *shared);
void comm_shared_fini(struct comm_shared *shared); /* local; may be called on {0} and twice */

/* Seconds that this rank has spent since the program began on agreeing, broadcasting, reducing and gathering, waiting
 * for slower ranks included. */
double comm_seconds(void);

/* Words between neighbours in a ring of ranks: to the next one, and from the one before, in order; no more than some
 * hundred bytes, sent eagerly. Local; there are two ranks at least. */
void comm_tell_next(const struct comm *comm, const void *word, size_t bytes);
bool comm_poll_previous(const struct comm *comm, void *word, size_t bytes);

/* Claims of work, two-sided and never blocking for long: rank r > 0 asks, rank 0 answers when it next polls. The calls
 * are local; schedule.c is their only user. A message is a few bytes and is sent eagerly. */
void comm_ask(bool is_stopping);                            /* r > 0: "give me blocks" (or "I am stopping") */
bool comm_poll_answer(uint64_t *first, uint64_t *count);    /* r > 0: blocks [first, first + count); count 0: no more */
bool comm_poll_ask(int *rank, bool *is_stopping);           /* rank 0 */
void comm_answer(int rank, uint64_t first, uint64_t count); /* rank 0 */

#endif
