/* folder.h — a folder of files as a dataset, one record a file, in the order of a list or sorted: what the kinds of
 * dataset whose records are files share.
 */
#ifndef ETALON_RECORDS_FOLDER_H
#define ETALON_RECORDS_FOLDER_H

#include "formats/record.h"
#include "formats/records/file_buffer.h"

/* How files become records. */
struct folder_format {
    bool (*is_mine)(const char *name); /* whether a scan takes a file of this name */
    size_t max_bytes;                  /* of a file */
    /* The pixels of *record from the file data[0..size); key, label and digest are set. `request`: how the dataset is
     * to be read. EX_DATAERR. */
    int (*decode)(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
                  struct error *err);
};

struct folder;
/* EX_NOINPUT: no such folder; others as image_list.h. The format is borrowed, the request's strings are not needed
 * afterwards. */
struct folder *folder_open(const struct folder_format *format, const struct dataset_request *request,
                           uint64_t *n_records, struct error *err);
void folder_close(struct folder *folder);
/* As record_kind.read and read_key. */
int folder_read(const struct folder *folder, struct file_buffer *buffer, uint64_t ordinal, struct record *record,
                struct error *err);
void folder_read_key(const struct folder *folder, uint64_t ordinal, char key[RECORD_KEY_BYTES]);

/* The same as slots of a record_kind whose state is the folder and whose cursor a file buffer. */
int folder_kind_open(const struct folder_format *format, const struct dataset_request *request, void **state,
                     uint64_t *n_records, struct error *err);
void folder_kind_close(void *state);
int folder_kind_cursor_open(void *state, void **cursor, struct error *err);
void folder_kind_cursor_close(void *cursor);
int folder_kind_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err);
int folder_kind_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err);

/* Whether the name ends in one of the n endings, ".jpg" ..., in any case. */
bool folder_name_ends(const char *name, const char *const *endings, size_t n);

#endif
