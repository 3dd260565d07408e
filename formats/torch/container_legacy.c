/* container_legacy.c — the container of PyTorch before 1.6; see read.h.
 *
 *     pickle: the magic number              an integer of ten bytes
 *     pickle: the protocol version          1001
 *     pickle: the machine                   {"little_endian": True ...}
 *     pickle: the object                    tensors refer to storages by key
 *     pickle: the keys                      a list, the order of what follows
 *     for each key: int64 number of elements, then as many elements; no alignment
 */
#include "formats/torch/read.h"

#include "formats/proto_guard.h"

#include <string.h>

/* PROTO 2, or PROTO 4 and a FRAME, come before it. */
static const uint8_t magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
enum { PROTOCOL_VERSION = 1001 };

size_t torch_legacy_magic(const struct bytes *file)
{
    const size_t starts[] = {2, 11};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (file->size >= starts[i] + sizeof magic && file->data[0] == 0x80 &&
            memcmp(file->data + starts[i], magic, sizeof magic) == 0)
            return starts[i] + sizeof magic;
    return 0;
}

/* What is left of the file. */
struct rest {
    const uint8_t *data;
    size_t size;
};

static void skip(struct rest *rest, size_t n)
{
    rest->data += n;
    rest->size -= n;
}

/* The pickles around the object hold numbers and texts: nothing is to be called. */
static bool may_call_nothing(const struct pickle *pickle, int global)
{
    (void)pickle;
    (void)global;
    return false;
}

static int read_plain(struct rest *rest, struct pickle *pickle, const char *what, struct error *err)
{
    size_t end;

    if (pickle_read(pickle, rest->data, rest->size, proto_budget(rest->size), may_call_nothing, &end, err) != 0)
        return error_in(err, "%s", what);
    skip(rest, end);
    return 0;
}

static int read_version(struct rest *rest, struct error *err)
{
    const struct pickle_value *version;
    struct pickle pickle;
    int rc = read_plain(rest, &pickle, "the protocol version", err);

    version = rc == 0 ? pickle_as(&pickle, pickle.root, PICKLE_INTEGER) : NULL;
    if (rc == 0 && (version == NULL || version->integer != PROTOCOL_VERSION))
        rc = error_set(err, EX_DATAERR, "expected protocol version %d, found another", PROTOCOL_VERSION);
    pickle_fini(&pickle);
    return rc;
}

static bool says_big_endian(const struct pickle *pickle)
{
    int cell = pickle_first(pickle, pickle->root), key, value;

    while (pickle_next(pickle, &cell, &key) && pickle_next(pickle, &cell, &value))
        if (pickle_is_text(pickle, key, "little_endian") && pickle_as(pickle, value, PICKLE_BOOL) != NULL &&
            pickle->values[value].integer == 0)
            return true;
    return false;
}

static int read_machine(struct rest *rest, struct error *err)
{
    struct pickle pickle;
    int rc = read_plain(rest, &pickle, "the description of the machine", err);

    if (rc == 0 && says_big_endian(&pickle))
        rc = error_set(err, EX_UNAVAILABLE, "its numbers are big-endian");
    pickle_fini(&pickle);
    return rc;
}

/* The elements of one storage, behind their number. */
static int read_elements(struct rest *rest, struct torch_storage *storage, struct error *err)
{
    size_t bytes;
    uint64_t n;

    if (torch_storage_bytes(storage, &bytes, err) != 0)
        return -1;
    if (rest->size < sizeof n || bytes > rest->size - sizeof n)
        return error_set(err, EX_DATAERR, "expected a count and %zu bytes, found %zu bytes", bytes, rest->size);
    memcpy(&n, rest->data, sizeof n);
    if (n != storage->n_elements)
        return error_set(err, EX_DATAERR, "expected %llu elements as in the pickle, found %llu",
                         (unsigned long long)storage->n_elements, (unsigned long long)n);
    storage->data = rest->data + sizeof n;
    skip(rest, sizeof n + bytes);
    return 0;
}

static int read_storages(struct torch_reader *reader, struct rest *rest, const struct pickle *keys, struct error *err)
{
    int cell = pickle_first(keys, keys->root), item;
    size_t n_found = 0;

    if (pickle_as(keys, keys->root, PICKLE_LIST) == NULL)
        return error_set(err, EX_DATAERR, "expected a list of storage keys");
    while (pickle_next(keys, &cell, &item)) {
        const struct pickle_value *key = pickle_as(keys, item, PICKLE_TEXT);
        struct torch_storage *storage = key == NULL ? NULL : torch_storage_find(reader, key->text.data, key->text.size);

        if (storage == NULL || storage->data != NULL)
            return error_set(err, EX_DATAERR, "key %zu of the storages is %s", n_found,
                             storage == NULL ? "in no tensor" : "there twice");
        if (read_elements(rest, storage, err) != 0)
            return error_in(err, "storage %zu", n_found);
        n_found++;
    }
    return n_found == reader->n_storages
               ? 0
               : error_set(err, EX_DATAERR, "expected %zu storages, found %zu", reader->n_storages, n_found);
}

int torch_legacy_read(struct torch_reader *reader, struct error *err)
{
    struct rest rest = {reader->state->file.data, reader->state->file.size};
    struct pickle keys;
    size_t end;
    int rc;

    skip(&rest, torch_legacy_magic(&reader->state->file));
    if (read_version(&rest, err) != 0 || read_machine(&rest, err) != 0)
        return -1;
    if (torch_read_pickle(reader, rest.data, rest.size, &end, err) != 0)
        return -1;
    skip(&rest, end);
    rc = read_plain(&rest, &keys, "the keys of the storages", err);
    if (rc == 0)
        rc = read_storages(reader, &rest, &keys, err);
    pickle_fini(&keys);
    return rc;
}
