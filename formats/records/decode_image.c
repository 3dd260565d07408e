/* decode_image.c — finds the codec by the file's first bytes; see decode_image.h. */
#include "formats/records/decode_image.h"

#include "common/clock.h"

#include <string.h>
#include <strings.h>

extern const struct image_codec image_codec_jpeg, image_codec_png, image_codec_bmp, image_codec_pnm;

static const struct image_codec *const codecs[] = {
    &image_codec_jpeg,
    &image_codec_png,
    &image_codec_bmp,
    &image_codec_pnm,
};

size_t decode_budget(size_t size)
{
    const size_t base = (size_t)64 << 20;

    return size > (SIZE_MAX - base) / 64 ? SIZE_MAX : 64 * size + base;
}

enum { OWN_BYTES = 1 << 20 }; /* of the budget, for what a decoder needs beside the pixels */

int decode_reserve(struct record *record, size_t size, size_t channels, size_t height, size_t width, struct error *err)
{
    if (height > 0 && width > RECORD_MAX_PIXELS / height)
        return error_set(err, EX_DATAERR, "an image of %zu x %zu pixels is larger than the limit of %d pixels", width,
                         height, RECORD_MAX_PIXELS);
    if (height * width > (decode_budget(size) - OWN_BYTES) / channels)
        return error_set(err, EX_DATAERR,
                         "an image of %zu x %zu pixels in a file of %zu bytes exceeds the budget of "
                         "%zu bytes",
                         width, height, size, decode_budget(size));
    if (record_reserve(record, channels, height, width, false, err) < 0)
        return -1;
    record->is_planar = false;
    record->order = channels == 1 ? PIXELS_GRAY : PIXELS_RGB;
    return 0;
}

struct rectangle decode_window(const struct record *record)
{
    return record->wish != NULL && record->wish->find != NULL
               ? record->wish->find(record->wish->context, record->height, record->width)
               : (struct rectangle){0, 0, record->height, record->width};
}

static void make_gray(struct record *record, const struct gray_weights *w)
{
    const uint8_t *rgb = record->byte_buffer;

    for (size_t i = 0; i < record->height * record->width; i++, rgb += 3)
        record->byte_buffer[i] = (uint8_t)((w->r * rgb[0] + w->g * rgb[1] + w->b * rgb[2] + w->round) >> w->bits);
    record->channels = 1;
    record->order = PIXELS_GRAY;
}

static int decode_with(const struct image_codec *codec, const uint8_t *data, size_t size, struct record *record,
                       struct error *err)
{
    double began = clock_seconds();
    int rc = codec->decode(data, size, record, err);

    if (rc == 0 && record->wish != NULL && record->wish->is_gray && record->order == PIXELS_RGB)
        make_gray(record, &codec->gray);
    record->decode_seconds += clock_seconds() - began;
    return rc == 0 ? 0 : error_in(err, "%s", codec->name);
}

int decode_image(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    if (size == 0)
        return error_set(err, EX_DATAERR, "expected an image, found an empty file");
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (codecs[i]->is_mine(data, size))
            return decode_with(codecs[i], data, size, record, err);
    return error_set(err, EX_DATAERR,
                     "expected a JPEG, PNG, BMP, PGM or PPM image, found the bytes %02x %02x %02x %02x", data[0],
                     size > 1 ? data[1] : 0, size > 2 ? data[2] : 0, size > 3 ? data[3] : 0);
}

bool decode_image_is_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm", ".pnm"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}
