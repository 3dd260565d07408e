/* database.h — the key-value databases that a dataset is written to: one face, one file a kind.
 *
 * A new kind is formats/records/<name>_write.c and a word in formats/CMakeLists.txt.
 */
#ifndef ETALON_DATABASE_H
#define ETALON_DATABASE_H

#include "common/error.h"

#include <stddef.h>

struct database_kind {
    const char *name;
    /* EX_CANTCREAT: `folder` exists, or its parent cannot be written to. The folder appears with commit. */
    void *(*open)(const char *folder, struct error *err);
    /* Keys of 1..511 bytes, bytewise greater than the one before (EX_DATAERR). EX_IOERR: disk full and the like. */
    int (*put)(void *writer, const char *key, const void *value, size_t size, struct error *err);
    /* Ends the writer, also on failure (then nothing is left behind). EX_IOERR, EX_CANTCREAT. */
    int (*commit)(void *writer, struct error *err);
    void (*cancel)(void *writer); /* removes what was written; NULL is allowed */
};

extern const struct database_kind *const database_kinds[]; /* NULL-terminated */

/* NULL with EX_USAGE, naming the nearest. */
const struct database_kind *database_find(const char *name, struct error *err);

#endif
