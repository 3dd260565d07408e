/* lmdb_env.c — see lmdb_env.h. */
#include "formats/records/lmdb_env.h"

#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODE_MIN_BYTES = 10 }; /* of a record on its leaf page: header and pointer, without the key */

enum {
    FAULT_AROUND_BYTES = 256 << 10, /* Linux maps 64 KiB by default, and what lies in one large folio */
    MUCH_BYTES = 2 << 20,           /* few calls (at 1 MB 5 % slower), little memory */
    FAR_BYTES =
        4 << 20, /* keys among large values, or records here and there: each may bring 2 MB of a file just written */
};

struct lmdb_env {
    struct lmdb_env *next; /* of all that are open */
    size_t users;
    dev_t device;
    ino_t inode; /* of the data file: paths may differ, by links or `..` */
    MDB_env *env;
    MDB_dbi database;
    size_t last_txn;
    uint64_t size_bytes;
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lmdb_env *open_envs; /* guarded by open_lock */

int lmdb_error(int code, const char *what, struct error *err)
{
    int exit_code = EX_DATAERR;

    if (code == ENOMEM || code == EAGAIN || code == EMFILE || code == ENFILE)
        exit_code = EX_OSERR;
    else if (code == EIO || code == ESTALE)
        exit_code = EX_IOERR;
    else if (code > 0) /* the system's others; LMDB's own are negative */
        exit_code = EX_NOINPUT;
    return error_set(err, exit_code, "%s: %s", what, mdb_strerror(code));
}

/* The data file of `path`, and its identity and size. */
static int find_file(const char *path, char file[PATH_MAX], struct stat *info, struct error *err)
{
    if (stat(path, info) != 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    if ((size_t)snprintf(file, PATH_MAX, S_ISDIR(info->st_mode) ? "%s/data.mdb" : "%s", path) >= PATH_MAX)
        return error_set(err, EX_NOINPUT, "%s: the path is too long", path);
    if (stat(file, info) != 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", file, strerror(errno));
    if (!S_ISREG(info->st_mode))
        return error_set(err, EX_DATAERR, "%s: expected a regular file", file);
    if (info->st_size == 0)
        return error_set(err, EX_DATAERR, "%s: expected an LMDB data file, found 0 bytes", file);
    return 0;
}

/* Does the file hold every page that its header speaks of? Before any page beyond the first two is touched. */
static int check_size(struct lmdb_env *env, const char *file, struct error *err)
{
    MDB_envinfo info;
    MDB_stat stat;
    size_t needed;
    int rc = mdb_env_info(env->env, &info);

    if (rc == 0)
        rc = mdb_env_stat(env->env, &stat);
    if (rc != 0)
        return lmdb_error(rc, file, err);
    if (info.me_last_pgno == SIZE_MAX || !size_multiply(info.me_last_pgno + 1, stat.ms_psize, &needed) ||
        env->size_bytes < needed)
        return error_set(err, EX_DATAERR, "%s: truncated: expected %zu pages of %u bytes, found %llu bytes", file,
                         info.me_last_pgno + 1, stat.ms_psize, (unsigned long long)env->size_bytes);
    env->last_txn = info.me_last_txnid;
    return 0;
}

static int open_database(struct lmdb_env *env, const char *file, struct error *err)
{
    MDB_txn *txn;
    unsigned flags = 0;
    int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return lmdb_error(rc, file, err);
    rc = mdb_dbi_open(txn, NULL, 0, &env->database);
    if (rc == 0)
        rc = mdb_dbi_flags(txn, env->database, &flags);
    if (rc == 0)
        rc = mdb_txn_commit(txn); /* keeps the handle */
    else
        mdb_txn_abort(txn);
    if (rc != 0)
        return lmdb_error(rc, file, err);
    if ((flags & MDB_DUPSORT) != 0)
        return error_set(err, EX_DATAERR, "%s: expected one value per key, found a database of duplicate keys", file);
    return 0;
}

static struct lmdb_env *open_new(const char *file, const struct stat *info, struct error *err)
{
    struct lmdb_env *env = memory_create(1, sizeof *env, "an LMDB environment", err);
    int rc;

    if (env == NULL)
        return NULL;
    env->users = 1;
    env->device = info->st_dev;
    env->inode = info->st_ino;
    env->size_bytes = (uint64_t)info->st_size;
    rc = mdb_env_create(&env->env);
    if (rc != 0) {
        lmdb_error(rc, file, err);
        free(env);
        return NULL;
    }
    rc = mdb_env_open(env->env, file, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NORDAHEAD | MDB_NOTLS, 0);
    if (rc == MDB_INVALID)
        error_set(err, EX_DATAERR, "%s: expected an LMDB data file, found %llu bytes without its header", file,
                  (unsigned long long)info->st_size);
    else if (rc != 0)
        lmdb_error(rc, file, err);
    else if (check_size(env, file, err) == 0 && open_database(env, file, err) == 0)
        return env;
    mdb_env_close(env->env);
    free(env);
    return NULL;
}

struct lmdb_env *lmdb_env_open(const char *path, struct error *err)
{
    char file[PATH_MAX];
    struct stat info;
    struct lmdb_env *env;

    if (find_file(path, file, &info, err) < 0)
        return NULL;
    pthread_mutex_lock(&open_lock);
    for (env = open_envs; env != NULL; env = env->next)
        if (env->device == info.st_dev && env->inode == info.st_ino)
            break;
    if (env != NULL) {
        env->users++;
    } else if ((env = open_new(file, &info, err)) != NULL) {
        env->next = open_envs;
        open_envs = env;
    }
    pthread_mutex_unlock(&open_lock);
    return env;
}

void lmdb_env_close(struct lmdb_env *env)
{
    if (env == NULL)
        return;
    pthread_mutex_lock(&open_lock);
    if (--env->users == 0) {
        struct lmdb_env **link = &open_envs;

        while (*link != env)
            link = &(*link)->next;
        *link = env->next;
        mdb_env_close(env->env);
        free(env);
    }
    pthread_mutex_unlock(&open_lock);
}

int lmdb_env_cursor(struct lmdb_env *env, MDB_txn **txn, MDB_cursor **cursor, struct error *err)
{
    int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, txn);

    if (rc != 0)
        return lmdb_error(rc, "a read transaction", err);
    if (mdb_txn_id(*txn) != env->last_txn) {
        mdb_txn_abort(*txn);
        return error_set(err, EX_DATAERR, "the dataset was written to while it is in use");
    }
    rc = mdb_cursor_open(*txn, env->database, cursor);
    if (rc != 0) {
        mdb_txn_abort(*txn);
        return lmdb_error(rc, "a cursor", err);
    }
    return 0;
}

int lmdb_env_count(struct lmdb_env *env, MDB_txn *txn, uint64_t *n_records, struct error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn, env->database, &stat);

    if (rc != 0)
        return lmdb_error(rc, "counting the records", err);
    if (stat.ms_entries > env->size_bytes / NODE_MIN_BYTES)
        return error_set(err, EX_DATAERR, "a header that speaks of %zu records in %llu bytes", stat.ms_entries,
                         (unsigned long long)env->size_bytes);
    *n_records = stat.ms_entries;
    return 0;
}

int lmdb_env_check_unchanged(struct lmdb_env *env, struct error *err)
{
    MDB_envinfo info;
    struct stat file;
    int fd, rc = mdb_env_get_fd(env->env, &fd);

    if (rc == 0)
        rc = mdb_env_info(env->env, &info);
    if (rc != 0)
        return lmdb_error(rc, "the environment", err);
    if (fstat(fd, &file) != 0)
        return error_set(err, EX_IOERR, "cannot be examined: %s", strerror(errno));
    if (info.me_last_txnid != env->last_txn || (uint64_t)file.st_size != env->size_bytes)
        return error_set(
            err, EX_DATAERR,
            "the dataset changed during the run: expected transaction %zu in %llu bytes, found %zu in %lld",
            env->last_txn, (unsigned long long)env->size_bytes, info.me_last_txnid, (long long)file.st_size);
    return 0;
}

size_t lmdb_env_size_bytes(const struct lmdb_env *env)
{
    return env->size_bytes;
}

void lmdb_touch(struct lmdb_touched *touched, const MDB_val *part)
{
    uintptr_t from = (uintptr_t)part->mv_data, to = from + part->mv_size;

    touched->from = touched->to == 0 || from < touched->from ? from : touched->from;
    touched->to = to > touched->to ? to : touched->to;
    touched->bytes += part->mv_size;
}

void lmdb_let_go(struct lmdb_touched *touched)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = touched->from;

    if (touched->to <= from)
        return;
    /* A fault maps cached pages around it, too: those just before it are back, though they were let go last time. */
    if (touched->last_from < from && from < touched->last_to + FAULT_AROUND_BYTES)
        from = from - touched->last_from > FAULT_AROUND_BYTES ? from - FAULT_AROUND_BYTES : touched->last_from;
    from = from / page * page;
    (void)madvise((void *)from, touched->to - from, MADV_DONTNEED);
    *touched = (struct lmdb_touched){.last_from = touched->from, .last_to = touched->to};
}

void lmdb_let_go_of_much(struct lmdb_touched *touched)
{
    if (touched->bytes >= MUCH_BYTES || touched->to - touched->from >= FAR_BYTES)
        lmdb_let_go(touched);
}
