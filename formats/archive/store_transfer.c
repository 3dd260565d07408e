/* store_transfer.c — attributes, columns and rows of counts, both ways, and their digest. */
#include "common/memory.h"
#include "formats/archive/store_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the digest is defined over little-endian bytes");

enum {
    CHUNK_BYTES = 1 << 20, /* of a column */
    STORE_UNIT_BYTES = 32,
    DEFLATE_LEVEL = 4,
    DEFLATE_RATIO_MAX =
        1032, /* deflate cannot expand by more (258 bytes from two bits), so no honest file needs more */
};

/* ---- types, values and their digest ----------------------------------------------------------------------------- */

static const struct {
    const char *name; /* in the digest */
    size_t size;      /* 0: as the column says */
} types[] = {
    [STORE_U8] = {"u8", 1},   [STORE_U32] = {"u32", 4}, [STORE_I32] = {"i32", 4},   [STORE_U64] = {"u64", 8},
    [STORE_F32] = {"f32", 4}, [STORE_F64] = {"f64", 8}, [STORE_TEXT] = {"text", 0},
};

/* The HDF5 type of a column; a copy, to be closed. */
static hid_t library_type(const struct store_column *column)
{
    hid_t type;

    assert(types[column->type].size == 0 || types[column->type].size == column->size);
    switch (column->type) {
    case STORE_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case STORE_U32:
        return H5Tcopy(H5T_STD_U32LE);
    case STORE_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case STORE_U64:
        return H5Tcopy(H5T_STD_U64LE);
    case STORE_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case STORE_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case STORE_TEXT:
        break;
    }
    type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, column->size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
                      H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

/* Makes one value the only representative of what it means, so that equal content is equal bytes. */
static void canonicalise(const struct store_column *column, char *value)
{
    float f;
    double d;

    switch (column->type) {
    case STORE_F32:
        memcpy(&f, value, sizeof f);
        if (isnan(f))
            memcpy(value, &(uint32_t){0x7fc00000}, sizeof f);
        break;
    case STORE_F64:
        memcpy(&d, value, sizeof d);
        if (isnan(d))
            memcpy(value, &(uint64_t){0x7ff8000000000000}, sizeof d);
        break;
    case STORE_TEXT: {
        size_t length = strnlen(value, column->size - 1); /* always ends in a zero */

        memset(value + length, 0, column->size - length);
        break;
    }
    case STORE_U8:
    case STORE_U32:
    case STORE_I32:
    case STORE_U64:
        break;
    }
}

/* What goes into the digest ahead of an item's bytes: its name, its type, its dimensions. */
static void digest_header(struct store *store, hid_t parent, const char *name, const char *type, size_t rank,
                          const uint64_t *dims)
{
    char object[STORE_OBJECT_NAME_BYTES];
    uint64_t rank64 = rank;

    store_object_name(parent, name, object);
    sha256_add(store->digest, object, strlen(object) + 1);
    sha256_add(store->digest, type, strlen(type) + 1);
    sha256_add(store->digest, &rank64, sizeof rank64);
    sha256_add(store->digest, dims, rank * sizeof *dims);
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

/* Does an attribute or dataset have this type, and no more dimensions than expected? Closes what it is given. */
static bool is_as_expected(hid_t type, hid_t space, hid_t expected_type, int expected_rank)
{
    bool is_good = type >= 0 && space >= 0 && H5Tequal(type, expected_type) > 0 &&
                   H5Sget_simple_extent_ndims(space) == expected_rank && H5Sget_simple_extent_type(space) != H5S_NULL;

    H5Tclose(type);
    H5Sclose(space);
    return is_good;
}

static void read_attribute(struct store *store, hid_t object, const struct store_column *column, hid_t type,
                           char *value)
{
    hid_t attribute = H5Aopen(object, column->name, H5P_DEFAULT);
    char name[STORE_OBJECT_NAME_BYTES];

    store_object_name(object, column->name, name);
    if (attribute < 0)
        store_library_failed(store, name, "found");
    else if (!is_as_expected(H5Aget_type(attribute), H5Aget_space(attribute), type, 0))
        store_fail(store, EX_DATAERR, "attribute %s: expected one %s of %zu bytes, found something else", name,
                   types[column->type].name, column->size);
    else if (H5Aread(attribute, type, value) < 0)
        store_library_failed(store, name, "read");
    H5Aclose(attribute);
}

static void write_attribute(struct store *store, hid_t object, const struct store_column *column, hid_t type,
                            const char *value)
{
    hid_t space = H5Screate(H5S_SCALAR), attribute = H5I_INVALID_HID;
    char name[STORE_OBJECT_NAME_BYTES];

    if (space >= 0)
        attribute = H5Acreate2(object, column->name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        store_library_failed(store, store_object_name(object, column->name, name), "written");
    if (attribute >= 0 && H5Aclose(attribute) < 0)
        store_library_failed(store, store_object_name(object, column->name, name), "closed");
    H5Sclose(space);
}

void store_attribute(struct store *store, hid_t object, const struct store_column *column, void *structure,
                     bool is_digested)
{
    char *value = (char *)structure + column->offset;
    hid_t type;

    if (store->has_failed)
        return;
    type = library_type(column);
    if (type < 0) {
        store_library_failed(store, column->name, "given a type");
        return;
    }
    if (store->is_reading) {
        read_attribute(store, object, column, type, value);
        if (column->type == STORE_TEXT)
            value[column->size - 1] = '\0';
    } else {
        canonicalise(column, value);
        write_attribute(store, object, column, type, value);
    }
    H5Tclose(type);
    if (is_digested && !store->has_failed) {
        digest_header(store, object, column->name, types[column->type].name, 0, NULL);
        sha256_add(store->digest, value, column->size);
    }
}

/* ---- datasets --------------------------------------------------------------------------------------------------- */

/* Opens an array and believes its dimensions only when the bytes behind it could hold them. */
static hid_t open_array(struct store *store, hid_t group, const char *name, hid_t type, int rank, hsize_t dims[2])
{
    hid_t array = H5Dopen2(group, name, H5P_DEFAULT), space;
    char object[STORE_OBJECT_NAME_BYTES];
    size_t elements, bytes;
    hsize_t stored;

    store_object_name(group, name, object);
    if (array < 0) {
        store_library_failed(store, object, "opened");
        return array;
    }
    dims[0] = dims[1] = 1;
    space = H5Dget_space(array);
    stored = H5Dget_storage_size(array);
    if (!is_as_expected(H5Dget_type(array), H5Scopy(space), type, rank) ||
        H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        store_fail(store, EX_DATAERR, "dataset %s: expected %d dimensions of another type than found", object, rank);
    else if (!size_multiply(dims[0], dims[1], &elements) || !size_multiply(elements, H5Tget_size(type), &bytes) ||
             bytes / (rank == 2 ? DEFLATE_RATIO_MAX : 1) > stored)
        store_fail(store, EX_DATAERR, "dataset %s: claims %llu x %llu elements, but the file holds %llu bytes of it",
                   object, (unsigned long long)dims[0], (unsigned long long)dims[1], (unsigned long long)stored);
    H5Sclose(space);
    if (store->has_failed) {
        H5Dclose(array);
        return H5I_INVALID_HID;
    }
    return array;
}

/* For readers without the manual; the layout's own, so neither read nor digested. */
static void write_unit(struct store *store, hid_t array, const char *unit)
{
    char value[STORE_UNIT_BYTES];
    const struct store_column column = {"unit", STORE_TEXT, 0, unit == NULL ? 0 : strlen(unit) + 1, NULL};
    hid_t type;

    if (unit == NULL || store->has_failed)
        return;
    assert(column.size <= sizeof value);
    memcpy(value, unit, column.size);
    type = library_type(&column);
    if (type < 0)
        store_library_failed(store, unit, "given a type");
    else
        write_attribute(store, array, &column, type, value);
    H5Tclose(type);
}

/* A chunked array under fletcher32. Counts (rank 2) are compressed, columns are not. The
 * checksum comes last and so covers the compressed bytes. */
static hid_t create_array(struct store *store, hid_t group, const char *name, const char *unit, hid_t type, int rank,
                          const hsize_t *dims, const hsize_t *chunk)
{
    hid_t array = H5I_INVALID_HID, space = H5Screate_simple(rank, dims, NULL),
          creation = store_timeless_list(H5P_DATASET_CREATE);
    char object[STORE_OBJECT_NAME_BYTES];

    if (space >= 0 && creation >= 0 && H5Pset_chunk(creation, rank, chunk) >= 0 &&
        (rank == 1 || (H5Pset_shuffle(creation) >= 0 && H5Pset_deflate(creation, DEFLATE_LEVEL) >= 0)) &&
        H5Pset_fletcher32(creation) >= 0)
        array = H5Dcreate2(group, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (array < 0)
        store_library_failed(store, store_object_name(group, name, object), "created");
    write_unit(store, array, unit);
    H5Sclose(space);
    H5Pclose(creation);
    return array;
}

size_t store_count(struct store *store, hid_t group, const char *name, size_t n)
{
    char object[STORE_OBJECT_NAME_BYTES];
    hid_t array, space;
    hsize_t dims[2] = {0, 0};

    if (store->has_failed || !store->is_reading)
        return store->has_failed ? 0 : n;
    array = H5Dopen2(group, name, H5P_DEFAULT);
    space = array < 0 ? H5I_INVALID_HID : H5Dget_space(array);
    if (space < 0 || H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        store_library_failed(store, store_object_name(group, name, object), "measured");
    else if (dims[0] > H5Dget_storage_size(array)) /* an element is a byte at least */
        store_fail(store, EX_DATAERR, "dataset %s: claims %llu elements, which the file cannot hold",
                   store_object_name(group, name, object), (unsigned long long)dims[0]);
    H5Sclose(space);
    H5Dclose(array);
    return store->has_failed ? 0 : dims[0];
}

static void read_column(struct store *store, hid_t group, const struct store_column *column, hid_t type, size_t n,
                        char *values)
{
    hsize_t dims[2];
    hid_t array = open_array(store, group, column->name, type, 1, dims);
    char object[STORE_OBJECT_NAME_BYTES];

    if (array < 0)
        return;
    store_object_name(group, column->name, object);
    if (dims[0] != n)
        store_fail(store, EX_DATAERR, "dataset %s: expected %zu elements, found %llu", object, n,
                   (unsigned long long)dims[0]);
    else if (n > 0 && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        store_library_failed(store, object, "read");
    H5Dclose(array);
}

static void write_column(struct store *store, hid_t group, const struct store_column *column, hid_t type, size_t n,
                         const char *values)
{
    hsize_t dims = n, chunk = CHUNK_BYTES / column->size;
    char object[STORE_OBJECT_NAME_BYTES];
    hid_t array;

    chunk = n == 0 ? 1 : n < chunk ? n : chunk;
    array = create_array(store, group, column->name, column->unit, type, 1, &dims, &chunk);
    if (array < 0)
        return;
    store_object_name(group, column->name, object);
    if (n > 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        store_library_failed(store, object, "written");
    if (H5Dclose(array) < 0)
        store_library_failed(store, object, "closed");
}

/* One column through a dense buffer: gathered from the structs or scattered into them. */
static void transfer_column(struct store *store, hid_t group, const struct store_column *column, char *items,
                            size_t stride, size_t n, char *values)
{
    hid_t type = library_type(column);
    const uint64_t dims = n;

    if (type < 0) {
        store_library_failed(store, column->name, "given a type");
        return;
    }
    if (store->is_reading)
        read_column(store, group, column, type, n, values);
    for (size_t i = 0; i < n && !store->has_failed; i++) {
        char *member = items + i * stride + column->offset, *value = values + i * column->size;

        if (!store->is_reading)
            memcpy(value, member, column->size);
        canonicalise(column, value);
        if (store->is_reading)
            memcpy(member, value, column->size);
    }
    if (!store->is_reading)
        write_column(store, group, column, type, n, values);
    H5Tclose(type);
    if (!store->has_failed) {
        digest_header(store, group, column->name, types[column->type].name, 1, &dims);
        sha256_add(store->digest, values, n * column->size);
    }
}

void store_columns(struct store *store, hid_t group, const struct store_column *columns, size_t n_columns, void *items,
                   size_t stride, size_t n)
{
    for (size_t i = 0; i < n_columns && !store->has_failed; i++) {
        char *values = store_allocate(store, n, columns[i].size, columns[i].name);

        if (values != NULL)
            transfer_column(store, group, &columns[i], items, stride, n, values);
        free(values);
    }
}

void *store_array(struct store *store, hid_t group, const struct store_column *columns, size_t n_columns, void *items,
                  size_t stride, size_t *n, const char *what)
{
    size_t count = store_count(store, group, columns[0].name, *n);

    if (store->is_reading) {
        items = store_allocate(store, count, stride, what);
        *n = items != NULL ? count : 0;
    }
    store_columns(store, group, columns, n_columns, items, stride, count);
    return items;
}

/* ---- rows of counts --------------------------------------------------------------------------------------------- */

void store_rows_begin(struct store *store, hid_t group, const char *name, const char *unit, size_t n, size_t width,
                      struct store_rows *rows)
{
    const hsize_t dims[2] = {n, width}, chunk[2] = {1, width};
    hsize_t found[2];

    *rows = (struct store_rows){H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, width};
    if (store->has_failed)
        return;
    rows->dataset = store->is_reading ? open_array(store, group, name, H5T_STD_U64LE, 2, found)
                                      : create_array(store, group, name, unit, H5T_STD_U64LE, 2, dims, chunk);
    if (rows->dataset < 0)
        return;
    if (store->is_reading && (found[0] != n || found[1] != width)) {
        char object[STORE_OBJECT_NAME_BYTES];

        store_fail(store, EX_DATAERR, "dataset %s: expected %zu x %zu counts, found %llu x %llu",
                   store_object_name(group, name, object), n, width, (unsigned long long)found[0],
                   (unsigned long long)found[1]);
        return;
    }
    rows->file_space = H5Dget_space(rows->dataset);
    rows->row_space = H5Screate_simple(2, chunk, NULL);
    if (rows->file_space < 0 || rows->row_space < 0)
        store_library_failed(store, name, "given a space");
    else
        digest_header(store, group, name, types[STORE_U64].name, 2, (const uint64_t[2]){n, width});
}

void store_row(struct store *store, struct store_rows *rows, size_t index, uint64_t *row)
{
    const hsize_t at[2] = {index, 0}, count[2] = {1, rows->width};
    char object[STORE_OBJECT_NAME_BYTES];
    herr_t status;

    if (store->has_failed)
        return;
    status = H5Sselect_hyperslab(rows->file_space, H5S_SELECT_SET, at, NULL, count, NULL);
    if (status >= 0 && store->is_reading)
        status = H5Dread(rows->dataset, H5T_NATIVE_UINT64, rows->row_space, rows->file_space, H5P_DEFAULT, row);
    else if (status >= 0)
        status = H5Dwrite(rows->dataset, H5T_NATIVE_UINT64, rows->row_space, rows->file_space, H5P_DEFAULT, row);
    if (status < 0)
        store_library_failed(store, store_object_name(rows->dataset, NULL, object),
                             store->is_reading ? "read" : "written");
    else
        sha256_add(store->digest, row, rows->width * sizeof *row);
}

void store_rows_end(struct store *store, struct store_rows *rows)
{
    H5Sclose(rows->row_space);
    H5Sclose(rows->file_space);
    if (rows->dataset >= 0 && H5Dclose(rows->dataset) < 0)
        store_library_failed(store, "a dataset of counts", "closed");
}
