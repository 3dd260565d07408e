/* lmdb_write.c — see lmdb_write.h. */
#include "formats/records/lmdb_write.h"

#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_RECORDS = 1000 /* of one transaction, as Caffe's tool does */ };

/* The map must be larger than the data and may grow only between transactions. So a transaction ends before it exceeds
 * this many bytes, and the map always has room for one more: values at most double (a value of half a page and a byte
 * takes a page), plus branch pages and the list of freed pages. */
static const size_t batch_bytes = (size_t)64 << 20;

struct lmdb_writer {
    char folder[PATH_MAX], temporary[PATH_MAX], parent[PATH_MAX];
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    MDB_dbi database;
    size_t map_bytes, used_bytes, n_records; /* the last two: of this transaction */
};

static int failed(int code, const char *folder, struct error *err)
{
    return error_set(err,
                     code == MDB_KEYEXIST ? EX_DATAERR
                     : code == ENOMEM     ? EX_OSERR
                                          : EX_IOERR,
                     "%s: %s", folder, code == MDB_KEYEXIST ? "keys do not rise" : mdb_strerror(code));
}

/* "a/b/c" -> parent "a/b", temporary "a/b/.c.<pid>.tmp". */
static int name_folders(struct lmdb_writer *writer, const char *folder, struct error *err)
{
    size_t length = strlen(folder);
    const char *slash;
    int base, fits;

    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (length == 0 || length >= PATH_MAX - 32)
        return error_set(err, EX_CANTCREAT, "expected a path of 1 to %d bytes, found %zu", PATH_MAX - 32, length);
    memcpy(writer->folder, folder, length);
    slash = strrchr(writer->folder, '/');
    base = slash == NULL ? 0 : (int)(slash - writer->folder) + 1;
    fits = snprintf(writer->temporary, PATH_MAX, "%.*s.%s.%ld.tmp", base, writer->folder, writer->folder + base,
                    (long)getpid());
    if (fits >= PATH_MAX)
        return error_set(err, EX_CANTCREAT, "%s: the path is too long", folder);
    snprintf(writer->parent, PATH_MAX, "%.*s", base > 1 ? base - 1 : 1, base == 0 ? "." : writer->folder);
    return 0;
}

static void remove_temporary(struct lmdb_writer *writer)
{
    char file[PATH_MAX + 16];

    snprintf(file, sizeof file, "%s/data.mdb", writer->temporary);
    unlink(file); /* all that MDB_NOLOCK leaves */
    rmdir(writer->temporary);
}

struct lmdb_writer *lmdb_writer_open(const char *folder, struct error *err)
{
    struct lmdb_writer *writer = memory_create(1, sizeof *writer, "an LMDB writer", err);
    struct stat info;
    int code;

    if (writer == NULL)
        return NULL;
    if (name_folders(writer, folder, err) < 0) {
        free(writer);
        return NULL;
    }
    if (lstat(writer->folder, &info) == 0)
        error_set(err, EX_CANTCREAT, "%s: exists already", folder);
    else if (mkdir(writer->temporary, 0777) != 0)
        error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", writer->temporary, strerror(errno));
    else if ((code = mdb_env_create(&writer->env)) != 0 ||
             (code = mdb_env_open(writer->env, writer->temporary, MDB_NOLOCK | MDB_NOSYNC | MDB_NOTLS, 0666)) != 0)
        error_set(err, EX_CANTCREAT, "%s: %s", writer->temporary, mdb_strerror(code));
    else
        return writer;
    if (writer->env != NULL) {
        lmdb_writer_cancel(writer);
    } else {
        rmdir(writer->temporary); /* if it is ours, it is empty */
        free(writer);
    }
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
    return code == 0 ? 0 : failed(code, writer->temporary, err);
}

static int end(struct lmdb_writer *writer, struct error *err)
{
    int code = writer->txn == NULL ? 0 : mdb_txn_commit(writer->txn);

    writer->txn = NULL; /* freed, whatever the code */
    return code == 0 ? 0 : failed(code, writer->temporary, err);
}

int lmdb_writer_put(struct lmdb_writer *writer, const char *key, const void *value, size_t size, struct error *err)
{
    size_t length = strlen(key);
    MDB_val k = {length, (void *)(uintptr_t)key}, v = {size, (void *)(uintptr_t)value}; /* LMDB only reads them */
    int code;

    if (length == 0 || length > 511 || size > UINT32_MAX) /* LMDB's limits */
        return error_set(err, EX_DATAERR, "%s: expected a key of 1 to 511 bytes and a value below 4 GiB", key);
    if (writer->txn != NULL && (writer->used_bytes + size > batch_bytes || writer->n_records == BATCH_RECORDS) &&
        end(writer, err) < 0)
        return -1;
    if (writer->txn == NULL && begin(writer, size, err) < 0)
        return -1;
    code = mdb_put(writer->txn, writer->database, &k, &v, MDB_APPEND);
    if (code != 0)
        return failed(code, key, err);
    writer->used_bytes += size + length;
    writer->n_records++;
    return 0;
}

static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    return close(fd) == 0 ? rc : -1;
}

int lmdb_writer_commit(struct lmdb_writer *writer, struct error *err)
{
    int code, rc = end(writer, err);

    if (rc == 0 && (code = mdb_env_sync(writer->env, 1)) != 0)
        rc = failed(code, writer->temporary, err);
    if (rc == 0 && sync_folder(writer->temporary) != 0)
        rc = error_set(err, EX_IOERR, "%s: cannot be synced: %s", writer->temporary, strerror(errno));
    if (rc == 0 && rename(writer->temporary, writer->folder) != 0)
        rc = error_set(err, EX_CANTCREAT, "%s: cannot be renamed to %s: %s", writer->temporary, writer->folder,
                       strerror(errno));
    if (rc < 0) {
        lmdb_writer_cancel(writer);
        return -1;
    }
    if (sync_folder(writer->parent) != 0)
        rc = error_set(err, EX_IOERR, "%s: cannot be synced: %s", writer->parent, strerror(errno));
    mdb_env_close(writer->env);
    free(writer);
    return rc;
}

void lmdb_writer_cancel(struct lmdb_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->txn != NULL)
        mdb_txn_abort(writer->txn);
    mdb_env_close(writer->env);
    remove_temporary(writer);
    free(writer);
}
