/* weights_hdf5.h — Caffe's snapshots in HDF5 (.caffemodel.h5), as the .caffemodel that holds the same. Private to
 * formats/caffe.
 *
 *   data/<layer>/<index>: dataset of floats or doubles, the layer's blob of that number
 *
 * As everywhere, HDF5 itself is not hardened against hostile files; what it tells is bounded by the file's size.
 */
#ifndef ETALON_CAFFE_WEIGHTS_HDF5_H
#define ETALON_CAFFE_WEIGHTS_HDF5_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/* *bytes[*size] is a NetParameter of layers with name and blobs, to be freed. EX_DATAERR: no HDF5 file, no weights in
 * it, a blob missing between others, no numbers; EX_OSERR. */
int caffe_weights_from_hdf5(const char *path, uint64_t file_size, uint8_t **bytes, size_t *size, struct error *err);

#endif
