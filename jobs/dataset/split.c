/* split.c — `etalon dataset split`: an LMDB becomes several, for node-local disks.
 */
#include "jobs/dataset/dataset.h"
#include "jobs/verb.h"

#include "common/log.h"
#include "formats/records/lmdb_split.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct split {
    const char *path, *output;
    uint64_t n_parts, block;
};

/* Part k of the blocks: sizes differ by one block at most, and every cut lies at a multiple of the block. */
static uint64_t part_start(uint64_t n_records, const struct split *q, uint64_t k)
{
    uint64_t n_blocks = n_records / q->block + (n_records % q->block != 0), per = n_blocks / q->n_parts;
    uint64_t more = n_blocks % q->n_parts, start = (per * k + (k < more ? k : more)) * q->block;

    return start < n_records ? start : n_records;
}

static int copy_part(struct lmdb_split *split, const struct split *q, uint64_t k, struct error *err)
{
    uint64_t n = lmdb_split_count(split), first = part_start(n, q, k), end = part_start(n, q, k + 1);
    char folder[PATH_MAX];

    if (snprintf(folder, sizeof folder, "%s/part-%05" PRIu64 "-of-%05" PRIu64, q->output, k, q->n_parts) >=
        (int)sizeof folder)
        return error_set(err, EX_CANTCREAT, "%s: the path is too long", q->output);
    return lmdb_split_copy(split, first, end - first, folder, err);
}

static int check(const struct lmdb_split *split, const struct split *q, struct error *err)
{
    uint64_t n = lmdb_split_count(split);

    if (q->n_parts == 0 || q->block == 0)
        return error_set(err, EX_USAGE, "dataset split needs --parts N, at least 1, and blocks of at least 1 record");
    if (n / q->block + (n % q->block != 0) < q->n_parts)
        return error_set(err, EX_USAGE,
                         "%s: %" PRIu64 " records in blocks of %" PRIu64 " do not make %" PRIu64 " parts", q->path, n,
                         q->block, q->n_parts);
    if (mkdir(q->output, 0777) != 0 && errno != EEXIST)
        return error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", q->output, strerror(errno));
    return 0;
}

/* Rank r writes parts r, r + n, ...: with as many parts as nodes and a rank on each, its own disk gets its own. */
static int split_all(const struct comm *comm, const struct split *q, struct error *err)
{
    struct lmdb_split *split = lmdb_split_open(q->path, err);
    int rc = split == NULL ? -1 : check(split, q, err);

    for (uint64_t k = (uint64_t)comm->rank; rc == 0 && k < q->n_parts; k += (uint64_t)comm->size)
        rc = copy_part(split, q, k, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        log_info("%s: wrote %" PRIu64 " parts of %" PRIu64 " records", q->output, q->n_parts, lmdb_split_count(split));
    lmdb_split_close(split);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    struct split q = {.n_parts = 0, .block = 8};
    const char *words[2], *parts = NULL, *block = NULL;
    bool wants_help = false;
    size_t n_words;
    const struct option options[] = {
        {"parts", 0, OPTION_TEXT, &parts, "N", "how many"},
        {"block", 0, OPTION_TEXT, &block, "N", "records that stay together: calibration.block of the job (default 8)"},
        {0},
    };

    if (options_read(argc, argv, options, words, 2, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "dataset split LMDB OUTPUT --parts N [options]",
                         "Copies an LMDB into OUTPUT/part-00000-of-0000N and so on, records in order. Under mpirun\n"
                         "the ranks share the parts: one rank a node puts each part on its own disk.\n\n"
                         "Example: srun --ntasks-per-node=1 -N 4 etalon dataset split train_lmdb /scratch/train "
                         "--parts 4\n",
                         options);
    if (n_words != 2)
        return error_set(err, EX_USAGE, "dataset split needs LMDB and OUTPUT");
    q.path = words[0];
    q.output = words[1];
    if (dataset_number("parts", parts, &q.n_parts, err) != 0 || dataset_number("block", block, &q.block, err) != 0)
        return -1;
    return split_all(comm, &q, err);
}

const struct dataset_verb dataset_verb_split = {"split", true, run};
