/* decode_bmp.c — uncompressed BMP through stb_image (Debian libstb-dev), of which only this decoder is compiled.
 *
 * stb_image reads zeros beyond the end of its input, so a truncated file would pass: header and size are judged here.
 */
#include "formats/records/decode_image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb/stb_image.h>

enum {
    FILE_HEADER_BYTES = 14,
    CORE_HEADER_BYTES = 12, /* OS/2's: 16-bit dims */
    INFO_HEADER_BYTES = 40,
};

static uint32_t little16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t little32(const uint8_t *at)
{
    return little16(at) | little16(at + 2) << 16;
}

/* Width, height and where the last row ends, from the header. */
static int read_header(const uint8_t *data, size_t size, size_t *width, size_t *height, uint64_t *end,
                       struct error *err)
{
    uint32_t header = size >= FILE_HEADER_BYTES + 4 ? little32(data + FILE_HEADER_BYTES) : 0, bits;
    int64_t w, h;

    if (header < CORE_HEADER_BYTES || header > size - FILE_HEADER_BYTES ||
        (header > CORE_HEADER_BYTES && header < INFO_HEADER_BYTES))
        return error_set(err, EX_DATAERR, "a header of %u bytes in a file of %zu", header, size);
    if (header == CORE_HEADER_BYTES) {
        w = little16(data + 18);
        h = little16(data + 20);
        bits = little16(data + 24);
    } else {
        w = (int32_t)little32(data + 18);
        h = (int32_t)little32(data + 22); /* negative: top row first */
        bits = little16(data + 28);
        if (little32(data + 30) != 0 && little32(data + 30) != 3) /* plain, or plain with bit masks */
            return error_set(err, EX_DATAERR, "compression %u is not supported", little32(data + 30));
    }
    if (bits == 0 || bits > 32) /* 0 would let a file of a few bytes claim any image */
        return error_set(err, EX_DATAERR, "%u bits a pixel", bits);
    h = h < 0 ? -h : h;
    if (w <= 0 || h == 0)
        return error_set(err, EX_DATAERR, "an image of %lld x %lld pixels", (long long)w, (long long)h);
    *width = (size_t)w;
    *height = (size_t)h;
    /* Rows are padded to 4 bytes; all factors are below 2^32. */
    if (__builtin_mul_overflow(((uint64_t)w * bits + 31) / 32 * 4, (uint64_t)h, end) ||
        __builtin_add_overflow(*end, little32(data + 10), end))
        return error_set(err, EX_DATAERR, "an image of %lld x %lld pixels", (long long)w, (long long)h);
    return 0;
}

static int bmp_decode(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    int got_width, got_height, components;
    size_t width = 0, height = 0;
    uint64_t end = 0;
    uint8_t *pixels;

    if (read_header(data, size, &width, &height, &end, err) < 0)
        return -1;
    if (end > size || size > INT_MAX)
        return error_set(err, EX_DATAERR, "%zu x %zu pixels need a file of %llu bytes, found %zu", width, height,
                         (unsigned long long)end, size);
    if (decode_reserve(record, size, 3, height, width, err) < 0)
        return -1;
    pixels = stbi_load_from_memory(data, (int)size, &got_width, &got_height, &components, 3);
    if (pixels == NULL)
        return error_set(err, EX_DATAERR, "%s", stbi_failure_reason());
    if ((size_t)got_width != width || (size_t)got_height != height) {
        stbi_image_free(pixels);
        return error_set(err, EX_SOFTWARE, "expected %zu x %zu pixels, stb_image made %d x %d", width, height,
                         got_width, got_height);
    }
    memcpy(record->byte_buffer, pixels, width * height * 3);
    stbi_image_free(pixels);
    return 0;
}

static bool bmp_is_mine(const uint8_t *data, size_t size)
{
    return size >= 2 && data[0] == 'B' && data[1] == 'M';
}

const struct image_codec image_codec_bmp = {"BMP", bmp_is_mine, bmp_decode, {4899, 9617, 1868, 1 << 13, 14}};
