/* lmdb.c — an LMDB of Caffe Datum messages as a dataset, in key order.
 *
 * LMDB has no ordinal access. Opening walks over the keys once (leaf pages only, values that live on pages of their own
 * are not touched) and keeps every 32nd; reading an ordinal steps forward from where the cursor stands, or from the
 * nearest kept key. A block is a run of consecutive ordinals, so reading is almost always one step. A million records
 * with keys of 30 bytes keep about 1.5 MB.
 */
#include "formats/record.h"

#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_env.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    STRIDE = 32,
    KEY_MAX_BYTES = 511,       /* LMDB's own limit */
    PREFETCH_BYTES = 16 << 10, /* a value beyond four pages is asked for at once rather than fault by fault */
    LET_GO_BYTES = 1 << 20,    /* read before pages are let go: few calls, little memory */
};

/* What was read of the mapping and still counts as this process's memory. */
struct touched {
    uintptr_t from, to; /* 0, 0: nothing */
    size_t bytes;
};

struct key_index {
    size_t n, offsets_capacity;
    size_t *offsets; /* [n + 1]: key i is keys[offsets[i] .. offsets[i + 1]), of ordinal i * STRIDE */
    size_t keys_size, keys_capacity;
    uint8_t *keys;
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
    struct touched touched;
};

static int index_add(struct key_index *index, const MDB_val *key, struct error *err)
{
    if (key->mv_size > KEY_MAX_BYTES)
        return error_set(err, EX_DATAERR, "expected keys of at most %d bytes, found %zu", KEY_MAX_BYTES, key->mv_size);
    if (memory_grow((void **)&index->offsets, &index->offsets_capacity, index->n + 1, sizeof(size_t), "a key index",
                    err) < 0 ||
        memory_grow((void **)&index->keys, &index->keys_capacity, index->keys_size + key->mv_size, 1, "a key index",
                    err) < 0)
        return -1;
    memcpy(index->keys + index->keys_size, key->mv_data, key->mv_size);
    index->keys_size += key->mv_size;
    index->offsets[++index->n] = index->keys_size;
    return 0;
}

/* Pages that were read stay in the system's cache, but need not stay in this process: a set larger than memory would
 * otherwise fill what the job was given. Another thread that reads them now maps them again. Advice only. */
static void let_go(struct touched *touched)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = touched->from / page * page;

    if (touched->to > from)
        (void)madvise((void *)from, touched->to - from, MADV_DONTNEED);
    *touched = (struct touched){0};
}

static void touch(struct touched *touched, const MDB_val *part)
{
    uintptr_t from = (uintptr_t)part->mv_data, to = from + part->mv_size;

    touched->from = touched->to == 0 || from < touched->from ? from : touched->from;
    touched->to = to > touched->to ? to : touched->to;
    touched->bytes += part->mv_size;
}

/* One walk over the keys, to `limit` of them (0: all). */
static int index_build(struct lmdb *lmdb, uint64_t limit, uint64_t *n_records, struct error *err)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    struct touched touched = {0};
    uint64_t n = 0;
    int code = 0, rc = 0;

    if (lmdb_env_cursor(lmdb->env, &txn, &cursor, err) < 0)
        return -1;
    for (; rc == 0 && (limit == 0 || n < limit); n++) {
        code = mdb_cursor_get(cursor, &key, NULL, n == 0 ? MDB_FIRST : MDB_NEXT);
        if (code != 0)
            break;
        touch(&touched, &key);
        if (n % STRIDE == 0)
            rc = index_add(&lmdb->index, &key, err);
        if (touched.bytes >= LET_GO_BYTES)
            let_go(&touched);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    let_go(&touched);
    if (rc == 0 && code != 0 && code != MDB_NOTFOUND)
        rc = lmdb_error(code, "walking over the keys", err);
    *n_records = n;
    return rc;
}

static void lmdb_close(void *state)
{
    struct lmdb *lmdb = state;

    lmdb_env_close(lmdb->env);
    free(lmdb->index.offsets);
    free(lmdb->index.keys);
    free(lmdb);
}

static int lmdb_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    struct lmdb *lmdb;

    if (request->list != NULL)
        return error_set(err, EX_CONFIG, "%s: a dataset of kind \"lmdb\" takes no list", request->path);
    lmdb = memory_create(1, sizeof *lmdb, "an LMDB dataset", err);
    if (lmdb == NULL)
        return -1;
    lmdb->env = lmdb_env_open(request->path, err);
    if (lmdb->env != NULL) {
        if (index_build(lmdb, request->limit, n_records, err) == 0) {
            *state = lmdb;
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
    let_go(&mine->touched);
    free(mine);
}

/* Puts the cursor on record `ordinal` and lends its key and value. */
static int place(const struct key_index *index, struct lmdb_cursor *cursor, uint64_t ordinal, MDB_val *key,
                 MDB_val *value, struct error *err)
{
    size_t kept = ordinal / STRIDE;
    uint64_t at = ordinal - ordinal % STRIDE;
    MDB_cursor_op op = MDB_SET_KEY;
    int code;

    *key = (MDB_val){index->offsets[kept + 1] - index->offsets[kept], index->keys + index->offsets[kept]};
    if (cursor->is_placed && cursor->ordinal <= ordinal && ordinal - cursor->ordinal <= ordinal % STRIDE + 1) {
        at = cursor->ordinal;
        op = MDB_GET_CURRENT;
    }
    cursor->is_placed = false;
    code = mdb_cursor_get(cursor->cursor, key, value, op);
    for (; code == 0 && at < ordinal; at++) {
        touch(&cursor->touched, key); /* a page of keys on the way; with huge pages, 2 MB around it */
        code = mdb_cursor_get(cursor->cursor, key, value, MDB_NEXT);
    }
    if (code != 0)
        return lmdb_error(code, "finding the record", err);
    touch(&cursor->touched, key);
    touch(&cursor->touched, value);
    cursor->is_placed = true;
    cursor->ordinal = ordinal;
    return 0;
}

/* Text stays as it is; keys with control bytes are written as 0x..., cut where the record's field ends. */
static void copy_key(const MDB_val *key, char text[RECORD_KEY_BYTES])
{
    const uint8_t *bytes = key->mv_data;
    size_t n = key->mv_size < RECORD_KEY_BYTES ? key->mv_size : RECORD_KEY_BYTES - 1;
    bool is_text = true;

    for (size_t i = 0; i < n; i++)
        is_text = is_text && bytes[i] >= 0x20 && bytes[i] != 0x7f;
    if (is_text) {
        memcpy(text, bytes, n);
        text[n] = '\0';
        return;
    }
    memcpy(text, "0x", 3);
    for (size_t i = 0; i < n && 2 * i + 5 <= RECORD_KEY_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";

        text[2 * i + 2] = digits[bytes[i] >> 4];
        text[2 * i + 3] = digits[bytes[i] & 15];
        text[2 * i + 4] = '\0';
    }
}

/* Random advice is set for the whole file (blocks are claimed here and there), so a large value would come in by one
 * fault per page: ask for its pages together. Advice only: failure costs nothing but time. */
static void prefetch(const MDB_val *value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)value->mv_data / page * page;

    if (value->mv_size > PREFETCH_BYTES)
        (void)madvise((void *)from, (uintptr_t)value->mv_data + value->mv_size - from, MADV_WILLNEED);
}

static int lmdb_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    struct lmdb *lmdb = state;
    struct lmdb_cursor *mine = cursor;
    MDB_val key, value;

    if (mine->touched.bytes >= LET_GO_BYTES) /* what was lent before is copied by now */
        let_go(&mine->touched);
    if (place(&lmdb->index, cursor, ordinal, &key, &value, err) < 0)
        return -1;
    copy_key(&key, record->key);
    if (value.mv_size > lmdb_env_size_bytes(lmdb->env))
        return error_set(err, EX_DATAERR, "a value of %zu bytes in a file of %zu", value.mv_size,
                         lmdb_env_size_bytes(lmdb->env));
    prefetch(&value);
    record->digest = XXH3_64bits(value.mv_data, value.mv_size);
    return datum_to_record(value.mv_data, value.mv_size, record, err);
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
    .check_unchanged = lmdb_check_unchanged,
};
