/* lmdb_index.c — see lmdb_index.h. */
#include "formats/records/lmdb_index.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEY_MAX_BYTES = 511,      /* LMDB's own limit */
    LET_GO_BYTES = 128 << 10, /* keys seen before their pages are let go; with values beside them, up to 8 MB */
};

void lmdb_index_fini(struct lmdb_index *index)
{
    free(index->offsets);
    free(index->keys);
    *index = (struct lmdb_index){0};
}

/* Room for the offsets of n_records; keys grow as they come. */
static int reserve(struct lmdb_index *index, uint64_t n_records, struct error *err)
{
    uint64_t n_keys = n_records / LMDB_INDEX_STRIDE + (n_records % LMDB_INDEX_STRIDE != 0);

    index->offsets = memory_create((size_t)n_keys + 1, sizeof *index->offsets, "a key index", err);
    return index->offsets == NULL ? -1 : 0;
}

static int add_key(struct lmdb_index *index, size_t *capacity, const MDB_val *key, struct error *err)
{
    uint64_t at = index->offsets[index->n_keys];

    if (key->mv_size > KEY_MAX_BYTES)
        return error_set(err, EX_DATAERR, "expected keys of at most %d bytes, found %zu", KEY_MAX_BYTES, key->mv_size);
    if (memory_grow((void **)&index->keys, capacity, at + key->mv_size, 1, "a key index", err) < 0)
        return -1;
    memcpy(index->keys + at, key->mv_data, key->mv_size);
    index->offsets[++index->n_keys] = at + key->mv_size;
    return 0;
}

static int walk(MDB_cursor *cursor, uint64_t n_records, struct lmdb_index *index, struct error *err)
{
    struct lmdb_touched touched = {0};
    size_t capacity = 0;
    int rc = 0;

    for (uint64_t n = 0; rc == 0 && n < n_records; n++) {
        MDB_val key;
        int code = mdb_cursor_get(cursor, &key, NULL, n == 0 ? MDB_FIRST : MDB_NEXT);

        if (code == MDB_NOTFOUND)
            rc = error_set(err, EX_DATAERR, "expected %llu records, found %llu", (unsigned long long)n_records,
                           (unsigned long long)n);
        else if (code != 0)
            rc = lmdb_error(code, "walking over the keys", err);
        if (rc != 0)
            break;
        lmdb_touch(&touched, &key);
        if (n % LMDB_INDEX_STRIDE == 0)
            rc = add_key(index, &capacity, &key, err);
        if (touched.bytes >= LET_GO_BYTES)
            lmdb_let_go(&touched);
    }
    lmdb_let_go(&touched);
    index->n_records = n_records;
    return rc;
}

int lmdb_index_build(struct lmdb_env *env, uint64_t limit, struct lmdb_index *index, struct error *err)
{
    uint64_t n_records;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc = -1;

    if (lmdb_env_cursor(env, &txn, &cursor, err) < 0)
        return -1;
    if (lmdb_env_count(env, txn, &n_records, err) == 0) {
        n_records = limit > 0 && limit < n_records ? limit : n_records;
        rc = reserve(index, n_records, err);
    }
    if (rc == 0)
        rc = walk(cursor, n_records, index, err);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc;
}

MDB_val lmdb_index_key(const struct lmdb_index *index, uint64_t ordinal)
{
    size_t i = (size_t)(ordinal / LMDB_INDEX_STRIDE);

    return (MDB_val){(size_t)(index->offsets[i + 1] - index->offsets[i]), index->keys + index->offsets[i]};
}

/* Packed: the number of records, the offsets, the keys. */
int lmdb_index_pack(const struct lmdb_index *index, void **bytes, size_t *size, struct error *err)
{
    size_t offsets_size = (index->n_keys + 1) * sizeof *index->offsets;
    size_t keys_size = (size_t)index->offsets[index->n_keys];
    uint8_t *to = memory_create(sizeof(uint64_t) + offsets_size + keys_size, 1, "a packed key index", err);

    if (to == NULL)
        return -1;
    memcpy(to, &index->n_records, sizeof(uint64_t));
    memcpy(to + sizeof(uint64_t), index->offsets, offsets_size);
    if (keys_size > 0)
        memcpy(to + sizeof(uint64_t) + offsets_size, index->keys, keys_size);
    *bytes = to;
    *size = sizeof(uint64_t) + offsets_size + keys_size;
    return 0;
}

/* Are the offsets those of n_keys keys in keys_size bytes? */
static bool is_sound(const struct lmdb_index *index, size_t n_keys, size_t keys_size)
{
    for (size_t i = 0; i < n_keys; i++)
        if (index->offsets[i + 1] <= index->offsets[i] || index->offsets[i + 1] - index->offsets[i] > KEY_MAX_BYTES)
            return false;
    return index->offsets[0] == 0 && index->offsets[n_keys] == keys_size;
}

static int check_count(struct lmdb_env *env, uint64_t expected, struct error *err)
{
    uint64_t found = 0;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc;

    if (lmdb_env_cursor(env, &txn, &cursor, err) < 0)
        return -1;
    rc = lmdb_env_count(env, txn, &found, err);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (rc == 0 && found < expected)
        return error_set(err, EX_DATAERR, "expected the %llu records of its index, found %llu",
                         (unsigned long long)expected, (unsigned long long)found);
    return rc;
}

int lmdb_index_unpack(struct lmdb_env *env, const void *bytes, size_t size, struct lmdb_index *index, struct error *err)
{
    const uint8_t *from = bytes;
    uint64_t n_records;
    size_t n_keys, offsets_size, keys_size;

    if (size < 2 * sizeof(uint64_t))
        return error_set(err, EX_DATAERR, "expected a key index, found %zu bytes", size);
    memcpy(&n_records, from, sizeof n_records);
    if (check_count(env, n_records, err) < 0)
        return -1;
    n_keys = (size_t)(n_records / LMDB_INDEX_STRIDE + (n_records % LMDB_INDEX_STRIDE != 0));
    if (n_keys > size / sizeof(uint64_t) - 2)
        return error_set(err, EX_DATAERR, "expected an index of %zu keys, found %zu bytes", n_keys, size);
    offsets_size = (n_keys + 1) * sizeof *index->offsets;
    keys_size = size - sizeof(uint64_t) - offsets_size;
    if (reserve(index, n_records, err) < 0 || (index->keys = memory_create(keys_size, 1, "a key index", err)) == NULL)
        return -1;
    memcpy(index->offsets, from + sizeof(uint64_t), offsets_size);
    memcpy(index->keys, from + sizeof(uint64_t) + offsets_size, keys_size);
    index->n_records = n_records;
    index->n_keys = n_keys;
    return is_sound(index, n_keys, keys_size) ? 0 : error_set(err, EX_DATAERR, "a key index that is damaged");
}
