/* decode_pnm.c — binary PGM (P5) and PPM (P6), the formats that need no library.
 *
 *   "P5" or "P6", then width, height and the maximum in decimal, separated by white space and # comments, one white
 *   space, then the samples row by row: one byte each, or two (big-endian) when the maximum exceeds 255.
 */
#include "formats/records/decode_image.h"

struct text {
    const uint8_t *at, *end;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of the header, at most 2^27; -1 when there is none. */
static long next_number(struct text *text)
{
    long number = 0;
    const uint8_t *digits;

    for (; text->at < text->end && (is_space(*text->at) || *text->at == '#'); text->at++)
        if (*text->at == '#')
            while (text->at + 1 < text->end && *text->at != '\n')
                text->at++;
    for (digits = text->at; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        number = number * 10 + (*text->at - '0');
        if (number > RECORD_MAX_PIXELS)
            return -1;
    }
    return text->at == digits ? -1 : number;
}

static int pnm_decode(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    size_t channels = data[1] == '6' ? 3 : 1, sample_bytes, n;
    struct text text = {data + 2, data + size};
    long width = next_number(&text), height = next_number(&text), maximum = next_number(&text);
    unsigned top;

    if (width <= 0 || height <= 0 || maximum <= 0 || maximum > 65535 || text.at == text.end || !is_space(*text.at))
        return error_set(err, EX_DATAERR, "expected a header with width, height and a maximum of at most 65535");
    text.at++;
    if (decode_reserve(record, size, channels, (size_t)height, (size_t)width, err) < 0)
        return -1;
    top = (unsigned)maximum;
    sample_bytes = top > 255 ? 2 : 1;
    n = (size_t)width * (size_t)height * channels;
    if ((size_t)(text.end - text.at) / sample_bytes < n)
        return error_set(err, EX_DATAERR, "%ld x %ld pixels need %zu bytes, found %zu", width, height, n * sample_bytes,
                         (size_t)(text.end - text.at));
    for (size_t i = 0; i < n; i++) {
        unsigned v = sample_bytes == 1 ? text.at[i] : (unsigned)text.at[2 * i] << 8 | text.at[2 * i + 1];

        record->byte_buffer[i] = (uint8_t)(v >= top ? 255 : (2 * 255 * v + top) / (2 * top)); /* rounded to nearest */
    }
    return 0;
}

static bool pnm_is_mine(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') && (is_space(data[2]) || data[2] == '#');
}

const struct image_codec image_codec_pnm = {"PNM", pnm_is_mine, pnm_decode, {4899, 9617, 1868, 1 << 13, 14}};
