/* orientation.h — the orientation that cameras note in a JPEG's EXIF data, for those who want it honoured.
 */
#ifndef ETALON_ORIENTATION_H
#define ETALON_ORIENTATION_H

#include "formats/record.h"

/* decode_image, and the pixels turned upright, as PIL's exif_transpose does. EX_DATAERR also: beyond decode_budget,
 * with two images in memory; EX_OSERR. */
int orientation_decode(const uint8_t *data, size_t size, struct record *record, struct error *err);

#endif
