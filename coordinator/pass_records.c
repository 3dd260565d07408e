/* pass_records.c — what all ranks know of a pass's records: who was used, who was bad. See pass_records.h. */
#include "coordinator/pass_records.h"

#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct bad_record) % sizeof(uint64_t) == 0, "gathered as words");

/* Fills *all with every rank's items: each rank writes its own at its own offset and leaves the rest zero, so a sum of
 * words is a union. `bytes` is a multiple of 8. */
static int gather_items(const struct comm *comm, const void *mine, size_t n, size_t bytes, void **all, size_t *n_all,
                        struct error *err)
{
    uint64_t *counts = memory_create((size_t)comm->size, sizeof *counts, "counts", err);
    size_t before = 0, total = 0;
    int rc = comm_agree(comm, counts != NULL ? 0 : -1, err);

    if (rc == 0) {
        counts[comm->rank] = n;
        comm_sum_uint64(comm, counts, (size_t)comm->size);
        for (int r = 0; r < comm->size; r++) {
            before += r < comm->rank ? counts[r] : 0;
            total += counts[r];
        }
        *all = memory_create(total, bytes, "a gathered list", err);
        rc = comm_agree(comm, *all != NULL ? 0 : -1, err);
    }
    if (rc == 0) {
        if (n > 0)
            memcpy((char *)*all + before * bytes, mine, n * bytes);
        comm_sum_uint64(comm, *all, total * bytes / sizeof(uint64_t));
        *n_all = total;
    }
    free(counts);
    return rc;
}

int pass_gather_bad(const struct comm *comm, const struct pass_result *result, struct bad_record **all, size_t *n,
                    struct error *err)
{
    *all = NULL;
    *n = 0;
    return gather_items(comm, result->bad, result->n_bad, sizeof **all, (void **)all, n, err);
}

void pass_sum_identities(const struct comm *comm, struct record_identity *identities, uint64_t n)
{
    _Static_assert(sizeof *identities == 2 * sizeof(uint64_t), "summed as words");
    comm_sum_uint64(comm, (uint64_t *)identities, 2 * n);
}

static int by_ordinal(const void *a, const void *b)
{
    const struct bad_record *x = a, *y = b;

    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

int pass_check_bad(const struct pass_result *result, uint64_t max_bad_records, struct error *err)
{
    if (result->n_bad <= max_bad_records)
        return 0;
    return error_set(err, EX_DATAERR, "%zu bad records, limits.max_bad_records allows %" PRIu64 "; the first: %s",
                     result->n_bad, max_bad_records, result->bad[0].reason);
}

/* What every rank must know of the records: who was used, who was bad. */
int pass_share_records(const struct comm *comm, const struct pass_request *request, struct pass_result *result,
                       struct error *err)
{
    struct bad_record *all = NULL;
    size_t n = 0;
    int rc;

    pass_sum_identities(comm, result->identities, result->n_records);
    rc = pass_gather_bad(comm, result, &all, &n, err);
    if (rc != 0) {
        free(all); /* this rank's allocation may have succeeded where another's has not */
        return -1;
    }
    free(result->bad);
    result->bad = all;
    result->n_bad = n;
    if (n > 0)
        qsort(all, n, sizeof *all, by_ordinal);
    result->n_used = result->n_shown - n;
    if (pass_check_bad(result, request->max_bad_records, err) != 0)
        return -1;
    if (result->n_used == 0)
        return error_set(err, EX_DATAERR, "every one of the %" PRIu64 " records is bad; the first: %s", result->n_shown,
                         all[0].reason);
    return 0;
}

void pass_result_fini(struct pass_result *result)
{
    free(result->identities);
    free(result->bad);
    *result = (struct pass_result){0};
}

void pass_progress_fini(struct pass_progress *progress)
{
    block_set_fini(&progress->done);
    free(progress->identities);
    free(progress->bad);
    *progress = (struct pass_progress){0};
}
