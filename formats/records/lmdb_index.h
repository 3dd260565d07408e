/* lmdb_index.h — the key index of an LMDB.
 *
 * The walk touches leaf pages only: values that live on pages of their own stay where they are.
 */
#ifndef ETALON_LMDB_INDEX_H
#define ETALON_LMDB_INDEX_H

#include "formats/records/key_index.h"
#include "formats/records/lmdb_env.h"

/* Walks over the first `limit` records (0: all) into *index = {0}. EX_DATAERR, EX_OSERR. */
int lmdb_index_build(struct lmdb_env *env, uint64_t limit, struct key_index *index, struct error *err);

/* Takes a packed index for `env`: EX_DATAERR when the environment does not hold that many records, or the bytes are no
 * index. */
int lmdb_index_unpack(struct lmdb_env *env, const void *bytes, size_t size, struct key_index *index, struct error *err);

/* As LMDB wants it: the kept key at or before `ordinal`, see key_index_key. */
MDB_val lmdb_key_at(const struct key_index *index, uint64_t ordinal);

#endif
