/* store.h — HDF5 as the archive uses it: one file, its first failure, and the digest of all that passes.
 *
 * Every transfer works both ways: into the file when it is being written, out of it when it is being read. So the
 * layout is told once (layout.c) and cannot differ between the two. After a failure every call is a no-op and
 * `has_failed` stays.
 *
 * What HDF5 1.10.8 needs to be trusted (measured, see the project's notes on reliability): the v110 format, whose
 * metadata carry checksums; every array chunked and under fletcher32; no variable-length strings; no object times, so
 * that equal content gives equal bytes; H5dont_atexit, since its exit handler crashes after a full disk; every status
 * looked at, since a close may succeed after a failed write.
 */
#ifndef ETALON_ARCHIVE_STORE_H
#define ETALON_ARCHIVE_STORE_H

#include "common/output.h"

#include <hdf5.h>

enum store_type { STORE_U8, STORE_U32, STORE_I32, STORE_U64, STORE_F32, STORE_F64, STORE_TEXT };

/* One member of an array of structs, kept in the file as a one-dimensional dataset (or, for one struct, an attribute).
 */
struct store_column {
    const char *name;
    enum store_type type;
    size_t offset, size; /* of the member; size counts bytes, and is what a STORE_TEXT has room for */
    const char *unit;    /* what a dataset says of itself in an attribute; NULL: nothing */
};

#define STORE_COLUMN(type, structure, member, unit)                                                                    \
    {                                                                                                                  \
#member, type, offsetof(structure, member), sizeof(((structure *)0)->member), unit                             \
    }

struct store {
    hid_t file;
    bool is_reading, has_failed;
    struct sha256 *digest;
    struct error *err;
};

int store_create(struct store *store, const char *path, struct error *err); /* EX_IOERR */
/* EX_NOINPUT, EX_DATAERR: no HDF5 file. */
int store_open(struct store *store, const char *path, struct error *err);
/* Closes the file and everything in it; the digest is discarded if it was not taken. -1 when anything has failed. */
int store_close(struct store *store);
/* The digest of all transfers so far, in their order; ends it. Defined in jobs/doc/archive.md. */
void store_take_digest(struct store *store, char hex[SHA256_HEX_BYTES]);

/* Latches an error of our own; returns -1. */
int store_fail(struct store *store, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Memory for what is being read; NULL after latching EX_OSERR. */
void *store_allocate(struct store *store, size_t n, size_t size, const char *what);

/* Reading: is there an object of this name below `parent`? */
bool store_has(struct store *store, hid_t parent, const char *name);
/* Makes or opens a group below `parent` (the file, or a group). store_leave closes it. */
hid_t store_enter(struct store *store, hid_t parent, const char *name);
void store_leave(struct store *store, hid_t group);

/* One attribute; is_digested is false for what is needed before the digest can be trusted, and for the digest itself.
 */
void store_attribute(struct store *store, hid_t object, const struct store_column *column, void *structure,
                     bool is_digested);
/* Length of the column `name` of `group`: the file's when reading, n when writing. */
size_t store_count(struct store *store, hid_t group, const char *name, size_t n);
/* Column after column of items[0..n), which lie `stride` bytes apart. NaN is stored as the one canonical quiet NaN,
 * text with zeros to its end. */
void store_columns(struct store *store, hid_t group, const struct store_column *columns, size_t n_columns, void *items,
                   size_t stride, size_t n);
/* The same with as many items as the file's first column has when reading (what = "the records"): returns memory for
 * them, which the caller frees, and sets *n; NULL and 0 after a failure. When writing it returns `items`. */
void *store_array(struct store *store, hid_t group, const struct store_column *columns, size_t n_columns, void *items,
                  size_t stride, size_t *n, const char *what);
/* The list owner->list of owner->n_list structs, or plain numbers, with an array of columns. */
#define STORE_LIST(store, group, columns, owner, list, what)                                                           \
    ((owner)->list = store_array(store, group, columns, sizeof(columns) / sizeof *(columns), (owner)->list,            \
                                 sizeof *(owner)->list, &(owner)->n_##list, what))

/* Rows of 64-bit counts: a two-dimensional dataset [n][width], compressed, one chunk a row. Reading checks the
 * dimensions against the expected ones, and these against the bytes in the file, before anything is allocated for them.
 */
struct store_rows {
    hid_t dataset, file_space, row_space;
    size_t width;
};
void store_rows_begin(struct store *store, hid_t group, const char *name, const char *unit, size_t n, size_t width,
                      struct store_rows *rows);
void store_row(struct store *store, struct store_rows *rows, size_t index, uint64_t *row);
void store_rows_end(struct store *store, struct store_rows *rows);

#endif
