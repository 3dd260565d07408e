/* lmdb.c — an LMDB of Caffe Datum messages as a dataset, in key order.
 *
 * Reading an ordinal steps forward from where the cursor stands, or from the nearest key of the index. A block is a run
 * of consecutive ordinals, so reading is almost always one step.
 */
#include "formats/record.h"

#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/digest.h"
#include "formats/records/lmdb_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PREFETCH_BYTES = 16 << 10, /* a value beyond four pages is asked for at once rather than fault by fault */
    PROBE_EVERY = 8,           /* see prefetch */
};

struct lmdb {
    struct lmdb_env *env;
    struct key_index index;
};

struct lmdb_cursor {
    MDB_txn *txn;
    MDB_cursor *cursor;
    bool is_placed;
    uint64_t ordinal; /* where the cursor stands, if placed */
    struct lmdb_touched touched;
    bool is_cold; /* large values are not in the system's cache, as far as known */
    uint64_t n_large;
};

static void lmdb_close(void *state)
{
    struct lmdb *lmdb = state;

    lmdb_env_close(lmdb->env);
    key_index_fini(&lmdb->index);
    free(lmdb);
}

static int find_keys(struct lmdb *lmdb, const struct dataset_request *request, struct error *err)
{
    if (request->index != NULL)
        return lmdb_index_unpack(lmdb->env, request->index, request->index_size, &lmdb->index, err);
    return lmdb_index_build(lmdb->env, request->limit, &lmdb->index, err);
}

static int lmdb_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    struct lmdb *lmdb;

    lmdb = memory_create(1, sizeof *lmdb, "an LMDB dataset", err);
    if (lmdb == NULL)
        return -1;
    lmdb->env = lmdb_env_open(request->path, err);
    if (lmdb->env != NULL) {
        if (find_keys(lmdb, request, err) == 0) {
            *state = lmdb;
            *n_records = lmdb->index.n_records;
            return 0;
        }
        error_in(err, "%s", request->path);
    }
    lmdb_close(lmdb);
    return -1;
}

static int lmdb_cursor_open(void *state, void **cursor, struct error *err)
{
    struct lmdb *lmdb = state;
    struct lmdb_cursor *mine = memory_create(1, sizeof *mine, "a cursor", err);

    if (mine == NULL)
        return -1;
    if (lmdb_env_cursor(lmdb->env, &mine->txn, &mine->cursor, err) < 0) {
        free(mine);
        return -1;
    }
    *cursor = mine;
    return 0;
}

static void lmdb_cursor_close(void *cursor)
{
    struct lmdb_cursor *mine = cursor;

    mdb_cursor_close(mine->cursor);
    mdb_txn_abort(mine->txn);
    lmdb_let_go(&mine->touched);
    free(mine);
}

/* Puts the cursor on record `ordinal` and lends its key and value. */
static int place(const struct key_index *index, struct lmdb_cursor *cursor, uint64_t ordinal, MDB_val *key,
                 MDB_val *value, struct error *err)
{
    uint64_t at = ordinal - ordinal % KEY_INDEX_STRIDE;
    MDB_cursor_op op = MDB_SET_KEY;
    int code;

    *key = lmdb_key_at(index, ordinal);
    if (cursor->is_placed && cursor->ordinal <= ordinal &&
        ordinal - cursor->ordinal <= ordinal % KEY_INDEX_STRIDE + 1) {
        at = cursor->ordinal;
        op = MDB_GET_CURRENT;
    }
    cursor->is_placed = false;
    code = mdb_cursor_get(cursor->cursor, key, value, op);
    for (; code == 0 && at < ordinal; at++) {
        lmdb_touch(&cursor->touched, key); /* a page of keys on the way; with huge pages, 2 MB around it */
        code = mdb_cursor_get(cursor->cursor, key, value, MDB_NEXT);
    }
    if (code != 0)
        return lmdb_error(code, "finding the record", err);
    lmdb_touch(&cursor->touched, key);
    lmdb_touch(&cursor->touched, value);
    cursor->is_placed = true;
    cursor->ordinal = ordinal;
    return 0;
}

static bool is_cached(const void *page)
{
    unsigned char residency = 0;

    return mincore((void *)(uintptr_t)page, 1, &residency) == 0 && (residency & 1) != 0;
}

/* Random advice is set for the whole file (blocks are claimed here and there), so a large value that is not in the
 * system's cache would come in by one read per page: ask for its pages together. Where they are there already, asking
 * costs as much as reading them, and finding that out a tenth of it: one value in eight, by its first page, tells for
 * all as long as none is missing. Advice only: a wrong guess costs time. */
static void prefetch(struct lmdb_cursor *cursor, const MDB_val *value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)value->mv_data / page * page;

    if (value->mv_size <= PREFETCH_BYTES)
        return;
    if (cursor->n_large++ % PROBE_EVERY == 0 || cursor->is_cold)
        cursor->is_cold = !is_cached((const void *)from);
    if (cursor->is_cold)
        (void)madvise((void *)from, (uintptr_t)value->mv_data + value->mv_size - from, MADV_WILLNEED);
}

static int lmdb_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    struct lmdb *lmdb = state;
    struct lmdb_cursor *mine = cursor;
    MDB_val key, value;

    lmdb_let_go_of_much(&mine->touched); /* the record lent before is done with */
    if (place(&lmdb->index, cursor, ordinal, &key, &value, err) < 0)
        return -1;
    key_text(key.mv_data, key.mv_size, record->key);
    if (value.mv_size > lmdb_env_size_bytes(lmdb->env))
        return error_set(err, EX_DATAERR, "a value of %zu bytes in a file of %zu", value.mv_size,
                         lmdb_env_size_bytes(lmdb->env));
    prefetch(mine, &value);
    record->digest = record_digest(value.mv_data, value.mv_size);
    return datum_to_record(value.mv_data, value.mv_size, record, err);
}

static int lmdb_read_key(void *state, void *cursor, uint64_t ordinal, char text[RECORD_KEY_BYTES], struct error *err)
{
    struct lmdb *lmdb = state;
    struct lmdb_cursor *mine = cursor;
    MDB_val key, value;

    if (place(&lmdb->index, mine, ordinal, &key, &value, err) < 0)
        return -1;
    key_text(key.mv_data, key.mv_size, text);
    lmdb_let_go_of_much(&mine->touched);
    return 0;
}

static int lmdb_index(void *state, void **bytes, size_t *size, struct error *err)
{
    return key_index_pack(&((struct lmdb *)state)->index, bytes, size, err);
}

static int lmdb_check_unchanged(void *state, struct error *err)
{
    return lmdb_env_check_unchanged(((struct lmdb *)state)->env, err);
}

const struct record_kind record_kind_lmdb = {
    .name = "lmdb",
    .summary = "an LMDB of Caffe Datum messages (raw, encoded or float), in key order",
    .open = lmdb_open,
    .close = lmdb_close,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .read = lmdb_read,
    .read_key = lmdb_read_key,
    .index = lmdb_index,
    .check_unchanged = lmdb_check_unchanged,
};
