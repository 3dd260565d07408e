/* lmdb_split.h — parts of an LMDB as LMDBs of their own, for disks that hold no more than a part.
 */
#ifndef ETALON_LMDB_SPLIT_H
#define ETALON_LMDB_SPLIT_H

#include "common/error.h"

#include <stdint.h>

struct lmdb_split;

/* Opens `path` and walks over its keys once. EX_NOINPUT, EX_DATAERR. */
struct lmdb_split *lmdb_split_open(const char *path, struct error *err);
void lmdb_split_close(struct lmdb_split *split); /* NULL is allowed */
uint64_t lmdb_split_count(const struct lmdb_split *split);

/* Copies records [first, first + count), keys and values byte for byte, to a new LMDB in `folder`, which appears when
 * it is complete. Reads only them. EX_CANTCREAT, EX_IOERR, EX_DATAERR. */
int lmdb_split_copy(struct lmdb_split *split, uint64_t first, uint64_t count, const char *folder, struct error *err);

#endif
