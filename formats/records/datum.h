/* datum.h — Caffe's Datum messages, the values of its LMDBs.
 *
 *   1 channels, 2 height, 3 width: int32      4 data: bytes, uint8 CHW, planes in B, G, R order
 *   5 label: int32                            6 float_data: repeated float, used when data is absent
 *   7 encoded: bool, then `data` is an image file and the dims are absent
 * and of the variant in Sophgo's tools:
 *   8 shape: message, 1 dim: repeated int64, in place of 1 to 3   9 dtype: the type of `data`, 3 (uint8) when absent
 *
 * Read with our wire reader rather than unpacked by protobuf-c: that would allocate and copy 150 KB per ImageNet record
 * which we lend from where they are, and would recurse into bytes from strangers. Field numbers: caffe.proto, message
 * Datum (specs of the format: formats/proto/caffe.proto).
 */
#ifndef ETALON_DATUM_H
#define ETALON_DATUM_H

#include "formats/record.h"

enum datum_field {
    FIELD_CHANNELS = 1,
    FIELD_HEIGHT = 2,
    FIELD_WIDTH = 3,
    FIELD_DATA = 4,
    FIELD_LABEL = 5,
    FIELD_FLOAT_DATA = 6,
    FIELD_ENCODED = 7,
    FIELD_SHAPE = 8,
    FIELD_DTYPE = 9,
};

struct datum {
    int64_t channels, height, width; /* 0 where absent */
    int64_t label;                   /* -1 where absent */
    bool is_encoded;
    const uint8_t *data; /* borrowed from the message; NULL: absent or empty */
    size_t size;
    size_t n_values;                 /* of float_data, packed or not */
    struct shape shape;              /* rank 0: absent */
    const struct element_type *type; /* of data; NULL: uint8 */
};

/* Takes the message message[0..size) apart. An AnnotatedDatum (SSD: first byte 0x0A, the tag of its field 1; a Datum
 * never starts with it) is entered and its inner datum taken. EX_DATAERR. */
int datum_parse(const uint8_t *message, size_t size, struct datum *datum, struct error *err);

/* The datum in message[0..size) as a record: raw planes (BGR for three channels, gray for one, a tensor otherwise), or
 * decoded from an image file, then in BGR too, as Caffe's decoder leaves it. Sets the pixels and the label; key and
 * digest are left alone. Raw bytes are lent from the message, everything else is copied. Where both data and float_data
 * are there, data is used. EX_DATAERR: dims, sizes, a damaged image. */
int datum_to_record(const uint8_t *message, size_t size, struct record *record, struct error *err);

/* Bytes that datum_write needs at most. */
size_t datum_bound(const struct datum *datum);
/* Writes `datum` as a message, byte for byte as Caffe does: fields in the order of their numbers, dims of 0 left out, a
 * label always, then datum->n_values floats from `values` (one tag each: the schema does not pack them; NULL where
 * there are none, and `data` absent where there are), and for images `encoded`, which Caffe sets even to false. Returns
 * the bytes written, at most datum_bound. */
size_t datum_write(const struct datum *datum, const float *values, uint8_t *message);

#endif
