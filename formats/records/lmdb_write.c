/* lmdb_write.c — see lmdb_write.h. */
#include "formats/records/lmdb_write.h"

#include "common/memory.h"
#include "formats/records/database.h"
#include "formats/records/new_folder.h"

#include <errno.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_RECORDS = 1000 /* of one transaction, as Caffe's tool does */ };

/* The map must be larger than the data and may grow only between transactions. So a transaction ends before it exceeds
 * this many bytes, and the map always has room for one more: values at most double (a value of half a page and a byte
 * takes a page), plus branch pages and the list of freed pages. */
static const size_t batch_bytes = (size_t)64 << 20;

struct lmdb_writer {
    struct new_folder folder;
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    MDB_dbi database;
    size_t map_bytes, used_bytes, n_records; /* the last two: of this transaction */
};

static int failed(int code, const char *folder, struct error *err)
{
    return error_set(err, code == ENOMEM ? EX_OSERR : EX_IOERR, "%s: %s", folder, mdb_strerror(code));
}

struct lmdb_writer *lmdb_writer_open(const char *folder, struct error *err)
{
    struct lmdb_writer *writer = memory_create(1, sizeof *writer, "an LMDB writer", err);
    int code;

    if (writer == NULL)
        return NULL;
    if (new_folder_open(&writer->folder, folder, err) < 0) {
        free(writer);
        return NULL;
    }
    if ((code = mdb_env_create(&writer->env)) == 0 &&
        (code = mdb_env_open(writer->env, writer->folder.temporary, MDB_NOLOCK | MDB_NOSYNC | MDB_NOTLS, 0666)) == 0)
        return writer;
    error_set(err, EX_CANTCREAT, "%s: %s", writer->folder.temporary, mdb_strerror(code));
    lmdb_writer_cancel(writer);
    return NULL;
}

/* Begins a transaction with room for `size` bytes and a batch. */
static int begin(struct lmdb_writer *writer, size_t size, struct error *err)
{
    MDB_envinfo info;
    MDB_stat stat;
    size_t needed;
    int code = mdb_env_info(writer->env, &info);

    if (code == 0)
        code = mdb_env_stat(writer->env, &stat);
    if (code == 0) {
        needed = (info.me_last_pgno + 1) * stat.ms_psize + 2 * (batch_bytes + size) + ((size_t)16 << 20);
        if (needed > writer->map_bytes) {
            needed = needed > 2 * writer->map_bytes ? needed : 2 * writer->map_bytes;
            code = mdb_env_set_mapsize(writer->env, needed);
            writer->map_bytes = needed;
        }
    }
    if (code == 0)
        code = mdb_txn_begin(writer->env, NULL, 0, &writer->txn);
    if (code == 0)
        code = mdb_dbi_open(writer->txn, NULL, 0, &writer->database);
    writer->used_bytes = 0;
    writer->n_records = 0;
    return code == 0 ? 0 : failed(code, writer->folder.temporary, err);
}

static int end(struct lmdb_writer *writer, struct error *err)
{
    int code = writer->txn == NULL ? 0 : mdb_txn_commit(writer->txn);

    writer->txn = NULL; /* freed, whatever the code */
    return code == 0 ? 0 : failed(code, writer->folder.temporary, err);
}

int lmdb_writer_put_bytes(struct lmdb_writer *writer, const void *key, size_t key_size, const void *value, size_t size,
                          struct error *err)
{
    MDB_val k = {key_size, (void *)(uintptr_t)key}, v = {size, (void *)(uintptr_t)value}; /* LMDB only reads them */
    int code;

    if (key_size == 0 || key_size > 511 || size > UINT32_MAX) /* LMDB's limits */
        return error_set(err, EX_DATAERR, "%.*s: expected a key of 1 to 511 bytes and a value below 4 GiB",
                         (int)(key_size < 64 ? key_size : 64), (const char *)key);
    if (writer->txn != NULL && (writer->used_bytes + size > batch_bytes || writer->n_records == BATCH_RECORDS) &&
        end(writer, err) < 0)
        return -1;
    if (writer->txn == NULL && begin(writer, size, err) < 0)
        return -1;
    code = mdb_put(writer->txn, writer->database, &k, &v, MDB_APPEND);
    if (code == MDB_KEYEXIST)
        return error_set(err, EX_DATAERR, "%.*s: keys do not rise", (int)key_size, (const char *)key);
    if (code != 0)
        return failed(code, writer->folder.temporary, err);
    writer->used_bytes += size + key_size;
    writer->n_records++;
    return 0;
}

int lmdb_writer_put(struct lmdb_writer *writer, const char *key, const void *value, size_t size, struct error *err)
{
    return lmdb_writer_put_bytes(writer, key, strlen(key), value, size, err);
}

int lmdb_writer_commit(struct lmdb_writer *writer, struct error *err)
{
    int code, rc = end(writer, err);

    if (rc == 0 && (code = mdb_env_sync(writer->env, 1)) != 0)
        rc = failed(code, writer->folder.temporary, err);
    if (rc < 0) {
        lmdb_writer_cancel(writer);
        return -1;
    }
    mdb_env_close(writer->env);
    rc = new_folder_commit(&writer->folder, err);
    free(writer);
    return rc;
}

void lmdb_writer_cancel(struct lmdb_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->txn != NULL)
        mdb_txn_abort(writer->txn);
    if (writer->env != NULL)
        mdb_env_close(writer->env);
    new_folder_cancel(&writer->folder);
    free(writer);
}

static void *open_database(const char *folder, struct error *err)
{
    return lmdb_writer_open(folder, err);
}

static int put(void *writer, const char *key, const void *value, size_t size, struct error *err)
{
    return lmdb_writer_put(writer, key, value, size, err);
}

static int commit(void *writer, struct error *err)
{
    return lmdb_writer_commit(writer, err);
}

static void cancel(void *writer)
{
    lmdb_writer_cancel(writer);
}

const struct database_kind database_kind_lmdb = {"lmdb", open_database, put, commit, cancel};
