/* array_file.h — arrays of numbers in files as datasets: one file with a record for each index of its first dim, or a
 * folder of files with a record each. What the kinds npy, bin and idx share; each adds how a file describes itself.
 */
#ifndef ETALON_ARRAY_FILE_H
#define ETALON_ARRAY_FILE_H

#include "formats/records/elements.h"
#include "formats/records/folder.h"

struct array {
    struct elements elements; /* the shape of all of it, records along the first dim */
    uint64_t offset;          /* of the first element, bytes */
};

enum { ARRAY_HEAD_BYTES = (1 << 16) + 12 }; /* the longest header: that of a .npy of version 1, or as long a one of 2 */

/* What a file of file_bytes bytes, whose first n_head <= ARRAY_HEAD_BYTES are `head`, holds. EX_DATAERR. */
typedef int array_describe(const struct dataset_request *request, const uint8_t *head, size_t n_head,
                           uint64_t file_bytes, struct array *array, struct error *err);

/* One record from a file data[0..size) of its own; a first dim of 1 is that of a batch. For folder_format.decode. */
int array_decode(array_describe *describe, const struct dataset_request *request, const uint8_t *data, size_t size,
                 struct record *record, struct error *err);

/* Slots of a record_kind. request->path is a file, or, where there is a `folder` format, a folder. Records of one file
 * are named by their index, "00000042"; their labels come from request->labels. Memory: one record, or for Fortran's
 * order a window of records (16 MiB, at least one record), a thread. */
int array_open(array_describe *describe, const struct folder_format *folder, const struct dataset_request *request,
               void **state, uint64_t *n_records, struct error *err);
void array_close(void *state);
int array_cursor_open(void *state, void **cursor, struct error *err);
void array_cursor_close(void *cursor);
int array_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err);
int array_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err);
int array_check_unchanged(void *state, struct error *err);

#endif
