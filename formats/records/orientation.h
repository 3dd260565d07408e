/* orientation.h — the orientation that cameras note in a JPEG's EXIF data, for those who want it honoured.
 */
#ifndef ETALON_ORIENTATION_H
#define ETALON_ORIENTATION_H

#include "formats/record.h"

/* 1 (upright) to 8 by the tag Orientation of EXIF 2.32, section 4.6.4; 1 where the file has none or it is damaged. */
unsigned orientation_of(const uint8_t *data, size_t size);

/* Turns the decoded pixels (HWC bytes of its own) of a file of `size` bytes upright, as PIL's exif_transpose does.
 * EX_DATAERR: beyond decode_budget, with two images in memory; EX_OSERR. */
int orientation_apply(struct record *record, unsigned orientation, size_t size, struct error *err);

#endif
