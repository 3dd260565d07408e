/* merge_overlap.c — see merge_overlap.h. */
#include "coordinator/merge_overlap.h"

#include "common/log.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>

struct place {
    struct record_identity identity;
    uint64_t record;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_content(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = compare_numbers(x->identity.digest, y->identity.digest);

    if (order == 0)
        order = compare_numbers(x->identity.key, y->identity.key);
    return order != 0 ? order : compare_numbers(x->record, y->record);
}

static size_t archive_of(const struct merge_sources *sources, uint64_t record)
{
    size_t low = 0, high = sources->n; /* the archive is in [low, high) */

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        *(record < sources->first_record[middle] ? &high : &low) = middle;
    }
    return low;
}

/* What neighbours in the order of content have in common. */
struct found {
    uint64_t n_same, n_alike; /* records and bytes that another archive holds, too */
    uint64_t record, earlier; /* the first that is the same, and where it was before */
};

static struct found look(const struct merge_sources *sources, const struct place *places, uint64_t n)
{
    struct found found = {0};

    for (uint64_t i = 1; i < n; i++) {
        const struct place *a = &places[i - 1], *b = &places[i];

        if (b->identity.digest == 0 || a->identity.digest != b->identity.digest ||
            archive_of(sources, a->record) == archive_of(sources, b->record))
            continue;
        if (a->identity.key != b->identity.key) {
            found.n_alike++;
            continue;
        }
        if (found.n_same++ == 0 || b->record < found.record) {
            found.record = b->record;
            found.earlier = a->record;
        }
    }
    return found;
}

int merge_check_overlap(const struct merge_sources *sources, const struct record_identity *records, bool is_allowed,
                        struct error *err)
{
    uint64_t n = sources->first_record[sources->n];
    struct place *places = memory_create(n, sizeof *places, "the records of all archives", err);
    struct found found;
    size_t here, there;

    if (places == NULL)
        return -1;
    for (uint64_t i = 0; i < n; i++)
        places[i] = (struct place){records[i], i};
    qsort(places, n, sizeof *places, by_content);
    found = look(sources, places, n);
    free(places);
    if (found.n_alike > 0)
        log_warning("%" PRIu64 " records have the same bytes as a record of another archive under another key; they "
                    "are counted as records of their own",
                    found.n_alike);
    if (found.n_same == 0)
        return 0;
    here = archive_of(sources, found.record);
    there = archive_of(sources, found.earlier);
    if (is_allowed) {
        log_warning("%" PRIu64 " records are in several archives and are counted as often", found.n_same);
        return 0;
    }
    return error_set(err, EX_DATAERR,
                     "%s: record %" PRIu64 " (key %016" PRIx64 ", content %016" PRIx64 ") is record %" PRIu64
                     " of %s, too; %" PRIu64 " records are in several archives, and would count as often "
                     "(--allow-repeats)",
                     sources->paths[here], found.record - sources->first_record[here], records[found.record].key,
                     records[found.record].digest, found.earlier - sources->first_record[there], sources->paths[there],
                     found.n_same);
}
