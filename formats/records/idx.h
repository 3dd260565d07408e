/* idx.h — IDX files, the format of MNIST.
 *
 *   0 0, type (08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64), number of dims, each dim as a big-endian
 *   uint32, the elements, big-endian, the last dim fastest. Source: yann.lecun.com/exdb/mnist.
 */
#ifndef ETALON_IDX_H
#define ETALON_IDX_H

#include "formats/records/array_file.h"

bool idx_is(const uint8_t *data, size_t size); /* by the first bytes */
array_describe idx_describe;

#endif
