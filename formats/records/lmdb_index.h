/* lmdb_index.h — how ordinals are found in an LMDB, which knows keys only: every 32nd key, from one walk.
 *
 * The walk touches leaf pages only: values that live on pages of their own stay where they are. A million records with
 * keys of 30 bytes keep 1.2 MB, in memory and nowhere else: datasets may be read-only. One rank walks; the others take
 * what it found (lmdb_index_pack).
 */
#ifndef ETALON_LMDB_INDEX_H
#define ETALON_LMDB_INDEX_H

#include "formats/records/lmdb_env.h"

#include <stddef.h>
#include <stdint.h>

enum { LMDB_INDEX_STRIDE = 32 };

struct lmdb_index { /* {0}: empty */
    uint64_t n_records;
    size_t n_keys;     /* of ordinals 0, 32, 64, ... below n_records */
    uint64_t *offsets; /* [n_keys + 1]: key i is keys[offsets[i] .. offsets[i + 1]) */
    uint8_t *keys;
};

/* Walks over the first `limit` records (0: all) of *index = {0}. EX_DATAERR, EX_OSERR. */
int lmdb_index_build(struct lmdb_env *env, uint64_t limit, struct lmdb_index *index, struct error *err);
void lmdb_index_fini(struct lmdb_index *index); /* may be called on {0} and twice */

/* The kept key at or before `ordinal` < n_records, whose own ordinal is a multiple of the stride. Borrowed. */
MDB_val lmdb_index_key(const struct lmdb_index *index, uint64_t ordinal);

/* *index as bytes, in this processor's byte order; free() them. EX_OSERR. */
int lmdb_index_pack(const struct lmdb_index *index, void **bytes, size_t *size, struct error *err);
/* Back into *index = {0}, for `env`: EX_DATAERR when the environment does not hold that many records, or the bytes are
 * no index. That the keys are there too shows when they are looked up. */
int lmdb_index_unpack(struct lmdb_env *env, const void *bytes, size_t size, struct lmdb_index *index,
                      struct error *err);

#endif
