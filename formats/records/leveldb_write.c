/* leveldb_write.c — writes a LevelDB of keys in rising order, in a folder that appears when it is complete.
 *
 * Options are those of Caffe's tool: blocks of 64 KiB, a write buffer of 256 MiB, Snappy. Keys and values are the same
 * for the same calls; the division into files is LevelDB's, whose background thread decides it.
 */
#include "common/memory.h"
#include "formats/records/database.h"
#include "formats/records/new_folder.h"

#include <leveldb/c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10, WRITE_BUFFER_BYTES = 256 << 20, MAX_OPEN_FILES = 100, KEY_MAX_BYTES = 511 };

struct leveldb_writer {
    struct new_folder folder;
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_writeoptions_t *lazy, *synced;
    char last_key[KEY_MAX_BYTES + 1];
};

/* Takes over LevelDB's message. */
static int failed(char *why, int code, const char *what, struct error *err)
{
    error_set(err, code, "%s: %s", what, why);
    leveldb_free(why);
    return -1;
}

/* LevelDB's own calls do not fail for want of memory: they end the program, as C++ does. */
static void close_database(struct leveldb_writer *writer)
{
    if (writer->db != NULL)
        leveldb_close(writer->db);
    leveldb_options_destroy(writer->options);
    leveldb_writeoptions_destroy(writer->lazy);
    leveldb_writeoptions_destroy(writer->synced);
}

static void leveldb_cancel(void *state)
{
    struct leveldb_writer *writer = state;

    if (writer == NULL)
        return;
    close_database(writer);
    new_folder_cancel(&writer->folder);
    free(writer);
}

static void *leveldb_open_writer(const char *folder, struct error *err)
{
    struct leveldb_writer *writer = memory_create(1, sizeof *writer, "a LevelDB writer", err);
    char *why = NULL;

    if (writer == NULL)
        return NULL;
    if (new_folder_open(&writer->folder, folder, err) < 0) {
        free(writer);
        return NULL;
    }
    writer->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(writer->options, 1);
    leveldb_options_set_error_if_exists(writer->options, 1);
    leveldb_options_set_block_size(writer->options, BLOCK_BYTES);
    leveldb_options_set_write_buffer_size(writer->options, WRITE_BUFFER_BYTES);
    leveldb_options_set_max_open_files(writer->options, MAX_OPEN_FILES);
    writer->lazy = leveldb_writeoptions_create();
    writer->synced = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(writer->synced, 1);
    writer->db = leveldb_open(writer->options, writer->folder.temporary, &why);
    if (why == NULL)
        return writer;
    failed(why, EX_CANTCREAT, writer->folder.temporary, err);
    leveldb_cancel(writer);
    return NULL;
}

static int leveldb_put_value(void *state, const char *key, const void *value, size_t size, struct error *err)
{
    struct leveldb_writer *writer = state;
    size_t length = strlen(key);
    char *why = NULL;

    if (length == 0 || length > KEY_MAX_BYTES)
        return error_set(err, EX_DATAERR, "%s: expected a key of 1 to %d bytes", key, KEY_MAX_BYTES);
    if (strcmp(key, writer->last_key) <= 0)
        return error_set(err, EX_DATAERR, "%s: keys do not rise", key);
    leveldb_put(writer->db, writer->lazy, key, length, value, size, &why);
    if (why != NULL)
        return failed(why, EX_IOERR, key, err);
    memcpy(writer->last_key, key, length + 1);
    return 0;
}

/* LevelDB has no call that waits for the disk but a synced write: an empty one. */
static int flush(struct leveldb_writer *writer, struct error *err)
{
    leveldb_writebatch_t *nothing = leveldb_writebatch_create();
    char *why = NULL;

    leveldb_write(writer->db, writer->synced, nothing, &why);
    leveldb_writebatch_destroy(nothing);
    return why == NULL ? 0 : failed(why, EX_IOERR, writer->folder.temporary, err);
}

static int leveldb_commit(void *state, struct error *err)
{
    struct leveldb_writer *writer = state;
    char log[PATH_MAX + 8];
    int rc = flush(writer, err);

    if (rc < 0) {
        leveldb_cancel(writer);
        return -1;
    }
    close_database(writer);
    snprintf(log, sizeof log, "%s/LOG", writer->folder.temporary);
    (void)unlink(log); /* a diary with dates and temporary paths, which no reader needs */
    rc = new_folder_commit(&writer->folder, err);
    free(writer);
    return rc;
}

const struct database_kind database_kind_leveldb = {
    .name = "leveldb",
    .open = leveldb_open_writer,
    .put = leveldb_put_value,
    .commit = leveldb_commit,
    .cancel = leveldb_cancel,
};
