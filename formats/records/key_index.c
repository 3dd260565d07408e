/* key_index.c — see key_index.h. */
#include "formats/records/key_index.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

void key_index_fini(struct key_index *index)
{
    free(index->offsets);
    free(index->keys);
    *index = (struct key_index){0};
}

int key_index_add(struct key_index *index, const void *key, size_t size, struct error *err)
{
    uint64_t at;

    if (size == 0 || size > KEY_INDEX_MAX_BYTES)
        return error_set(err, EX_DATAERR, "expected keys of 1 to %d bytes, found %zu", KEY_INDEX_MAX_BYTES, size);
    if (index->n_records++ % KEY_INDEX_STRIDE != 0)
        return 0;
    if (memory_grow((void **)&index->offsets, &index->offsets_capacity, index->n_keys + 1, sizeof *index->offsets,
                    "a key index", err) < 0)
        return -1;
    at = index->offsets[index->n_keys];
    if (memory_grow((void **)&index->keys, &index->keys_capacity, at + size, 1, "a key index", err) < 0)
        return -1;
    memcpy(index->keys + at, key, size);
    index->offsets[++index->n_keys] = at + size;
    return 0;
}

const void *key_index_key(const struct key_index *index, uint64_t ordinal, size_t *size)
{
    size_t i = (size_t)(ordinal / KEY_INDEX_STRIDE);

    *size = (size_t)(index->offsets[i + 1] - index->offsets[i]);
    return index->keys + index->offsets[i];
}

/* Packed: the number of records, the offsets, the keys. */
int key_index_pack(const struct key_index *index, void **bytes, size_t *size, struct error *err)
{
    static const uint64_t none;
    const uint64_t *offsets = index->offsets == NULL ? &none : index->offsets; /* an empty index has no memory */
    size_t offsets_size = (index->n_keys + 1) * sizeof *offsets, keys_size = (size_t)offsets[index->n_keys];
    uint8_t *to = memory_create(sizeof(uint64_t) + offsets_size + keys_size, 1, "a packed key index", err);

    if (to == NULL)
        return -1;
    memcpy(to, &index->n_records, sizeof(uint64_t));
    memcpy(to + sizeof(uint64_t), offsets, offsets_size);
    if (keys_size > 0)
        memcpy(to + sizeof(uint64_t) + offsets_size, index->keys, keys_size);
    *bytes = to;
    *size = sizeof(uint64_t) + offsets_size + keys_size;
    return 0;
}

/* Are the offsets those of n_keys keys in keys_size bytes? */
static bool is_sound(const struct key_index *index, size_t n_keys, size_t keys_size)
{
    for (size_t i = 0; i < n_keys; i++)
        if (index->offsets[i + 1] <= index->offsets[i] ||
            index->offsets[i + 1] - index->offsets[i] > KEY_INDEX_MAX_BYTES)
            return false;
    return index->offsets[0] == 0 && index->offsets[n_keys] == keys_size;
}

int key_index_unpack(const void *bytes, size_t size, struct key_index *index, struct error *err)
{
    const uint8_t *from = bytes;
    size_t n_keys, offsets_size, keys_size;
    uint64_t n_records;

    if (size < 2 * sizeof(uint64_t))
        return error_set(err, EX_DATAERR, "expected a key index, found %zu bytes", size);
    memcpy(&n_records, from, sizeof n_records);
    n_keys = (size_t)(n_records / KEY_INDEX_STRIDE + (n_records % KEY_INDEX_STRIDE != 0));
    if (n_keys > size / sizeof(uint64_t) - 2)
        return error_set(err, EX_DATAERR, "expected an index of %zu keys, found %zu bytes", n_keys, size);
    offsets_size = (n_keys + 1) * sizeof *index->offsets;
    keys_size = size - sizeof(uint64_t) - offsets_size;
    index->offsets = memory_create(n_keys + 1, sizeof *index->offsets, "a key index", err);
    index->keys = memory_create(keys_size, 1, "a key index", err);
    if (index->offsets == NULL || index->keys == NULL)
        return -1;
    memcpy(index->offsets, from + sizeof(uint64_t), offsets_size);
    memcpy(index->keys, from + sizeof(uint64_t) + offsets_size, keys_size);
    index->n_records = n_records;
    index->n_keys = n_keys;
    return is_sound(index, n_keys, keys_size) ? 0 : error_set(err, EX_DATAERR, "a key index that is damaged");
}

void key_text(const void *key, size_t size, char text[RECORD_KEY_BYTES])
{
    const uint8_t *bytes = key;
    size_t n = size < RECORD_KEY_BYTES ? size : RECORD_KEY_BYTES - 1;
    bool is_text = true;

    for (size_t i = 0; i < n; i++)
        is_text = is_text && bytes[i] >= 0x20 && bytes[i] != 0x7f;
    if (is_text) {
        memcpy(text, bytes, n);
        text[n] = '\0';
        return;
    }
    memcpy(text, "0x", 3);
    for (size_t i = 0; i < n && 2 * i + 5 <= RECORD_KEY_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";

        text[2 * i + 2] = digits[bytes[i] >> 4];
        text[2 * i + 3] = digits[bytes[i] & 15];
        text[2 * i + 4] = '\0';
    }
}
