/* orientation.c — see orientation.h. Layout of the tag: JPEG segments (ff, marker, length); in that of marker e1
 * "Exif", two zeros and a TIFF file: byte order, 42, offset of the first directory; entries of 12 bytes: tag, type,
 * count, value.
 */
#include "formats/records/orientation.h"

#include "formats/records/decode_image.h"

#include <stdlib.h>
#include <string.h>

enum { MARKER_APP1 = 0xe1, MARKER_SCAN = 0xda, TAG_ORIENTATION = 0x112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

/* A TIFF file in memory. */
struct tiff {
    const uint8_t *data;
    size_t size;
    bool is_big_endian;
};

/* The unsigned number of n <= 4 bytes at `at`; 0 beyond the end. */
static uint32_t number(const struct tiff *tiff, size_t at, size_t n)
{
    uint32_t value = 0;

    if (tiff->size < n || at > tiff->size - n)
        return 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | tiff->data[at + (tiff->is_big_endian ? i : n - 1 - i)];
    return value;
}

static unsigned orientation_of_tiff(const uint8_t *data, size_t size)
{
    struct tiff tiff = {data, size, size > 1 && data[0] == 'M'};
    size_t directory = number(&tiff, 4, 4), n = number(&tiff, directory, 2);

    if (number(&tiff, 2, 2) != 42)
        return 1;
    for (size_t i = 0; i < n; i++) {
        size_t entry = directory + 2 + i * ENTRY_BYTES;
        uint32_t value = number(&tiff, entry + 8, 2);

        if (number(&tiff, entry, 2) == TAG_ORIENTATION)
            return number(&tiff, entry + 2, 2) == TYPE_SHORT && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

/* 1 (upright) to 8 by the tag Orientation of EXIF 2.32, section 4.6.4; 1 where the file has none or it is damaged. */
static unsigned orientation_of(const uint8_t *data, size_t size)
{
    size_t at = 2;

    if (size < 4 || data[0] != 0xff || data[1] != 0xd8)
        return 1;
    while (size - at >= 4 && data[at] == 0xff && data[at + 1] != MARKER_SCAN) {
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3]; /* with its own two bytes */

        if (length < 2 || length > size - at - 2)
            return 1;
        if (data[at + 1] == MARKER_APP1 && length >= 8 && memcmp(data + at + 4, "Exif\0\0", 6) == 0)
            return orientation_of_tiff(data + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

/* Turns the decoded pixels (HWC bytes of its own) of a file of `size` bytes upright. */
static int turn(struct record *record, unsigned orientation, size_t size, struct error *err)
{
    size_t channels = record->channels, height = record->height, width = record->width;
    size_t n = channels * height * width; /* record_reserve has checked it */
    bool is_transposed = orientation >= 5;
    bool flips_rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool flips_columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    uint8_t *upright;

    if (n > decode_budget(size) / 2)
        return error_set(err, EX_DATAERR, "an image of %zu x %zu pixels in a file of %zu bytes exceeds the budget",
                         width, height, size);
    upright = malloc(n);
    if (upright == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu bytes for an image", n);
    record->height = is_transposed ? width : height;
    record->width = is_transposed ? height : width;
    for (size_t y = 0; y < record->height; y++)
        for (size_t x = 0; x < record->width; x++) {
            size_t row = is_transposed ? x : y, column = is_transposed ? y : x;

            row = flips_rows ? height - 1 - row : row;
            column = flips_columns ? width - 1 - column : column;
            memcpy(upright + (y * record->width + x) * channels,
                   record->byte_buffer + (row * width + column) * channels, channels);
        }
    free(record->byte_buffer);
    record->bytes = record->byte_buffer = upright;
    record->bytes_capacity = n;
    return 0;
}

int orientation_decode(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    unsigned orientation = orientation_of(data, size);
    const struct image_wish *wish = record->wish;
    int rc;

    if (orientation <= 1)
        return decode_image(data, size, record, err);
    record->wish = NULL; /* it is one on the upright image */
    rc = decode_image(data, size, record, err);
    record->wish = wish;
    return rc < 0 ? -1 : turn(record, orientation, size, err);
}
