/* weights.h — a .caffemodel, read blob by blob straight from the mapped file. Private to formats/caffe.
 *
 * Of each layer only name, type and blobs are looked at: their field numbers agree in all forks of Caffe, while others
 * do not. Nothing is unpacked ahead; a blob's numbers are copied once, into the arena that asks for them.
 */
#ifndef ETALON_CAFFE_WEIGHTS_H
#define ETALON_CAFFE_WEIGHTS_H

#include "common/error.h"
#include "common/memory.h"
#include "common/tensor.h"

struct caffe_weights;       /* one opened file */
struct caffe_layer_weights; /* one layer's blobs */

/* A .caffemodel, or a snapshot in HDF5. EX_NOINPUT; EX_DATAERR with the byte position: truncated, no network. Messages
 * start with the path. */
struct caffe_weights *caffe_weights_open(const char *path, struct error *err);
void caffe_weights_close(struct caffe_weights *weights); /* NULL is allowed */

/* The layer's blobs, in *out (borrowed); a name that several layers of the file share means the first of them, as in
 * Caffe. EX_DATAERR when no layer is called so, or its contents are malformed. */
int caffe_weights_find(const struct caffe_weights *weights, const char *layer, const struct caffe_layer_weights **out,
                       struct error *err);
/* Once a layer: EX_DATAERR the second time. Two layers of one name would share weights that Caffe gives to the first.
 */
int caffe_weights_claim(struct caffe_weights *weights, const char *layer, struct error *err);
/* The next layer from *cursor on (0 at first) that has blobs; NULL at the end. Borrowed. */
const char *caffe_weights_next(const struct caffe_weights *weights, size_t *cursor);
size_t caffe_weights_count(const struct caffe_layer_weights *layer);

/* The shape of blob `index`, as stored: legacy blobs have four axes. */
int caffe_weights_shape(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                        struct shape *shape, struct error *err);
/* The numbers of blob `index`, row-major, in `arena`. The stored shape must be `expected` up to axes of extent 1
 * (legacy blobs are padded with them), and hold as many numbers: else EX_DATAERR with both. Doubles become floats. */
int caffe_weights_read(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                       const struct shape *expected, struct arena *arena, const float **values, struct error *err);

#endif
