/* npy_encode.c — writing .npy files; see npy.h. */
#include "formats/records/npy.h"

#include "common/memory.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_BYTES = 10, ALIGNMENT = 64, HEADER_BYTES = 256 }; /* eight dimensions of 20 digits fit */

uint8_t *npy_encode(const struct shape *shape, const float *data, size_t *size, struct error *err)
{
    size_t n_bytes = (size_t)shape_elements(shape) * sizeof *data, at, header;
    char text[HEADER_BYTES];
    uint8_t *bytes;

    at = (size_t)snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (size_t i = 0; i < shape->rank; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%lld%s", (long long)shape->dims[i],
                               shape->rank == 1      ? ","
                               : i + 1 < shape->rank ? ", "
                                                     : "");
    at += (size_t)snprintf(text + at, sizeof text - at, "), }");
    header = (PREFIX_BYTES + at + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - PREFIX_BYTES;
    bytes = memory_create(PREFIX_BYTES + header + n_bytes, 1, "an .npy file", err);
    if (bytes == NULL)
        return NULL;
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)(header & 255);
    bytes[9] = (uint8_t)(header >> 8);
    memset(bytes + PREFIX_BYTES, ' ', header);
    memcpy(bytes + PREFIX_BYTES, text, at);
    bytes[PREFIX_BYTES + header - 1] = '\n';
    memcpy(bytes + PREFIX_BYTES + header, data, n_bytes);
    *size = PREFIX_BYTES + header + n_bytes;
    return bytes;
}
