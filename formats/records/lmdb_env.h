/* lmdb_env.h — read-only LMDB environments, each opened once per process.
 *
 * LMDB must not be opened twice in a process, so users of the same file share one environment. It is opened without
 * locks (read-only folders work; nobody may write during a run, which lmdb_env_check_unchanged finds out) and without
 * read-ahead. A truncated file would open and then kill the process by SIGBUS at the first missing page: sizes are
 * compared first. What remains: a file that shrinks *while* it is mapped raises SIGBUS (common/bus_error.h), and LMDB
 * trusts the contents of pages: a maliciously crafted environment can crash it.
 */
#ifndef ETALON_LMDB_ENV_H
#define ETALON_LMDB_ENV_H

#include "common/error.h"

#include <lmdb.h>
#include <stddef.h>
#include <stdint.h>

struct lmdb_env;

/* `path`: a folder that holds data.mdb, or the data file itself. EX_NOINPUT; EX_DATAERR: no LMDB, or truncated
 * ("<file>: expected N bytes, found M"). Thread safe. */
struct lmdb_env *lmdb_env_open(const char *path, struct error *err);
void lmdb_env_close(struct lmdb_env *env); /* NULL is allowed; the last user closes the file */

/* A read transaction with a cursor on the unnamed database. EX_DATAERR when another transaction was committed since
 * lmdb_env_open: everyone reads the same snapshot or nobody does. Ended by mdb_cursor_close, then mdb_txn_abort. */
int lmdb_env_cursor(struct lmdb_env *env, MDB_txn **txn, MDB_cursor **cursor, struct error *err);

/* Records of the unnamed database, as `txn` of lmdb_env_cursor sees it. EX_DATAERR: more than the file can hold. */
int lmdb_env_count(struct lmdb_env *env, MDB_txn *txn, uint64_t *n_records, struct error *err);

/* EX_DATAERR when a transaction was committed or the file's size changed since lmdb_env_open. */
int lmdb_env_check_unchanged(struct lmdb_env *env, struct error *err);

/* Bytes of the data file: no value is longer. */
size_t lmdb_env_size_bytes(const struct lmdb_env *env);

/* What a reader has touched of the mapping and still counts as this process's memory; {0}: nothing. */
struct lmdb_touched {
    uintptr_t from, to;
    size_t bytes;
    uintptr_t last_from, last_to; /* private: what was let go before */
};
/* Notes a key or value. */
void lmdb_touch(struct lmdb_touched *touched, const MDB_val *part);
/* Pages that were read stay in the system's cache, but need not stay in this process: a set larger than memory would
 * otherwise fill what the job was given. Another thread that reads them now maps them again. Advice only. */
void lmdb_let_go(struct lmdb_touched *touched);
/* The same where it is worth a call: after 2 MB, or when what was touched lies 4 MB apart. */
void lmdb_let_go_of_much(struct lmdb_touched *touched);

/* error_set for an LMDB return code: "<what>: <reason>", with EX_DATAERR, EX_NOINPUT, EX_IOERR or EX_OSERR. */
int lmdb_error(int code, const char *what, struct error *err);

#endif
