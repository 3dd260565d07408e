/* dataset_encode.h — records become the keys and values of a Caffe database: what one rank does for `dataset build`.
 *
 * Keys are "%08d_<key of the record>". Values are Datum messages: raw planes (uint8, CHW, B G R order, or gray), image
 * files, or floats for records that are floats. Resizing is the two-tap filter of OpenCV (opencv_linear), which Caffe's
 * convert_imageset used.
 *
 * Results are collected in a piece, a run of bytes that can travel between ranks of one machine type.
 */
#ifndef ETALON_DATASET_ENCODE_H
#define ETALON_DATASET_ENCODE_H

#include "formats/record.h"

struct encode_options {
    const char *folder;                 /* of the images: where files are copied from */
    size_t resize_height, resize_width; /* both or neither; 0: as the files are */
    bool is_gray;                       /* one channel; else three, gray images replicated */
    bool is_encoded;                    /* image files instead of pixels */
    const char *encode_type; /* "png", "jpg": the kind of file; NULL: the kind that each already is. A file of
                                the right kind that is not resized is copied as it is. */
};

/* EX_USAGE: one size without the other or too large, a kind of file that we do not write. */
int encode_options_check(const struct encode_options *options, struct error *err);

struct piece { /* {0}: empty */
    uint8_t *bytes;
    size_t size, capacity;
};

/* One entry of a piece, borrowed from it. */
struct piece_entry {
    bool is_bad;                      /* the record cannot be used; `text` says why, with its key */
    const char *text;                 /* the database key */
    const void *value;                /* NULL for bad ones */
    size_t value_bytes, pixels_bytes; /* the latter: channels x height x width, for check_size */
};

void piece_fini(struct piece *piece);
/* Reads the entry at *at and moves *at behind it; false at the end. */
bool piece_next(const struct piece *piece, size_t *at, struct piece_entry *entry);

struct encoder;
/* Both are borrowed. EX_OSERR. */
struct encoder *encoder_create(const struct encode_options *options, struct dataset *dataset, struct error *err);
void encoder_destroy(struct encoder *encoder); /* NULL is allowed */
/* Appends record `ordinal`, as number `number` of the database, to the piece; a bad record as a bad entry. -1 when the
 * dataset is gone, there is no memory, or a kind of file was met that cannot be written (EX_UNAVAILABLE). */
int encoder_append(struct encoder *encoder, uint64_t ordinal, uint64_t number, struct piece *piece, struct error *err);

#endif
