/* share.c — see share.h. */
#include "coordinator/share.h"

#include <string.h>

int share_deal(const struct share_work *work, size_t ranks,
               int (*visit)(void *context, size_t i, size_t rank, struct error *err), void *context, struct error *err)
{
    size_t each = work->n / ranks, strips = ranks * (each < 1 ? 1 : each > SHARE_STRIPS ? SHARE_STRIPS : each);
    uint64_t total = 0, before = 0;

    for (size_t i = 0; i < work->n; i++)
        total += work->cost(work->context, i);
    for (size_t i = 0; i < work->n; i++) {
        uint64_t cost = work->cost(work->context, i);
        double middle = (double)before + (double)cost / 2;
        size_t strip = total == 0 ? 0 : (size_t)(middle / (double)total * (double)strips);

        before += cost;
        if (visit(context, i, (strip < strips ? strip : strips - 1) % ranks, err) != 0)
            return -1;
    }
    return 0;
}

struct visitor {
    const struct share_work *work;
    size_t rank;
};

/* One's own searches; the results of others' are 0 until they come. */
static int visit(void *context, size_t i, size_t rank, struct error *err)
{
    const struct visitor *v = context;

    if (rank == v->rank)
        return v->work->search(v->work->context, i, err);
    memset((char *)v->work->results + i * v->work->bytes, 0, v->work->bytes);
    return 0;
}

int share_run(const struct comm *comm, const struct share_work *work, struct error *err)
{
    struct visitor visitor = {work, (size_t)comm->rank};
    int rc = comm_agree(comm, share_deal(work, (size_t)comm->size, visit, &visitor, err), err);

    if (rc == 0)
        comm_unite(comm, work->results, work->n * work->bytes);
    return rc;
}
