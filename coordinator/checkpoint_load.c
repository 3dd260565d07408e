/* checkpoint_load.c — see checkpoint_files.h: which of two generations a run goes on from, and what its files hold.
 *
 * Rank 0 looks at both and chooses; all ranks that see the folder read their shards of the one chosen. What does not
 * load is set aside, and the other is tried.
 */
#include "coordinator/checkpoint_files_private.h"

#include "common/log.h"
#include "common/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is there: rank 0 ---- */

struct generation {
    bool is_there, is_ours;
    struct archive archive;
    char differences[KEEP_DIFFERENCES_BYTES];
};

struct candidates {
    struct generation of[CHECKPOINT_GENERATIONS];
    size_t n_damaged;
};

static void print_path(const struct checkpoint_files *files, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", files->subject.request->output, name);
}

/* A file that does not load is not tried again, and not lost. */
static void set_aside(const char *path)
{
    char damaged[PATH_MAX + 16];

    snprintf(damaged, sizeof damaged, "%s.damaged", path);
    if (rename(path, damaged) != 0 && errno != ENOENT)
        log_warning("%s: cannot be renamed: %s", path, strerror(errno));
}

static void set_index_aside(const struct checkpoint_files *files, size_t generation, const struct error *why)
{
    char name[CHECKPOINT_NAME_BYTES], path[PATH_MAX];

    checkpoint_files_name(generation, name);
    print_path(files, name, path);
    log_warning("%s; it is set aside as %s.damaged", why->text, path);
    set_aside(path);
}

static int look(const struct checkpoint_files *files, struct candidates *candidates, struct error *err)
{
    for (size_t i = 0; i < CHECKPOINT_GENERATIONS; i++) {
        struct generation *g = &candidates->of[i];
        char name[CHECKPOINT_NAME_BYTES], path[PATH_MAX];
        struct error why = {0};

        checkpoint_files_name(i, name);
        print_path(files, name, path);
        if (keep_read_checkpoint(&files->subject, path, &g->is_there, &g->archive, g->differences, &why) != 0) {
            archive_fini(&g->archive);
            g->is_there = false;
            if (why.code != EX_DATAERR) {
                *err = why;
                return -1;
            }
            set_index_aside(files, i, &why);
            candidates->n_damaged++;
        }
        g->is_ours = g->is_there && g->differences[0] == '\0';
    }
    return 0;
}

static uint64_t count_done(const struct archive *archive)
{
    uint64_t n = 0;

    for (size_t w = 0; w < archive->n_done; w++)
        n += (uint64_t)__builtin_popcountll(archive->done[w]);
    return n;
}

/* Hours may be in it, so nobody begins anew over another job's checkpoint without being told to. */
static int refuse_anothers(const struct checkpoint_files *files, const struct candidates *candidates, bool may_replace,
                           struct error *err)
{
    const char *output = files->subject.request->output;
    const struct generation *other = NULL;

    for (size_t i = 0; i < CHECKPOINT_GENERATIONS; i++) {
        if (candidates->of[i].is_ours)
            return 0;
        if (candidates->of[i].is_there &&
            (other == NULL || count_done(&other->archive) < count_done(&candidates->of[i].archive)))
            other = &candidates->of[i];
    }
    if (other == NULL)
        return 0;
    if (may_replace) {
        log_warning("%s/%s: %" PRIu64 " blocks of another job, which differs in %s; nothing of them is used, and they "
                    "are removed",
                    output, CHECKPOINT_FOLDER, count_done(&other->archive), other->differences);
        return checkpoint_files_remove(files->output, err);
    }
    return error_set(err, EX_DATAERR,
                     "%s/%s: holds %" PRIu64 " blocks of another job, which differs in %s: let that job come to its "
                     "end, choose another output folder, or begin anew with --resume never",
                     output, CHECKPOINT_FOLDER, count_done(&other->archive), other->differences);
}

/* CHECKPOINT_GENERATIONS: none is left. */
static size_t find_furthest(const struct candidates *candidates)
{
    size_t best = CHECKPOINT_GENERATIONS;

    for (size_t i = 0; i < CHECKPOINT_GENERATIONS; i++) {
        const struct generation *g = &candidates->of[i],
                                *b = best < CHECKPOINT_GENERATIONS ? &candidates->of[best] : NULL;

        if (!g->is_ours)
            continue;
        if (b == NULL || (keep_is_second(&g->archive) != keep_is_second(&b->archive)
                              ? keep_is_second(&g->archive)
                              : count_done(&g->archive) > count_done(&b->archive)))
            best = i;
    }
    return best;
}

/* ---- taking one of them: all ranks ---- */

/* This rank's run of shards, as one share. Local. EX_DATAERR, and the shard is set aside. */
static int read_shards(const struct checkpoint_files *files, size_t generation, const struct archive_shard *shards,
                       size_t n, struct checkpoint_found *found, struct error *err)
{
    const struct keep_subject *s = &files->subject;
    struct comm readers = {(int)files->place, (int)files->n_places};
    size_t k, count, first, last, ignored;
    int rc;

    if (files->place == SIZE_MAX)
        return 0;
    comm_share(&readers, n, &k, &count);
    if (count == 0)
        return 0;
    checkpoint_files_cut(s, n, k, &first, &ignored);
    checkpoint_files_cut(s, n, k + count - 1, &ignored, &last);
    found->share = keep_create_share(s, first, last, found->is_second, err);
    rc = found->share == NULL ? -1 : 0;
    for (; rc == 0 && count > 0; k++, count--) {
        char name[CHECKPOINT_NAME_BYTES], path[PATH_MAX];

        checkpoint_files_cut(s, n, k, &first, &last);
        checkpoint_files_name_shard(generation, k, name);
        print_path(files, name, path);
        rc = keep_read_shard(s, path, shards, k, first, last, found->share, err);
        if (rc != 0 && err->code == EX_DATAERR)
            set_aside(path);
    }
    return rc;
}

/* Collective. The first shard has values, hence the cut of their parts; a rank may have read none that has. */
static int unite_cuts(const struct comm *comm, struct observation *share, struct error *err)
{
    bool has_parts = share != NULL && share->parts != NULL;
    struct observe_cut cut = {0};

    if (comm->rank == 0 && has_parts)
        cut = share->parts->cut;
    comm_broadcast(comm, &cut, sizeof cut);
    return comm_agree(comm, has_parts ? keep_take_cut(share, &cut, err) : 0, err);
}

/* Collective. What rank 0 has found of generation i becomes the ranks'. */
static int take(struct checkpoint_files *files, size_t generation, struct archive *archive,
                struct checkpoint_found *found, struct error *err)
{
    const struct comm *comm = files->comm;
    const struct keep_subject *s = &files->subject;
    uint64_t n_shards = archive->n_shards, second = comm->rank == 0 && keep_is_second(archive);
    struct archive_shard *shards = archive->shards;
    char name[CHECKPOINT_NAME_BYTES], path[PATH_MAX];
    int rc;

    checkpoint_files_name(generation, name);
    print_path(files, name, path);
    rc = comm->rank == 0 ? keep_take_checkpoint(s, path, archive, &found->share, &found->progress, err)
                         : block_set_init(&found->progress.done, keep_subject_blocks(s), err);
    comm_broadcast(comm, &n_shards, sizeof n_shards);
    comm_broadcast(comm, &second, sizeof second);
    found->is_begun = true;
    found->is_second = second != 0;
    if (comm->rank > 0 && n_shards > 0 &&
        (shards = memory_create(n_shards, sizeof *shards, "names of files", err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && n_shards > 0) {
        comm_broadcast(comm, shards, n_shards * sizeof *shards);
        rc = comm_agree(comm, read_shards(files, generation, shards, n_shards, found, err), err);
        if (rc == 0)
            rc = unite_cuts(comm, found->share, err);
    }
    if (comm->rank > 0)
        free(shards);
    if (rc == 0)
        rc = comm_agree(comm, comm->rank == 0 ? keep_find_epoch(s, found->share, &found->progress.end, err) : 0, err);
    if (rc == 0) {
        comm_broadcast(comm, found->progress.done.words,
                       found->progress.done.n_words * sizeof *found->progress.done.words);
        comm_broadcast(comm, &found->progress.end, sizeof found->progress.end);
        files->next = (generation + 1) % CHECKPOINT_GENERATIONS;
    }
    return rc;
}

static void drop(struct checkpoint_found *found)
{
    observation_destroy(found->share);
    pass_progress_fini(&found->progress);
    *found = (struct checkpoint_found){0};
}

/* Collective. From the furthest on: the first that loads. */
static int take_furthest(struct checkpoint_files *files, struct candidates *candidates, struct checkpoint_found *found,
                         struct error *err)
{
    const struct comm *comm = files->comm;

    for (;;) {
        size_t generation = comm->rank == 0 ? find_furthest(candidates) : 0;
        int rc;

        comm_broadcast(comm, &generation, sizeof generation);
        if (generation == CHECKPOINT_GENERATIONS)
            return 0;
        rc = take(files, generation, &candidates->of[generation].archive, found, err);
        if (rc == 0)
            return 0;
        drop(found);
        if (err->code != EX_DATAERR)
            return rc;
        if (comm->rank == 0)
            set_index_aside(files, generation, err);
        *err = (struct error){0};
        candidates->of[generation].is_ours = false;
        candidates->n_damaged++;
    }
}

int checkpoint_files_load(struct checkpoint_files *files, bool may_replace, struct checkpoint_found *found,
                          struct error *err)
{
    const struct comm *comm = files->comm;
    struct candidates candidates = {0};
    char name[CHECKPOINT_NAME_BYTES];
    int rc = 0;

    *found = (struct checkpoint_found){0};
    if (comm->rank == 0)
        rc = look(files, &candidates, err);
    if (rc == 0 && comm->rank == 0)
        rc = refuse_anothers(files, &candidates, may_replace, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = take_furthest(files, &candidates, found, err);
    for (size_t i = 0; i < CHECKPOINT_GENERATIONS; i++)
        archive_fini(&candidates.of[i].archive);
    if (rc == 0 && comm->rank == 0 && !found->is_begun && candidates.n_damaged > 0)
        rc = error_set(err, EX_DATAERR,
                       "%s: no checkpoint loads, and what did not is set aside; the same command begins anew",
                       files->subject.request->output);
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && found->is_begun) {
        checkpoint_files_name((files->next + 1) % CHECKPOINT_GENERATIONS, name);
        log_info("going on after %" PRIu64 " of %" PRIu64 " blocks%s, from %s/%s",
                 block_set_count(&found->progress.done), found->progress.done.n,
                 found->is_second ? " of the second pass" : "", files->subject.request->output, name);
    }
    if (rc != 0)
        drop(found);
    return rc;
}
