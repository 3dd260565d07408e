/* lmdb_index.c — see lmdb_index.h. */
#include "formats/records/lmdb_index.h"

static int walk(MDB_cursor *cursor, uint64_t n_records, struct key_index *index, struct error *err)
{
    struct lmdb_touched touched = {0};
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
        rc = key_index_add(index, key.mv_data, key.mv_size, err);
        lmdb_let_go_of_much(&touched);
    }
    lmdb_let_go(&touched);
    return rc;
}

int lmdb_index_build(struct lmdb_env *env, uint64_t limit, struct key_index *index, struct error *err)
{
    uint64_t n_records;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc = -1;

    if (lmdb_env_cursor(env, &txn, &cursor, err) < 0)
        return -1;
    if (lmdb_env_count(env, txn, &n_records, err) == 0) {
        n_records = limit > 0 && limit < n_records ? limit : n_records;
        rc = walk(cursor, n_records, index, err);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc;
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

int lmdb_index_unpack(struct lmdb_env *env, const void *bytes, size_t size, struct key_index *index, struct error *err)
{
    if (key_index_unpack(bytes, size, index, err) < 0)
        return -1;
    return check_count(env, index->n_records, err);
}

MDB_val lmdb_key_at(const struct key_index *index, uint64_t ordinal)
{
    size_t size;
    const void *key = key_index_key(index, ordinal, &size);

    return (MDB_val){size, (void *)(uintptr_t)key}; /* LMDB does not write to it */
}
