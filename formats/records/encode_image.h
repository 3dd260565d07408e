/* encode_image.h — 8-bit pixels become an image file in memory: PNG through libpng, JPEG through libjpeg-turbo.
 *
 * JPEG as cv::imencode writes it: quality 95, chroma at half size, the accurate integer DCT, tables as they come. PNG
 * at zlib's fastest level: the pixels are the same at any.
 */
#ifndef ETALON_ENCODE_IMAGE_H
#define ETALON_ENCODE_IMAGE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct encoded_image {
    uint8_t *bytes; /* from malloc; grows from call to call, freed by the caller */
    size_t size, capacity;
};

/* pixels[height][width][channels], channels 1 (gray) or 3 (R, G, B, or B, G, R where is_bgr). */
struct image_pixels {
    const uint8_t *pixels;
    size_t channels, height, width;
    bool is_bgr;
};

/* Replaces what `out` held. EX_DATAERR: larger than the format can say (JPEG: 65500 a side). EX_OSERR. */
int encode_png(const struct image_pixels *image, struct encoded_image *out, struct error *err);
int encode_jpeg(const struct image_pixels *image, struct encoded_image *out, struct error *err);
/* At another quality, 1 to 100. */
int encode_jpeg_at(const struct image_pixels *image, int quality, struct encoded_image *out, struct error *err);

struct image_encoder {
    const char *name; /* also the extension of its files */
    int (*encode)(const struct image_pixels *image, struct encoded_image *out, struct error *err);
};

/* By the extension without its dot, in any case: "png", "jpg", "jpeg". NULL: none that we write. */
const struct image_encoder *image_encoder_find(const char *extension);

#endif
