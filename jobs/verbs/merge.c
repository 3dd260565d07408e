/* merge.c — `etalon merge`: archives of disjoint records become one. */
#include "common/memory.h"
#include "coordinator/merge.h"
#include "jobs/results.h"
#include "jobs/verb.h"

#include <inttypes.h>
#include <stdlib.h>

enum { MAX_ARCHIVES = 4096 };

struct merge_words {
    size_t n;
    const char *words[MAX_ARCHIVES]; /* as they were given */
    const char *files[MAX_ARCHIVES];
    const char *output;
    bool force;
    struct merge_options options;
};

/* In the arena: the archive that each word means. */
static int find_files(struct merge_words *q, struct arena *arena, struct error *err)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < q->n; i++)
        if (results_file(q->words[i], "archive.h5", path, err) != 0 ||
            (q->files[i] = arena_copy_string(arena, path, err)) == NULL)
            return -1;
    return 0;
}

static int write_merged(const struct merge_words *q, const struct archive *merged, struct error *err)
{
    const char *name;
    struct output *output = output_open_for(q->output, q->force, &name, err);
    int rc = output == NULL ? -1 : archive_write(merged, output, name, false, err);

    output_close(output);
    if (rc == 0)
        printf("%s: %" PRIu64 " records used of %zu, from %zu archives\n", q->output, merged->records_used,
               merged->n_records, q->n);
    return rc;
}

static int merge(struct merge_words *q, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct archive merged = {0};
    int rc = arena == NULL ? -1 : find_files(q, arena, err);

    if (rc == 0)
        rc = merge_archives(q->files, q->n, &q->options, &merged, err);
    if (rc == 0)
        rc = write_merged(q, &merged, err);
    archive_fini(&merged);
    arena_destroy(arena);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct merge_words *q = memory_create(1, sizeof *q, "a list of archives", err);
    bool wants_help = false;
    int rc = -1;

    if (q != NULL) {
        const struct option options[] = {
            {"output", 'o', OPTION_TEXT, &q->output, "FILE", "the archive to write"},
            {"allow-repeats", 0, OPTION_FLAG, &q->options.allows_repeats, NULL,
             "records that are in several archives count as often"},
            {"force", 0, OPTION_FLAG, &q->force, NULL, "replace the file"},
            {0},
        };

        rc = options_read(argc, argv, options, q->words, MAX_ARCHIVES, &q->n, &wants_help, err);
        if (rc == 0 && wants_help)
            rc = verb_help(
                comm, "merge ARCHIVE.h5 ... --output FILE [options]",
                "Adds up archives of disjoint records, in the records' order: what one run over all would have\n"
                "measured, bit for bit where each but the last holds whole blocks. A folder of results stands for\n"
                "its archive.h5. Models are made from it by etalon emit.\n\n"
                "Example: etalon merge clusterA/archive.h5 clusterB/archive.h5 -o all.h5\n",
                options);
        else if (rc == 0 && q->n == 0)
            rc = error_set(err, EX_USAGE, "merge needs archives");
        else if (rc == 0 && q->output == NULL)
            rc = error_set(err, EX_USAGE, "merge needs --output with a file");
        else if (rc == 0)
            rc = merge(q, err);
    }
    free(q);
    return rc;
}

const struct verb verb_merge = {"merge", "add up archives of disjoint records", false, run};
