/* contact_sheet.h — many tensors as tiles of one picture, to look at what a network is given.
 *
 * Each tile is drawn in the range of its own values: smallest black, largest white, so that it does not matter what was
 * subtracted or divided. Channels 0, 1, 2 of three are shown as red, green, blue, whatever they mean: what a network
 * that wants BGR is given has blue faces. Of any other number of channels the first is shown, in gray. Small tiles are
 * magnified to about 96 pixels, large ones thinned to about 256.
 */
#ifndef ETALON_CONTACT_SHEET_H
#define ETALON_CONTACT_SHEET_H

#include "formats/records/encode_image.h"

struct contact_sheet;

/* Room for n tiles, at least 1, of channels x height x width. EX_DATAERR: more than 2^27 pixels; EX_OSERR. */
struct contact_sheet *contact_sheet_create(size_t n, size_t channels, size_t height, size_t width, struct error *err);
void contact_sheet_destroy(struct contact_sheet *sheet); /* NULL is allowed */

/* Draws x[channels][height][width], finite, as tile i; *min and *max are its range. A tile that is never drawn stays as
 * dark as the ground. */
void contact_sheet_draw(struct contact_sheet *sheet, size_t i, const float *x, float *min, float *max);

/* The picture, row by row from the upper left; borrowed. */
struct image_pixels contact_sheet_pixels(const struct contact_sheet *sheet);

#endif
