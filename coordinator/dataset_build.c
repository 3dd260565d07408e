/* dataset_build.c — see dataset_build.h. */
#include "coordinator/dataset_build.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/open_dataset.h"
#include "coordinator/progress.h"
#include "formats/records/database.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    BLOCK_RECORDS = 16,
    MAX_RECORDS = 100000000 /* "%08d": with nine digits, key order is no longer list order */
};

struct build {
    const struct comm *comm;
    const struct dataset_build_options *options;
    uint64_t n_records, n_blocks;
    uint32_t *order;         /* of the records, where shuffled; else NULL */
    struct encoder *encoder; /* this rank's */
    struct piece piece;

    /* Of rank 0: */
    const struct database_kind *kind;
    void *writer;
    size_t first_bytes; /* of the first record's pixels */
    uint64_t n_written, n_bad;
};

/* splitmix64 (Steele, Lea, Flood 2014): one multiplication-xor chain per number, the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Fisher-Yates. The modulo's bias is below n / 2^64. */
static uint32_t *create_order(uint64_t n, uint64_t seed, struct error *err)
{
    uint32_t *order = memory_create(n, sizeof *order, "the order of records", err);

    for (uint64_t i = 0; order != NULL && i < n; i++)
        order[i] = (uint32_t)i;
    for (uint64_t i = n; order != NULL && i > 1; i--) {
        uint64_t j = next_random(&seed) % i;
        uint32_t swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
    return order;
}

static int encode_block(struct build *build, uint64_t block, struct error *err)
{
    uint64_t first = block * BLOCK_RECORDS, left = build->n_records - first;

    build->piece.size = 0;
    for (uint64_t i = first; i < first + (left < BLOCK_RECORDS ? left : BLOCK_RECORDS); i++)
        if (encoder_append(build->encoder, build->order == NULL ? i : build->order[i], i, &build->piece, err) < 0)
            return -1;
    return 0;
}

static int take_entry(struct build *build, const struct piece_entry *entry, struct error *err)
{
    const struct dataset_build_options *options = build->options;
    bool is_bad = entry->is_bad;
    struct error why = {0};

    if (is_bad) {
        error_set(&why, EX_DATAERR, "%s", entry->text);
    } else {
        build->first_bytes = build->first_bytes == 0 ? entry->pixels_bytes : build->first_bytes;
        is_bad = options->is_size_checked && entry->pixels_bytes != build->first_bytes;
        if (is_bad)
            error_set(&why, EX_DATAERR, "%s: expected %zu bytes as in the first record, found %zu", entry->text,
                      build->first_bytes, entry->pixels_bytes);
    }
    if (!is_bad) {
        build->n_written++;
        return build->kind->put(build->writer, entry->text, entry->value, entry->value_bytes, err);
    }
    if (build->n_bad == options->max_bad_records)
        return error_set(err, why.code, "%s", why.text);
    build->n_bad++;
    log_warning("%s: left out", why.text);
    return 0;
}

static int write_piece(struct build *build, struct error *err)
{
    struct piece_entry entry;

    for (size_t at = 0; piece_next(&build->piece, &at, &entry);)
        if (take_entry(build, &entry, err) < 0)
            return -1;
    return 0;
}

/* Rank 0 writes the blocks of a round in order, its own first; the others hand theirs over. A failure of rank 0 shows
 * to the others in the next round's verdict, so it still takes what they offer. */
static int write_round(struct build *build, uint64_t first, struct error *err)
{
    int size = build->comm->size, rc = 0;

    if (build->comm->rank > 0) {
        if (first + (uint64_t)build->comm->rank < build->n_blocks)
            comm_give(build->piece.bytes, build->piece.size);
        return 0;
    }
    rc = write_piece(build, err);
    for (int r = 1; r < size && first + (uint64_t)r < build->n_blocks; r++) {
        struct error why = {0};

        if (comm_take(r, (void **)&build->piece.bytes, &build->piece.capacity, &build->piece.size, &why) < 0)
            rc = rc < 0 ? rc : error_set(err, why.code, "%s", why.text);
        else if (rc == 0)
            rc = write_piece(build, err);
    }
    return rc;
}

/* Round by round: all encode, all agree on how that and the writing before it went, rank 0 writes. While it writes, the
 * others encode the next round. */
static int build_all(struct build *build, struct error *err)
{
    uint64_t size = (uint64_t)build->comm->size, rank = (uint64_t)build->comm->rank;
    struct progress progress = progress_begin("dataset build", (double)build->n_records);
    int rc = 0;

    for (uint64_t first = 0; first < build->n_blocks; first += size) {
        if (rc == 0 && first + rank < build->n_blocks)
            rc = encode_block(build, first + rank, err);
        if ((rc = comm_agree(build->comm, rc, err)) < 0)
            break;
        rc = write_round(build, first, err);
        if (build->comm->rank == 0)
            progress_tell(&progress, (double)(first * BLOCK_RECORDS));
    }
    progress_end(&progress);
    if (rc == 0 && build->comm->rank == 0 && build->n_written == 0)
        rc = error_set(err, EX_DATAERR, "%s: holds no usable record", build->options->source.path);
    return rc;
}

static int check_options(const struct dataset_build_options *options, struct error *err)
{
    if (options->source.path == NULL || options->output == NULL)
        return error_set(err, EX_USAGE, "expected a dataset and an output");
    return encode_options_check(&options->encode, err);
}

/* Everything before the first record is read. Rank 0 creates the output. */
static int prepare(struct build *build, struct dataset *dataset, struct error *err)
{
    const struct dataset_build_options *options = build->options;

    build->n_records = dataset_count(dataset);
    build->n_blocks = (build->n_records + BLOCK_RECORDS - 1) / BLOCK_RECORDS;
    if (build->n_records > MAX_RECORDS)
        return error_set(err, EX_DATAERR, "expected at most %d records, found %" PRIu64, MAX_RECORDS, build->n_records);
    if (options->is_shuffled && (build->order = create_order(build->n_records, options->seed, err)) == NULL)
        return -1;
    build->encoder = encoder_create(&options->encode, dataset, err);
    if (build->encoder == NULL || (build->kind = database_find(options->database, err)) == NULL)
        return -1;
    if (build->comm->rank == 0)
        build->writer = build->kind->open(options->output, err);
    return build->comm->rank == 0 && build->writer == NULL ? -1 : 0;
}

/* Rank 0's database becomes visible or disappears. */
static int finish(struct build *build, int rc, struct error *err)
{
    if (build->writer == NULL)
        return rc;
    if (rc == 0)
        return build->kind->commit(build->writer, err);
    build->kind->cancel(build->writer);
    return rc;
}

int dataset_build(const struct comm *comm, const struct dataset_build_options *options, struct error *err)
{
    struct build build = {.comm = comm, .options = options};
    struct dataset *dataset = NULL;
    int rc = check_options(options, err); /* of a command line: the same on every rank */

    if (rc == 0)
        rc = comm_open_dataset(comm, options->source, &dataset, err);
    if (rc == 0)
        rc = prepare(&build, dataset, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = comm_agree(comm, build_all(&build, err), err);
    rc = comm_agree(comm, finish(&build, rc, err), err);
    if (rc == 0)
        log_info("%s: wrote %" PRIu64 " records, left out %" PRIu64, options->output, build.n_written, build.n_bad);
    encoder_destroy(build.encoder);
    piece_fini(&build.piece);
    free(build.order);
    dataset_close(dataset);
    return rc;
}
