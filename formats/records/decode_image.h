/* decode_image.h — an image file in memory becomes 8-bit pixels: JPEG, PNG, BMP, PGM/PPM.
 *
 * The kind follows from the first bytes, never from the name. Results equal those of PIL's Image.open (and of OpenCV,
 * apart from channel order), so that accuracy measured elsewhere carries over:
 *   JPEG  accurate integer DCT, smooth chroma upsampling; CMYK by Adobe's convention, as PIL converts it;
 *   PNG   palettes expanded, alpha dropped, of 16 bits the upper 8, no gamma or colour management;
 *   BMP   as RGB, alpha dropped.
 * Orientation tags (EXIF) are not applied: PIL and Caffe's era of OpenCV do not.
 *
 * Of a JPEG only what record->wish asks for is decoded; those pixels are the same as without a wish, and so is the
 * verdict on the file.
 */
#ifndef ETALON_DECODE_IMAGE_H
#define ETALON_DECODE_IMAGE_H

#include "formats/record.h"

/* Fills the pixels of *record from the file data[0..size): HWC bytes, order RGB or GRAY. Key, label and digest are left
 * alone. EX_DATAERR: no image that we read, damaged in any way (a JPEG warning is damage: libjpeg fills the rest with
 * gray), or larger than the limits; the header is judged before anything is allocated for it. Thread safe. */
int decode_image(const uint8_t *data, size_t size, struct record *record, struct error *err);

/* Whether a file of this name is taken for an image when a folder is scanned: .jpg .jpeg .png .bmp .pgm .ppm .pnm. */
bool decode_image_is_name(const char *name);

/* What the decoders of one format each provide (decode_jpeg.c, decode_png.c ...). */
struct image_codec {
    const char *name;
    bool (*is_mine)(const uint8_t *data, size_t size);
    int (*decode)(const uint8_t *data, size_t size, struct record *record, struct error *err);
    /* How OpenCV makes this format's colours gray: (r R + g G + b B + round) / 2^bits. JPEG has luma of its own; this
     * is for CMYK. */
    struct gray_weights {
        uint32_t r, g, b, round, bits;
    } gray;
};

/* For codecs: room for an HWC image out of a file of `size` bytes, of 1 (GRAY) or 3 (RGB) channels. EX_DATAERR beyond
 * RECORD_MAX_PIXELS, and beyond decode_budget: a header of few bytes must not claim gigabytes. */
int decode_reserve(struct record *record, size_t size, size_t channels, size_t height, size_t width, struct error *err);
/* The pixels of the image reserved that the record's reader will look at. */
struct rectangle decode_window(const struct record *record);
/* What decoding a file of `size` bytes may allocate: 64 times its size plus 64 MiB. */
size_t decode_budget(size_t size);

#endif
