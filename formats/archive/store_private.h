/* store_private.h — what store.c lends to the other files of this folder.
 */
#ifndef ETALON_ARCHIVE_STORE_PRIVATE_H
#define ETALON_ARCHIVE_STORE_PRIVATE_H

#include "formats/archive/store.h"

enum { STORE_OBJECT_NAME_BYTES = 512 };

/* Latches a failure of HDF5 on an object, in its own words: EX_DATAERR when reading, EX_IOERR when writing. */
int store_library_failed(struct store *store, const char *object, const char *action);

/* "/values/positive": the name of an item of a group (NULL: of the object itself), for messages and for the digest. */
const char *store_object_name(hid_t object, const char *item, char text[STORE_OBJECT_NAME_BYTES]);

/* A creation list of this class without object times, to be closed; negative on failure. */
hid_t store_timeless_list(hid_t class);

#endif
