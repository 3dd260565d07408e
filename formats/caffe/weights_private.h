/* weights_private.h — what an opened .caffemodel is, for the files that read it. */
#ifndef ETALON_CAFFE_WEIGHTS_PRIVATE_H
#define ETALON_CAFFE_WEIGHTS_PRIVATE_H

#include "common/bytes.h"
#include "formats/caffe/weights.h"
#include "formats/proto_wire.h"

#include <stdbool.h>

/* Of Sophon's BlobProto: int32_data, and right_shift_num where it is not set. */
enum { CAFFE_BLOB_INTEGERS = 14, CAFFE_NO_SHIFT = 255 };

struct caffe_layer_weights {
    char *name;
    bool is_claimed;
    size_t n_blobs, capacity;
    struct wire *blobs;
    struct wire message;                   /* the whole layer; empty where it is of the legacy form */
    const struct caffe_layer_codes *codes; /* once they were asked for */
};

struct caffe_weights {
    char *path;
    struct bytes file;
    uint8_t *converted; /* an HDF5 snapshot as such a file: then `file` borrows it */
    struct caffe_layer_weights *layers;
    size_t n_layers, capacity;
    void *names; /* search tree of layers, built when all are there */
};

/* What one blob holds, all of its fields having been walked. */
struct caffe_blob_facts {
    bool is_legacy; /* num, channels, height or width is present: then they are the shape */
    int64_t legacy[4];
    struct shape shape;
    uint64_t n_floats, n_doubles, n_integers;
    int64_t right_shift;
};

struct caffe_layer_weights *caffe_weights_lookup(const struct caffe_weights *weights, const char *layer); /* or NULL */
/* EX_DATAERR: there is no blob `index`, or it is malformed. */
int caffe_blob_find(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                    struct caffe_blob_facts *blob, struct error *err);
/* EX_DATAERR unless its shape is `expected`, up to axes of extent 1, and the blob holds as many numbers, called `what`.
 */
int caffe_blob_check(const struct caffe_blob_facts *blob, const struct shape *expected, uint64_t held, const char *what,
                     struct error *err);
/* Prepends file and blob to the message already there; returns -1. */
int caffe_blob_error(const struct caffe_weights *weights, size_t index, struct error *err);

/* protobuf's sint32: 0, -1, 1, -2 ... as 0, 1, 2, 3 ... */
static inline int64_t caffe_zigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

#endif
