/* comm.c — the calls of comm.h over MPI, and for one process without it.
 *
 * Reductions of large arrays go in chunks: counts of MPI calls are int, and a chunk bounds the library's own buffers.
 */
#include "coordinator/comm_private.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CHUNK_ITEMS = 1 << 22,
    FEW_BYTES = 4096, /* of a reduction that needs no ring, so that its ranks may as well sleep in it */
};

static bool is_parallel;
static MPI_Comm active = MPI_COMM_WORLD; /* the ranks that the calls are of: all, or those of a group */
static double seconds;                   /* see comm_seconds; main thread only, as everything here */

/* What a launcher leaves in the environment: Open MPI's mpirun, srun with pmix or pmi2, Hydra. */
static bool launched_in_parallel(void)
{
    static const char *const marks[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (getenv(marks[i]) != NULL)
            return true;
    return false;
}

MPI_Comm comm_active(void)
{
    return active;
}

void comm_check(int rc, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;

    if (rc == MPI_SUCCESS)
        return;
    if (MPI_Error_string(rc, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "code %d", rc);
    fprintf(stderr, "etalon: MPI: %s failed: %s\n", what, text);
    comm_abort(EX_OSERR);
}

int comm_init(int *argc, char ***argv, struct comm *comm, struct error *err)
{
    int provided = 0;

    *comm = (struct comm){0, 1};
    if (!launched_in_parallel())
        return 0;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return error_set(err, EX_OSERR, "MPI could not be started");
    is_parallel = true;
    comm_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "setting the error handler");
    comm_check(MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank), "asking for the rank");
    comm_check(MPI_Comm_size(MPI_COMM_WORLD, &comm->size), "asking for the number of ranks");
    if (provided < MPI_THREAD_FUNNELED)
        return error_set(err, EX_OSERR, "MPI: expected thread support FUNNELED, found level %d", provided);
    return 0;
}

void comm_finalize(void)
{
    if (is_parallel)
        MPI_Finalize(); /* nothing can be done about its failure any more */
}

void comm_abort(int code)
{
    if (is_parallel)
        MPI_Abort(MPI_COMM_WORLD, code);
    _Exit(code);
}

void comm_enter_group(const struct comm *world, int group, struct comm *comm)
{
    *comm = *world;
    if (!is_parallel)
        return;
    comm_check(MPI_Comm_split(MPI_COMM_WORLD, group, world->rank, &active), "forming groups");
    comm_check(MPI_Comm_set_errhandler(active, MPI_ERRORS_RETURN), "setting the error handler");
    comm_check(MPI_Comm_rank(active, &comm->rank), "asking for the rank");
    comm_check(MPI_Comm_size(active, &comm->size), "asking for the number of ranks");
}

void comm_leave_group(void)
{
    if (is_parallel && active != MPI_COMM_WORLD)
        comm_check(MPI_Comm_free(&active), "dissolving a group");
    active = MPI_COMM_WORLD;
}

/* Until what was begun is done, asleep: MPI's own waiting keeps a core busy, which the rank that is waited for may
 * need. Awake at first, since most ranks come at about the same time. */
static void wait_asleep(MPI_Request request, const char *what)
{
    const long longest = 2000000; /* 2 ms: of many waiting ranks on few cores, each looks seldom */
    struct timespec pause = {0, 50000};
    double begin = clock_seconds();
    int is_done = 0;

    for (;;) {
        comm_check(MPI_Test(&request, &is_done, MPI_STATUS_IGNORE), what);
        if (is_done)
            return;
        if (clock_seconds() - begin < 1e-4)
            continue;
        nanosleep(&pause, NULL);
        pause.tv_nsec = 2 * pause.tv_nsec < longest ? 2 * pause.tv_nsec : longest;
    }
}

/* Before what has no version that one could wait for asleep, or only a slower one. */
static void wait_for_all(const char *what)
{
    MPI_Request request;

    comm_check(MPI_Ibarrier(active, &request), what);
    wait_asleep(request, what);
}

static int agree(const struct comm *comm, int rc, struct error *err)
{
    struct {
        int failed, rank;
    } mine = {rc != 0, comm->rank}, first = mine;

    if (is_parallel) {
        MPI_Request request;

        comm_check(MPI_Iallreduce(&mine, &first, 1, MPI_2INT, MPI_MAXLOC, active, &request), "agreeing on a verdict");
        wait_asleep(request, "agreeing on a verdict");
    }
    if (!first.failed)
        return 0;
    if (is_parallel)
        comm_check(MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, first.rank, active), "spreading an error");
    return first.rank == 0 ? -1 : error_in(err, "rank %d", first.rank);
}

int comm_agree(const struct comm *comm, int rc, struct error *err)
{
    double begin = clock_seconds();

    rc = agree(comm, rc, err);
    seconds += clock_seconds() - begin;
    return rc;
}

double comm_seconds(void)
{
    return seconds;
}

void comm_barrier(const struct comm *comm)
{
    double begin = clock_seconds();

    (void)comm;
    if (is_parallel)
        wait_for_all("a barrier");
    seconds += clock_seconds() - begin;
}

void comm_broadcast(const struct comm *comm, void *data, size_t bytes)
{
    double begin = clock_seconds();

    (void)comm;
    if (!is_parallel)
        return;
    wait_for_all("a broadcast");
    for (size_t at = 0; at < bytes; at += CHUNK_ITEMS) {
        size_t n = bytes - at < CHUNK_ITEMS ? bytes - at : CHUNK_ITEMS;

        comm_check(MPI_Bcast((char *)data + at, (int)n, MPI_BYTE, 0, active), "a broadcast");
    }
    seconds += clock_seconds() - begin;
}

static void all_reduce(void *values, size_t n, size_t size, MPI_Datatype type, MPI_Op op)
{
    double begin = clock_seconds();

    if (!is_parallel || n == 0)
        return;
    if (n <= FEW_BYTES / size) {
        MPI_Request request;

        comm_check(MPI_Iallreduce(MPI_IN_PLACE, values, (int)n, type, op, active, &request), "a reduction");
        wait_asleep(request, "a reduction");
        seconds += clock_seconds() - begin;
        return;
    }
    wait_for_all("a reduction");
    for (size_t at = 0; at < n; at += CHUNK_ITEMS) {
        size_t m = n - at < CHUNK_ITEMS ? n - at : CHUNK_ITEMS;

        comm_check(MPI_Allreduce(MPI_IN_PLACE, (char *)values + at * size, (int)m, type, op, active), "a reduction");
    }
    seconds += clock_seconds() - begin;
}

void comm_max_int32(const struct comm *comm, int32_t *values, size_t n)
{
    (void)comm;
    all_reduce(values, n, sizeof *values, MPI_INT32_T, MPI_MAX);
}

void comm_max_float(const struct comm *comm, float *values, size_t n)
{
    (void)comm;
    all_reduce(values, n, sizeof *values, MPI_FLOAT, MPI_MAX);
}

void comm_sum_uint64(const struct comm *comm, uint64_t *values, size_t n)
{
    (void)comm;
    all_reduce(values, n, sizeof *values, MPI_UINT64_T, MPI_SUM);
}

void comm_sum_int64(const struct comm *comm, int64_t *values, size_t n)
{
    (void)comm;
    all_reduce(values, n, sizeof *values, MPI_INT64_T, MPI_SUM);
}

static size_t share_start(size_t n, size_t size, size_t rank)
{
    return n / size * rank + (rank < n % size ? rank : n % size);
}

void comm_share(const struct comm *comm, size_t n, size_t *first, size_t *count)
{
    size_t size = (size_t)comm->size, rank = (size_t)comm->rank;

    *first = share_start(n, size, rank);
    *count = share_start(n, size, rank + 1) - *first;
}

void comm_gather_shares(const struct comm *comm, void *data, size_t n, size_t bytes)
{
    size_t size = (size_t)comm->size;
    double begin = clock_seconds();

    if (!is_parallel)
        return;
    wait_for_all("a gather");
    /* One broadcast a rank: shares are small (digests, names), and no array of counts can overflow int. */
    for (size_t r = 0; r < size; r++) {
        size_t first = share_start(n, size, r), count = share_start(n, size, r + 1) - first, total = count * bytes;

        for (size_t at = 0; at < total; at += CHUNK_ITEMS) {
            size_t m = total - at < CHUNK_ITEMS ? total - at : CHUNK_ITEMS;

            comm_check(MPI_Bcast((char *)data + first * bytes + at, (int)m, MPI_BYTE, (int)r, active), "a gather");
        }
    }
    seconds += clock_seconds() - begin;
}

void comm_unite(const struct comm *comm, void *data, size_t bytes)
{
    (void)comm;
    all_reduce(data, bytes, 1, MPI_BYTE, MPI_BOR);
}

enum { TAG_ASK = 1, TAG_ANSWER = 2, TAG_SIZE = 3, TAG_GO = 4, TAG_BYTES = 5, TAG_WORD = 6 };

/* Both sides wait asleep for what they are told first: a rank may wait for its turn for long, and MPI's own waiting
 * keeps a core busy. */
static void receive_asleep(int rank, int tag, void *data, size_t bytes, const char *what)
{
    const struct timespec pause = {0, 100000}; /* 0.1 ms: of the milliseconds that decoding a block takes */
    int there = 0;

    for (;;) {
        comm_check(MPI_Iprobe(rank, tag, active, &there, MPI_STATUS_IGNORE), what);
        if (there)
            break;
        nanosleep(&pause, NULL);
    }
    comm_check(MPI_Recv(data, (int)bytes, MPI_BYTE, rank, tag, active, MPI_STATUS_IGNORE), what);
}

void comm_give(const void *data, size_t bytes)
{
    uint64_t size = bytes;
    int goes = 0;

    comm_check(MPI_Send(&size, sizeof size, MPI_BYTE, 0, TAG_SIZE, active), "offering bytes");
    receive_asleep(0, TAG_GO, &goes, sizeof goes, "offering bytes");
    for (size_t at = 0; goes && at < bytes; at += CHUNK_ITEMS) {
        size_t n = bytes - at < CHUNK_ITEMS ? bytes - at : CHUNK_ITEMS;

        comm_check(MPI_Send((const char *)data + at, (int)n, MPI_BYTE, 0, TAG_BYTES, active), "giving bytes");
    }
}

int comm_take(int rank, void **buffer, size_t *capacity, size_t *bytes, struct error *err)
{
    uint64_t size = 0;
    int goes;

    receive_asleep(rank, TAG_SIZE, &size, sizeof size, "taking bytes");
    goes = size == 0 || memory_grow(buffer, capacity, (size_t)size - 1, 1, "what another rank sends", err) == 0;
    comm_check(MPI_Send(&goes, sizeof goes, MPI_BYTE, rank, TAG_GO, active), "taking bytes");
    for (size_t at = 0; goes && at < size; at += CHUNK_ITEMS) {
        size_t n = size - at < CHUNK_ITEMS ? (size_t)size - at : CHUNK_ITEMS;

        comm_check(MPI_Recv((char *)*buffer + at, (int)n, MPI_BYTE, rank, TAG_BYTES, active, MPI_STATUS_IGNORE),
                   "taking bytes");
    }
    *bytes = goes ? (size_t)size : 0;
    return goes ? 0 : -1;
}

void comm_tell_next(const struct comm *comm, const void *word, size_t bytes)
{
    comm_check(MPI_Send(word, (int)bytes, MPI_BYTE, (comm->rank + 1) % comm->size, TAG_WORD, active),
               "telling how far");
}

bool comm_poll_previous(const struct comm *comm, void *word, size_t bytes)
{
    int from = (comm->rank + comm->size - 1) % comm->size, there = 0;

    comm_check(MPI_Iprobe(from, TAG_WORD, active, &there, MPI_STATUS_IGNORE), "hearing how far");
    if (there)
        comm_check(MPI_Recv(word, (int)bytes, MPI_BYTE, from, TAG_WORD, active, MPI_STATUS_IGNORE), "hearing how far");
    return there != 0;
}

/* Claims: see comm.h. Three small messages; rank 0 answers when it polls. */

struct comm_answer {
    uint64_t first, count;
};

bool comm_poll_ask(int *rank, bool *has_failed)
{
    MPI_Status status;
    int there = 0, failed = 0;

    if (!is_parallel)
        return false;
    comm_check(MPI_Iprobe(MPI_ANY_SOURCE, TAG_ASK, active, &there, &status), "looking for claims");
    if (!there)
        return false;
    comm_check(MPI_Recv(&failed, 1, MPI_INT, status.MPI_SOURCE, TAG_ASK, active, MPI_STATUS_IGNORE),
               "receiving a claim");
    *rank = status.MPI_SOURCE;
    *has_failed = failed != 0;
    return true;
}

void comm_answer(int rank, uint64_t first, uint64_t count)
{
    struct comm_answer answer = {first, count};

    comm_check(MPI_Send(&answer, (int)sizeof answer, MPI_BYTE, rank, TAG_ANSWER, active), "answering a claim");
}

void comm_ask(bool has_failed)
{
    int failed = has_failed;

    comm_check(MPI_Send(&failed, 1, MPI_INT, 0, TAG_ASK, active), "claiming blocks");
}

bool comm_poll_answer(uint64_t *first, uint64_t *count)
{
    struct comm_answer answer;
    int there = 0;

    comm_check(MPI_Iprobe(0, TAG_ANSWER, active, &there, MPI_STATUS_IGNORE), "looking for an answer");
    if (!there)
        return false;
    comm_check(MPI_Recv(&answer, (int)sizeof answer, MPI_BYTE, 0, TAG_ANSWER, active, MPI_STATUS_IGNORE),
               "receiving an answer");
    *first = answer.first;
    *count = answer.count;
    return true;
}
