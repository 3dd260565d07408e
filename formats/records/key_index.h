/* key_index.h — how ordinals are found in a database that knows keys only: every 32nd key, from one walk.
 *
 * A million records with keys of 30 bytes keep 1.2 MB, in memory and nowhere else: datasets may be read-only. One rank
 * walks; the others take what it found (key_index_pack).
 */
#ifndef ETALON_KEY_INDEX_H
#define ETALON_KEY_INDEX_H

#include "common/error.h"
#include "formats/record.h"

#include <stddef.h>
#include <stdint.h>

enum { KEY_INDEX_STRIDE = 32, KEY_INDEX_MAX_BYTES = 511 /* of a key: LMDB's own limit */ };

struct key_index { /* {0}: empty */
    uint64_t n_records;
    size_t n_keys;     /* of ordinals 0, 32, 64, ... below n_records */
    uint64_t *offsets; /* [n_keys + 1]: key i is keys[offsets[i] .. offsets[i + 1]) */
    uint8_t *keys;
    size_t offsets_capacity, keys_capacity; /* private */
};
void key_index_fini(struct key_index *index); /* may be called on {0} and twice */

/* The key of record index->n_records, which is then counted. EX_DATAERR: empty, or longer than KEY_INDEX_MAX_BYTES. */
int key_index_add(struct key_index *index, const void *key, size_t size, struct error *err);

/* The kept key at or before `ordinal` < n_records, whose own ordinal is a multiple of the stride. Borrowed. */
const void *key_index_key(const struct key_index *index, uint64_t ordinal, size_t *size);

/* *index as bytes, in this processor's byte order; free() them. EX_OSERR. */
int key_index_pack(const struct key_index *index, void **bytes, size_t *size, struct error *err);
/* Back into *index = {0}. EX_DATAERR: the bytes are no index. That the keys are there shows when they are looked up. */
int key_index_unpack(const void *bytes, size_t size, struct key_index *index, struct error *err);

/* A key as text: bytes as they are, or, where one is a control byte, as 0x..., cut to a record's field. */
void key_text(const void *key, size_t size, char text[RECORD_KEY_BYTES]);

#endif
