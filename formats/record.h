/* record.h — datasets as ordinal sequences of records, and what one record holds before preprocessing.
 *
 * A source is opened read-only by every rank; `read` may be called by several threads at once, each with its own
 * cursor. A new kind of dataset is one file in formats/records/ and one word in formats/CMakeLists.txt.
 */
#ifndef ETALON_RECORD_H
#define ETALON_RECORD_H

#include "common/error.h"
#include "common/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_KEY_BYTES = 512, DATASET_MAX_INPUTS = 16 };

/* Channel order of the pixels as stored. Decoded images are RGB or GRAY; Caffe datums are BGR. */
enum pixel_order { PIXELS_NONE /* no image: a tensor */, PIXELS_GRAY, PIXELS_RGB, PIXELS_BGR };

/* The pixels [top, top + height) x [left, left + width) of a picture. */
struct rectangle {
    size_t top, left, height, width;
};

/* What a record's reader will do with an image, so that its decoder can leave out the rest. It need not. */
struct image_wish {
    /* Which pixels of an image of height x width are looked at; the others may hold anything. NULL: all. */
    struct rectangle (*find)(const void *context, size_t height, size_t width);
    const void *context;
    bool is_gray;  /* colour becomes gray as OpenCV reads it in gray: of a JPEG, the luma that it holds */
    bool is_index; /* numbers rather than colours: of a palette, the indices; 16 bits are not cut to 8 but bad */
};

/* One record, reused from call to call: buffers grow and are freed by record_fini. Its pixels lie in a buffer of its
 * own, or are lent by the dataset (a raw datum in an LMDB is not copied): look at them before the next dataset_read. */
struct record {
    char key[RECORD_KEY_BYTES]; /* path in the list, LMDB key ...: what messages and the archive call it */
    int64_t label;              /* -1: none */
    bool is_float;              /* the pixels are `values` rather than `bytes` */
    enum pixel_order order;
    bool is_planar; /* CHW (datums, tensors) rather than HWC (decoded images) */
    size_t channels, height, width;
    const uint8_t *bytes; /* [channels x height x width] */
    const float *values;
    uint8_t *byte_buffer; /* its own, for whoever fills the record after record_reserve */
    float *value_buffer;
    size_t bytes_capacity, values_capacity; /* private */
    const struct image_wish *wish;          /* of the reader, who sets and owns it; NULL: the whole image */
    double decode_seconds;                  /* of the last dataset_read: spent on an image file; the rest was reading */
    uint64_t digest; /* XXH3-64 of the stored record (file bytes or datum), for the dataset's identity; 0: unreadable */
    bool is_unnamed; /* the key is but the record's place in a file, and would be another in a part of that file */
};

/* What tells a record from all others, wherever its dataset lies and whatever else is in it. */
struct record_identity {
    uint64_t key;    /* XXH3-64 of its key; 0: is_unnamed */
    uint64_t digest; /* of its bytes; 0: unreadable */
};

enum {
    RECORD_MAX_PIXELS = 1 << 27,  /* height x width */
    RECORD_MAX_ELEMENTS = 1 << 29 /* channels x height x width: four channels of the largest image */
};

void record_fini(struct record *record); /* may be called on {0} and twice */
/* Sets the dims and is_float, and makes room: `bytes` or `values` is then the record's own buffer, of channels x height
 * x width elements of unspecified content. EX_DATAERR: no elements, or more than the limits above; EX_OSERR. */
int record_reserve(struct record *record, size_t channels, size_t height, size_t width, bool is_float,
                   struct error *err);

/* Sets the dims and lends pixels[channels x height x width], which stay where they are until the next dataset_read.
 * Limits and errors as above. */
int record_lend(struct record *record, size_t channels, size_t height, size_t width, const uint8_t *pixels,
                struct error *err);

struct element_type;
struct dataset_input;

struct dataset_request {
    const char *kind;  /* "images", "lmdb", ... */
    const char *path;  /* a folder; lmdb: also the data file itself */
    const char *list;  /* images: "relative/path label" a line, split at the last space; NULL: every image file, sorted
                          bytewise by relative path, labels -1 */
    uint64_t limit;    /* first N records; 0 = all */
    const void *index; /* what dataset_index gave for the same request elsewhere; NULL: open finds out */
    size_t index_size;
    const char *labels;               /* one label a record, for a file that holds records: IDX, .npy or text */
    struct shape shape;               /* of a record, where files do not say; rank 0: that of the network's input */
    const struct element_type *dtype; /* of numbers, where files do not say; NULL: float32 (records/elements.h) */
    bool is_interleaved;              /* arrays: height, width, channels rather than channels, height, width */
    enum pixel_order order;           /* arrays: what their channels are; NONE: one is gray, more are no image */
    const char *member;               /* tar: the ending of the members that are records; NULL: a picture or array */
    bool is_oriented;                 /* images, tar: the orientation in EXIF data is honoured */
    /* Several inputs a record: a dataset of its own for each, whose records belong together where their keys without
     * folders' order and extension are equal ("a/7.png" and "a/7.npy"). Kind and path are NULL then, and `limit` counts
     * matched records. */
    size_t n_inputs;
    const struct dataset_input *inputs;
};

struct dataset_input {
    const char *name; /* of the network's input */
    struct dataset_request request;
};

/* Whether the request asks for anything: a kind, or inputs. */
bool dataset_is_given(const struct dataset_request *request);
/* Whether it lacks a shape that its kind needs. */
bool dataset_needs_shape(const struct dataset_request *request);

struct dataset;        /* one opened dataset */
struct dataset_cursor; /* one thread's position in it */

/* Keys of a request that only some kinds take. */
enum dataset_key {
    DATASET_LIST = 1,
    DATASET_LABELS = 2,
    DATASET_SHAPE = 4,
    DATASET_DTYPE = 8,
    DATASET_LAYOUT = 16, /* is_interleaved and order */
    DATASET_MEMBER = 32,
    DATASET_ORIENTATION = 64,
};

struct record_kind {
    const char *name, *summary;
    unsigned takes; /* of enum dataset_key */
    int (*open)(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err);
    void (*close)(void *state);
    int (*cursor_open)(void *state, void **cursor, struct error *err); /* optional */
    void (*cursor_close)(void *cursor);
    /* Fills *record with record `ordinal`: first key, label and digest, so that a bad record still has an identity,
     * then the pixels. EX_DATAERR says what was expected and found, without the key (dataset_read names it): such a
     * record may be skipped under limits.max_bad_records. EX_IOERR, EX_NOINPUT: the dataset is gone. cursor is NULL
     * where the kind has no cursor_open. */
    int (*read)(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err);
    /* Optional, for several inputs: the key alone, where that is cheaper than reading. */
    int (*read_key)(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err);
    /* Optional: what open had to walk over the whole dataset for, as bytes that the caller frees. Where request->index
     * has them, open takes them instead. */
    int (*index)(void *state, void **bytes, size_t *size, struct error *err);
    /* Optional: has the dataset changed since open? EX_DATAERR. Called at the end of a run. */
    int (*check_unchanged)(void *state, struct error *err);
};

extern const struct record_kind *const record_kinds[]; /* NULL-terminated */

/* The name of the kind that a folder (at worst "images") or file seems to be, by names and first bytes; NULL: none. */
const char *dataset_recognise(const char *path);

/* NULL: EX_CONFIG "dataset kind "x" does not exist; the nearest is "y"". */
const struct record_kind *record_kind_find(const char *name, struct error *err);

/* EX_CONFIG unknown kind (with the nearest) or no path, EX_NOINPUT, EX_DATAERR: empty ("holds no record"), truncated;
 * of several inputs, names that only some of them have, or one has twice. The request is not needed afterwards. */
struct dataset *dataset_open(const struct dataset_request *request, struct error *err);
/* The same with a kind that is in no table: for tests and for programs that bring records of their own. */
struct dataset *dataset_open_kind(const struct record_kind *kind, const struct dataset_request *request,
                                  struct error *err);
void dataset_close(struct dataset *dataset); /* NULL is allowed; after the last cursor */
uint64_t dataset_count(const struct dataset *dataset);
size_t dataset_n_inputs(const struct dataset *dataset); /* at least 1 */
/* The input's name in the request, borrowed; NULL for the only input of a plain dataset. */
const char *dataset_input_name(const struct dataset *dataset, size_t input);
/* Does the kind of this request have an index worth sharing? */
bool dataset_has_index(const struct dataset_request *request);
/* What another process can open the same dataset with, without a walk of its own; free() the bytes. EX_OSERR. */
int dataset_index(struct dataset *dataset, void **bytes, size_t *size, struct error *err);
/* One thread's cursor: several may exist, each is used by one thread at a time. */
struct dataset_cursor *dataset_cursor_open(struct dataset *dataset, struct error *err);
void dataset_cursor_close(struct dataset_cursor *cursor); /* NULL is allowed */
/* *record is {0} or came from an earlier call; what it lends is valid until the cursor's next read or close. Fastest
 * where ordinals rise. EX_DATAERR: this record is bad; the message
 * begins with its key and holds no path of this machine (it goes into the archive); key, label and digest are set.
 * Anything else: the dataset is gone, the message names it. */
int dataset_read(struct dataset_cursor *cursor, uint64_t ordinal, struct record *record, struct error *err);
/* The same of one input among several, whose name the message begins with; dataset_read reads the first. */
int dataset_read_input(struct dataset_cursor *cursor, size_t input, uint64_t ordinal, struct record *record,
                       struct error *err);
/* Of a record that dataset_read or dataset_read_input has filled, also where it was bad. */
struct record_identity record_identify(const struct record *record);
/* One number for n of them, in this order: of one its own. */
uint64_t dataset_digest(const uint64_t *digests, size_t n);
/* The identity of a record of n inputs, from those of the inputs; of one input its own. */
struct record_identity record_identity_join(const struct record_identity *inputs, size_t n);
int dataset_check_unchanged(struct dataset *dataset, struct error *err);
/* Content identity, SHA-256 over the count and the identities of up to 64 evenly spaced records (bad ones too); never a
 * path. EX_IOERR, EX_NOINPUT when the dataset is gone. */
int dataset_fingerprint(struct dataset *dataset, char hex[65], struct error *err);
/* The same of a dataset of these n records, e.g. one whose parts were read in several places. EX_OSERR. */
int dataset_fingerprint_records(const struct record_identity *records, uint64_t n, char hex[65], struct error *err);

#endif
