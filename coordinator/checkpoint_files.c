/* checkpoint_files.c — see checkpoint_files.h: names, cuts, and writing. Reading is in checkpoint_load.c. */
#include "coordinator/checkpoint_files_private.h"

#include "common/memory.h"
#include "coordinator/join.h"

#include <stdio.h>
#include <stdlib.h>

/* Of counters, at least: a message of the reduction (reduce.c), which shards shall not cut into more. Compressed it is
 * some 400 KB, for which a file is worth its syncs. */
enum { SHARD_BYTES = 8 << 20 };

static const char *const patterns[CHECKPOINT_GENERATIONS] = {"0.*.h5", "1.*.h5"}; /* shards */

void checkpoint_files_name(size_t generation, char name[CHECKPOINT_NAME_BYTES])
{
    snprintf(name, CHECKPOINT_NAME_BYTES, "%s/%zu.h5", CHECKPOINT_FOLDER, generation);
}

void checkpoint_files_name_shard(size_t generation, size_t k, char name[CHECKPOINT_NAME_BYTES])
{
    snprintf(name, CHECKPOINT_NAME_BYTES, "%s/%zu.%zu.h5", CHECKPOINT_FOLDER, generation, k);
}

/* ---- who writes ---- */

int checkpoint_files_open(const struct comm *comm, const struct keep_subject *subject, struct output *output,
                          struct checkpoint_files *files, struct error *err)
{
    bool *sees = memory_create((size_t)comm->size, sizeof *sees, "a list of ranks", err);
    int rc = comm_agree(comm, sees == NULL ? -1 : 0, err);

    *files = (struct checkpoint_files){.comm = comm, .subject = *subject, .output = output, .place = SIZE_MAX};
    if (rc == 0)
        rc = join_output(comm, subject->request->output, output, &files->way, sees, err);
    for (int r = 0; rc == 0 && r < comm->size; r++) {
        if (r == comm->rank && sees[r])
            files->place = files->n_places;
        files->n_places += sees[r];
    }
    free(sees);
    return rc;
}

void checkpoint_files_close(struct checkpoint_files *files)
{
    output_close(files->way);
    files->way = NULL;
}

/* ---- shards ---- */

static uint64_t bytes_before(const struct keep_subject *s, size_t value)
{
    uint64_t bytes = 0;

    for (size_t v = 0; v < value; v++)
        bytes += observation_bytes(s->graph, s->request->calibration.bins, s->channel_bins, v);
    return bytes;
}

size_t checkpoint_files_shards(const struct checkpoint_files *files)
{
    const struct keep_subject *s = &files->subject;
    uint64_t n = bytes_before(s, s->graph->n_values) / SHARD_BYTES;

    n = n < files->n_places ? n : files->n_places;
    n = n < s->graph->n_values ? n : s->graph->n_values;
    return n > 1 ? (size_t)n : 1;
}

/* Where shard k begins: with the first value that k / n of all bytes, rounded down, come before. */
static size_t start_of(const struct keep_subject *s, size_t n, size_t k)
{
    uint64_t all = bytes_before(s, s->graph->n_values), before = 0;
    size_t v = 0;

    if (k == n)
        return s->graph->n_values;
    for (; v < s->graph->n_values && before < all / n * k + all % n * k / n; v++)
        before += observation_bytes(s->graph, s->request->calibration.bins, s->channel_bins, v);
    return v;
}

void checkpoint_files_cut(const struct keep_subject *s, size_t n, size_t k, size_t *first, size_t *last)
{
    *first = start_of(s, n, k);
    *last = start_of(s, n, k + 1);
}

/* ---- writing ---- */

/* Rank 0. The index first: without it shards are nothing, but one without shards would have the next run refuse to
 * begin. */
static int remove_generation(struct output *output, size_t generation, struct error *err)
{
    char name[CHECKPOINT_NAME_BYTES];

    checkpoint_files_name(generation, name);
    return output_remove(output, name, err) != 0
               ? -1
               : output_remove_like(output, CHECKPOINT_FOLDER, patterns[generation], err);
}

/* Collective. shards[n] become known to every rank. */
static int write_shards(struct checkpoint_files *files, size_t n, const struct observation *share,
                        const struct pass_progress *progress, struct archive_shard *shards, struct error *err)
{
    const struct comm *comm = files->comm;
    char name[CHECKPOINT_NAME_BYTES];
    int rc = comm_agree(comm, comm->rank == 0 ? remove_generation(files->output, files->next, err) : 0, err);

    if (rc == 0 && share != NULL) {
        checkpoint_files_name_shard(files->next, files->place, name);
        rc = keep_write_shard(&files->subject, share, progress, files->way, name, &shards[files->place], err);
    }
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        comm_unite(comm, shards, n * sizeof *shards);
    return rc;
}

int checkpoint_files_write(struct checkpoint_files *files, size_t n, const struct observation *share,
                           const struct pass_progress *progress, unsigned n_passes, struct error *err)
{
    const struct comm *comm = files->comm;
    struct archive_shard *shards = memory_create(n, sizeof *shards, "names of files", err);
    char name[CHECKPOINT_NAME_BYTES];
    int rc = comm_agree(comm, shards == NULL ? -1 : 0, err);

    checkpoint_files_name(files->next, name);
    if (rc == 0 && n > 1)
        rc = write_shards(files, n, share, progress, shards, err);
    if (rc == 0 && comm->rank == 0)
        rc = n > 1 ? keep_write_index(&files->subject, progress, shards, n, n_passes, files->output, name, err)
                   : keep_write_whole(&files->subject, share, progress, files->output, name, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        files->next = (files->next + 1) % CHECKPOINT_GENERATIONS;
    free(shards);
    return rc;
}

int checkpoint_files_remove(struct output *output, struct error *err)
{
    for (size_t i = 0; i < CHECKPOINT_GENERATIONS; i++)
        if (remove_generation(output, i, err) != 0)
            return -1;
    return 0;
}
