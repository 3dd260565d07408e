/* leveldb.c — a LevelDB of Caffe Datum messages as a dataset, in key order.
 *
 * LevelDB has no ordinal access, and keeps values beside keys: finding the keys means reading it all once, which one
 * rank does for all. Reading an ordinal then steps forward from where the iterator stands, or from the nearest kept
 * key. It is opened through links, see leveldb_links.h. Checksums of blocks are verified.
 */
#include "formats/record.h"

#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/digest.h"
#include "formats/records/key_index.h"
#include "formats/records/leveldb_links.h"

#include <leveldb/c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_BUFFER_BYTES = 64 << 20 /* a journal, replayed: Caffe's are up to 256 MiB, four tables then */ };

struct leveldb_set {
    char folder[PATH_MAX]; /* of links; empty: none */
    leveldb_options_t *options;
    leveldb_readoptions_t *reading;
    leveldb_t *db;
    struct key_index index;
};

struct leveldb_position {
    leveldb_iterator_t *iterator;
    bool is_placed;
    uint64_t ordinal; /* where the iterator stands, if placed */
};

static void leveldb_shut(void *state)
{
    struct leveldb_set *set = state;

    if (set->db != NULL)
        leveldb_close(set->db);
    if (set->options != NULL)
        leveldb_options_destroy(set->options);
    if (set->reading != NULL)
        leveldb_readoptions_destroy(set->reading);
    if (set->folder[0] != '\0')
        leveldb_links_remove(set->folder);
    key_index_fini(&set->index);
    free(set);
}

/* What LevelDB says, of its own files by the names of links: EX_DATAERR. */
static int take_message(char *why, struct error *err)
{
    error_set(err, EX_DATAERR, "LevelDB: %s", why);
    leveldb_free(why);
    return -1;
}

static int iterator_error(const leveldb_iterator_t *iterator, struct error *err)
{
    char *why = NULL;

    leveldb_iter_get_error(iterator, &why);
    return why == NULL ? 0 : take_message(why, err);
}

static int walk(struct leveldb_set *set, uint64_t limit, struct error *err)
{
    leveldb_iterator_t *iterator = leveldb_create_iterator(set->db, set->reading);
    int rc = 0;

    for (leveldb_iter_seek_to_first(iterator);
         rc == 0 && leveldb_iter_valid(iterator) && (limit == 0 || set->index.n_records < limit);
         leveldb_iter_next(iterator)) {
        size_t size;
        const char *key = leveldb_iter_key(iterator, &size);

        rc = key_index_add(&set->index, key, size, err);
    }
    if (rc == 0)
        rc = iterator_error(iterator, err);
    leveldb_iter_destroy(iterator);
    return rc;
}

static int open_database(struct leveldb_set *set, const struct dataset_request *request, struct error *err)
{
    char *why = NULL;

    if (leveldb_links_create(request->path, set->folder, err) < 0) {
        set->folder[0] = '\0';
        return -1;
    }
    set->options = leveldb_options_create();
    leveldb_options_set_paranoid_checks(set->options, 1);
    leveldb_options_set_write_buffer_size(set->options, WRITE_BUFFER_BYTES);
    set->reading = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(set->reading, 1);
    leveldb_readoptions_set_fill_cache(set->reading, 0); /* records are read once */
    set->db = leveldb_open(set->options, set->folder, &why);
    if (why != NULL)
        return take_message(why, err);
    return request->index != NULL ? key_index_unpack(request->index, request->index_size, &set->index, err)
                                  : walk(set, request->limit, err);
}

static int leveldb_set_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    struct leveldb_set *set = memory_create(1, sizeof *set, "a LevelDB dataset", err);

    if (set == NULL)
        return -1;
    if (open_database(set, request, err) < 0) {
        error_in(err, "%s", request->path);
        leveldb_shut(set);
        return -1;
    }
    *n_records = set->index.n_records;
    *state = set;
    return 0;
}

static int leveldb_cursor_open(void *state, void **cursor, struct error *err)
{
    struct leveldb_set *set = state;
    struct leveldb_position *position = memory_create(1, sizeof *position, "a cursor", err);

    if (position == NULL)
        return -1;
    position->iterator = leveldb_create_iterator(set->db, set->reading);
    *cursor = position;
    return 0;
}

static void leveldb_cursor_close(void *cursor)
{
    struct leveldb_position *position = cursor;

    leveldb_iter_destroy(position->iterator);
    free(position);
}

/* Puts the iterator on record `ordinal`. A damaged block ends the run: what is behind it cannot be counted. */
static int place(const struct leveldb_set *set, struct leveldb_position *position, uint64_t ordinal, struct error *err)
{
    uint64_t at = position->ordinal;
    size_t size;

    if (!position->is_placed || at > ordinal || ordinal - at > ordinal % KEY_INDEX_STRIDE + 1) {
        const char *key = key_index_key(&set->index, ordinal, &size);

        leveldb_iter_seek(position->iterator, key, size);
        at = ordinal - ordinal % KEY_INDEX_STRIDE;
    }
    for (; leveldb_iter_valid(position->iterator) && at < ordinal; at++)
        leveldb_iter_next(position->iterator);
    position->is_placed = leveldb_iter_valid(position->iterator);
    position->ordinal = ordinal;
    if (position->is_placed)
        return 0;
    if (iterator_error(position->iterator, err) == 0)
        error_set(err, EX_DATAERR, "LevelDB: record %" PRIu64 " is gone", ordinal);
    if (err != NULL)
        err->code = EX_IOERR;
    return -1;
}

static int leveldb_read_key(void *state, void *cursor, uint64_t ordinal, char text[RECORD_KEY_BYTES], struct error *err)
{
    struct leveldb_position *position = cursor;
    const char *key;
    size_t size;

    if (place(state, position, ordinal, err) < 0)
        return -1;
    key = leveldb_iter_key(position->iterator, &size);
    key_text(key, size, text);
    return 0;
}

static int leveldb_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    struct leveldb_position *position = cursor;
    const char *value;
    size_t size;

    if (leveldb_read_key(state, cursor, ordinal, record->key, err) < 0)
        return -1;
    value = leveldb_iter_value(position->iterator, &size); /* stays while the iterator stands here */
    record->digest = record_digest(value, size);
    return datum_to_record((const uint8_t *)value, size, record, err);
}

static int leveldb_index(void *state, void **bytes, size_t *size, struct error *err)
{
    return key_index_pack(&((struct leveldb_set *)state)->index, bytes, size, err);
}

const struct record_kind record_kind_leveldb = {
    .name = "leveldb",
    .summary = "a LevelDB of Caffe Datum messages (raw, encoded or float), in key order",
    .open = leveldb_set_open,
    .close = leveldb_shut,
    .cursor_open = leveldb_cursor_open,
    .cursor_close = leveldb_cursor_close,
    .read = leveldb_read,
    .read_key = leveldb_read_key,
    .index = leveldb_index,
};
