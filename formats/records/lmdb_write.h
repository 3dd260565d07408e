/* lmdb_write.h — writes an LMDB of keys in rising order, in a folder that appears when it is complete.
 *
 * The folder is a new_folder.h: no reader sees half of it. The same calls give the same data.mdb, byte for byte.
 */
#ifndef ETALON_LMDB_WRITE_H
#define ETALON_LMDB_WRITE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct lmdb_writer;

/* EX_CANTCREAT: `folder` exists, or its parent cannot be written to. */
struct lmdb_writer *lmdb_writer_open(const char *folder, struct error *err);

/* Keys of 1..511 bytes, bytewise greater than the one before (EX_DATAERR). EX_IOERR: disk full and the like. */
int lmdb_writer_put(struct lmdb_writer *writer, const char *key, const void *value, size_t size, struct error *err);
/* The same with a key of any bytes. */
int lmdb_writer_put_bytes(struct lmdb_writer *writer, const void *key, size_t key_size, const void *value, size_t size,
                          struct error *err);

/* Syncs, renames, and ends the writer, also on failure (then nothing is left behind). EX_IOERR, EX_CANTCREAT. */
int lmdb_writer_commit(struct lmdb_writer *writer, struct error *err);
void lmdb_writer_cancel(struct lmdb_writer *writer); /* removes what was written; NULL is allowed */

#endif
