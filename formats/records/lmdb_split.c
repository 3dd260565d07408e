/* lmdb_split.c — see lmdb_split.h. */
#include "formats/records/lmdb_split.h"

#include "common/memory.h"
#include "formats/records/lmdb_index.h"
#include "formats/records/lmdb_write.h"

#include <stdlib.h>

struct lmdb_split {
    struct lmdb_env *env;
    struct key_index index;
};

struct lmdb_split *lmdb_split_open(const char *path, struct error *err)
{
    struct lmdb_split *split = memory_create(1, sizeof *split, "an LMDB", err);

    if (split == NULL)
        return NULL;
    split->env = lmdb_env_open(path, err);
    if (split->env != NULL) {
        if (lmdb_index_build(split->env, 0, &split->index, err) == 0)
            return split;
        error_in(err, "%s", path);
    }
    lmdb_split_close(split);
    return NULL;
}

void lmdb_split_close(struct lmdb_split *split)
{
    if (split == NULL)
        return;
    lmdb_env_close(split->env);
    key_index_fini(&split->index);
    free(split);
}

uint64_t lmdb_split_count(const struct lmdb_split *split)
{
    return split->index.n_records;
}

/* From the nearest key of the index on. */
static int copy_records(const struct lmdb_split *split, MDB_cursor *cursor, uint64_t first, uint64_t count,
                        struct lmdb_writer *writer, struct error *err)
{
    struct lmdb_touched touched = {0};
    MDB_val key = lmdb_key_at(&split->index, first), value;
    int rc = 0, code = mdb_cursor_get(cursor, &key, NULL, MDB_SET_KEY);

    for (uint64_t i = first / KEY_INDEX_STRIDE * KEY_INDEX_STRIDE; rc == 0 && code == 0; i++) {
        if (i >= first) {
            code = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
            if (code != 0)
                break;
            rc = lmdb_writer_put_bytes(writer, key.mv_data, key.mv_size, value.mv_data, value.mv_size, err);
            lmdb_touch(&touched, &value);
        }
        lmdb_touch(&touched, &key);
        lmdb_let_go_of_much(&touched);
        if (i + 1 == first + count)
            break;
        code = mdb_cursor_get(cursor, &key, NULL, MDB_NEXT);
    }
    lmdb_let_go(&touched);
    return rc == 0 && code != 0 ? lmdb_error(code, "reading the records", err) : rc;
}

int lmdb_split_copy(struct lmdb_split *split, uint64_t first, uint64_t count, const char *folder, struct error *err)
{
    struct lmdb_writer *writer;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc;

    if (count == 0 || first >= split->index.n_records || count > split->index.n_records - first)
        return error_set(err, EX_SOFTWARE, "records %llu and %llu more of %llu were asked for",
                         (unsigned long long)first, (unsigned long long)count,
                         (unsigned long long)split->index.n_records);
    if (lmdb_env_cursor(split->env, &txn, &cursor, err) < 0)
        return -1;
    writer = lmdb_writer_open(folder, err);
    rc = writer == NULL ? -1 : copy_records(split, cursor, first, count, writer, err);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (rc == 0)
        return lmdb_writer_commit(writer, err);
    lmdb_writer_cancel(writer);
    return -1;
}
