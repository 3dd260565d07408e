/* npy.h — NumPy's .npy files, versions 1 to 3.
 *
 *   93 "NUMPY", version (two bytes), length of the header (uint16, from version 2 on uint32, little-endian), the
 * header:
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } as Python writes it, padded with spaces; the elements.
 *   Source: numpy.lib.format.
 */
#ifndef ETALON_NPY_H
#define ETALON_NPY_H

#include "formats/records/array_file.h"

bool npy_is(const uint8_t *data, size_t size); /* by the first bytes */
bool npy_is_name(const char *name);            /* ends in .npy */
array_describe npy_describe;
/* One record from a file of its own. */
int npy_decode(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
               struct error *err);

/* The bytes of a version 1 file of float32 in C order; *size of them, to be freed. NULL: EX_OSERR. */
uint8_t *npy_encode(const struct shape *shape, const float *data, size_t *size, struct error *err);

#endif
