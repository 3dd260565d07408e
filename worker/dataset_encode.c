/* dataset_encode.c — see dataset_encode.h. */
#include "worker/dataset_encode.h"

#include "common/bytes.h"
#include "common/memory.h"
#include "formats/records/datum.h"
#include "formats/records/encode_image.h"
#include "worker/preprocess/steps.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_MAX_BYTES = 1 << 29 };

struct encoder {
    const struct encode_options *options;
    struct dataset_cursor *cursor;
    struct record record;
    struct image_wish wish;
    struct picture_scratch scratch;
    struct encoded_image file;
    uint8_t *planes;
    size_t planes_capacity;
};

/* ---- Pieces: a head, then the text with its zero, then the value. */

struct entry_head {
    uint64_t text_bytes, value_bytes, pixels_bytes; /* text_bytes counts the zero */
    uint64_t is_bad;
};

void piece_fini(struct piece *piece)
{
    free(piece->bytes);
    *piece = (struct piece){0};
}

/* Room for an entry, which the caller fills and then counts in by adding to piece->size. NULL: EX_OSERR. */
static uint8_t *piece_reserve(struct piece *piece, size_t text_bytes, size_t value_bytes, struct error *err)
{
    size_t needed = sizeof(struct entry_head) + text_bytes + value_bytes;

    if (memory_grow((void **)&piece->bytes, &piece->capacity, piece->size + needed - 1, 1, "records for a database",
                    err) < 0)
        return NULL;
    return piece->bytes + piece->size;
}

static int piece_add_bad(struct piece *piece, const char *reason, struct error *err)
{
    struct entry_head head = {.text_bytes = strlen(reason) + 1, .is_bad = 1};
    uint8_t *to = piece_reserve(piece, head.text_bytes, 0, err);

    if (to == NULL)
        return -1;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, reason, head.text_bytes);
    piece->size += sizeof head + head.text_bytes;
    return 0;
}

static int piece_add_datum(struct piece *piece, const char *key, const struct datum *datum, const float *values,
                           size_t pixels_bytes, struct error *err)
{
    struct entry_head head = {.text_bytes = strlen(key) + 1, .pixels_bytes = pixels_bytes};
    uint8_t *to = piece_reserve(piece, head.text_bytes, datum_bound(datum), err);

    if (to == NULL)
        return -1;
    head.value_bytes = datum_write(datum, values, to + sizeof head + head.text_bytes);
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, key, head.text_bytes);
    piece->size += sizeof head + head.text_bytes + head.value_bytes;
    return 0;
}

bool piece_next(const struct piece *piece, size_t *at, struct piece_entry *entry)
{
    struct entry_head head;

    if (*at >= piece->size)
        return false;
    memcpy(&head, piece->bytes + *at, sizeof head);
    entry->is_bad = head.is_bad != 0;
    entry->text = (const char *)piece->bytes + *at + sizeof head;
    entry->value = head.is_bad ? NULL : piece->bytes + *at + sizeof head + head.text_bytes;
    entry->value_bytes = head.value_bytes;
    entry->pixels_bytes = head.pixels_bytes;
    *at += sizeof head + head.text_bytes + head.value_bytes;
    return true;
}

/* ---- Options */

int encode_options_check(const struct encode_options *options, struct error *err)
{
    if ((options->resize_height == 0) != (options->resize_width == 0))
        return error_set(err, EX_USAGE, "expected both sizes to resize to, found %zux%zu", options->resize_height,
                         options->resize_width);
    if (options->resize_height > STEP_MAX_SIDE || options->resize_width > STEP_MAX_SIDE)
        return error_set(err, EX_USAGE, "expected sizes of at most %d, found %zux%zu", STEP_MAX_SIDE,
                         options->resize_height, options->resize_width);
    if (options->encode_type != NULL && image_encoder_find(options->encode_type) == NULL)
        return error_set(err, EX_USAGE, "expected png, jpg or jpeg as the type to encode as, found \"%s\"",
                         options->encode_type);
    return 0;
}

/* ---- Records */

struct encoder *encoder_create(const struct encode_options *options, struct dataset *dataset, struct error *err)
{
    struct encoder *encoder = memory_create(1, sizeof *encoder, "an encoder", err);

    if (encoder == NULL)
        return NULL;
    encoder->options = options;
    encoder->wish.is_gray = options->is_gray;
    encoder->record.wish = &encoder->wish;
    encoder->cursor = dataset_cursor_open(dataset, err);
    if (encoder->cursor != NULL)
        return encoder;
    encoder_destroy(encoder);
    return NULL;
}

void encoder_destroy(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    dataset_cursor_close(encoder->cursor);
    record_fini(&encoder->record);
    picture_scratch_fini(&encoder->scratch);
    free(encoder->file.bytes);
    free(encoder->planes);
    free(encoder);
}

/* Channels, then size, as OpenCV reads in gray or colour before it resizes. */
static int transform(const struct encode_options *options, struct picture *picture, struct error *err)
{
    struct preprocess_step channels = {.kind = STEP_CHANNELS};
    struct preprocess_step resize = {.kind = STEP_RESIZE};

    channels.channels = options->is_gray ? CHANNELS_GRAY : CHANNELS_BGR;
    resize.resize.fit = FIT_WARP;
    resize.resize.filter = FILTER_OPENCV_LINEAR;
    resize.resize.height = options->resize_height;
    resize.resize.width = options->resize_width;
    if (preprocess_channels.apply(&channels, picture, err) < 0)
        return -1;
    return options->resize_height == 0 ? 0 : preprocess_resize.apply(&resize, picture, err);
}

/* The file as it is; that it decodes was seen when the record was read. */
static int append_copy(struct encoder *encoder, const char *key, struct piece *piece, struct error *err)
{
    const struct record *record = &encoder->record;
    struct datum datum = {.label = record->label, .is_encoded = true};
    struct bytes file = {0};
    char path[PATH_MAX];
    int rc, length;

    length = record->key[0] == '/' ? snprintf(path, sizeof path, "%s", record->key)
                                   : snprintf(path, sizeof path, "%s/%s", encoder->options->folder, record->key);
    if ((size_t)length >= sizeof path)
        return error_set(err, EX_DATAERR, "%s: the path is too long", record->key);
    if (bytes_read(path, FILE_MAX_BYTES, &file, err) < 0)
        return -1;
    datum.data = file.data;
    datum.size = file.size;
    rc = piece_add_datum(piece, key, &datum, NULL, record->channels * record->height * record->width, err);
    bytes_free(&file);
    return rc;
}

static const char *extension_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot == NULL ? "" : dot + 1;
}

static bool is_same_type(const char *a, const char *b)
{
    return strcasecmp(strcasecmp(a, "jpeg") == 0 ? "jpg" : a, strcasecmp(b, "jpeg") == 0 ? "jpg" : b) == 0;
}

static int append_encoded(struct encoder *encoder, const char *key, struct piece *piece, struct error *err)
{
    const char *extension = extension_of(encoder->record.key);
    const char *type = encoder->options->encode_type == NULL ? extension : encoder->options->encode_type;
    const struct image_encoder *writer = image_encoder_find(type);
    struct datum datum = {.label = encoder->record.label, .is_encoded = true};
    struct image_pixels pixels;
    struct picture picture;

    if (encoder->options->resize_height == 0 && is_same_type(type, extension))
        return append_copy(encoder, key, piece, err);
    if (writer == NULL)
        return error_set(err, EX_UNAVAILABLE, "%s: cannot be encoded as \"%s\" after resizing: choose an encode_type",
                         encoder->record.key, type);
    picture_from_record(&picture, &encoder->record, &encoder->scratch);
    if (transform(encoder->options, &picture, err) < 0)
        return error_in(err, "%s", encoder->record.key);
    pixels = (struct image_pixels){picture.data, picture_channels(&picture), picture.height, picture.width,
                                   picture.order == PIXELS_BGR};
    if (writer->encode(&pixels, &encoder->file, err) < 0)
        return error_in(err, "%s", encoder->record.key);
    datum.data = encoder->file.bytes;
    datum.size = encoder->file.size;
    return piece_add_datum(piece, key, &datum, NULL, pixels.channels * pixels.height * pixels.width, err);
}

static int append_planes(struct encoder *encoder, const char *key, struct piece *piece, struct error *err)
{
    struct datum datum = {.label = encoder->record.label};
    struct picture picture;
    const uint8_t *pixels;
    size_t n, c_count;

    picture_from_record(&picture, &encoder->record, &encoder->scratch);
    if (transform(encoder->options, &picture, err) < 0)
        return error_in(err, "%s", encoder->record.key);
    pixels = picture.data;
    c_count = picture_channels(&picture);
    n = picture.height * picture.width;
    datum.data = pixels;
    if (picture.interleave > 1) { /* decoded images are */
        if (memory_grow((void **)&encoder->planes, &encoder->planes_capacity, n * c_count - 1, 1, "an image", err) < 0)
            return -1;
        for (size_t c = 0; c < c_count; c++)
            for (size_t i = 0; i < n; i++)
                encoder->planes[c * n + i] = pixels[i * c_count + c];
        datum.data = encoder->planes;
    }
    datum.channels = (int64_t)c_count;
    datum.height = (int64_t)picture.height;
    datum.width = (int64_t)picture.width;
    datum.size = n * c_count;
    return piece_add_datum(piece, key, &datum, NULL, datum.size, err);
}

/* A tensor as it is. */
static int append_floats(struct encoder *encoder, const char *key, struct piece *piece, struct error *err)
{
    const struct record *record = &encoder->record;
    struct datum datum = {.label = record->label,
                          .channels = (int64_t)record->channels,
                          .height = (int64_t)record->height,
                          .width = (int64_t)record->width,
                          .n_values = record->channels * record->height * record->width};

    if (encoder->options->is_encoded || encoder->options->encode_type != NULL || encoder->options->resize_height > 0 ||
        encoder->options->is_gray)
        return error_set(err, EX_DATAERR, "%s: expected an image for the options given, found floats", record->key);
    return piece_add_datum(piece, key, &datum, record->values, datum.n_values * sizeof(float), err);
}

static int append_record(struct encoder *encoder, uint64_t ordinal, uint64_t number, struct piece *piece,
                         struct error *err)
{
    struct record *record = &encoder->record;
    char key[RECORD_KEY_BYTES + 32];

    if (dataset_read(encoder->cursor, ordinal, record, err) < 0)
        return -1;
    snprintf(key, sizeof key, "%08" PRIu64 "_%s", number, record->key);
    if (record->is_float)
        return append_floats(encoder, key, piece, err);
    if (encoder->options->is_encoded || encoder->options->encode_type != NULL)
        return append_encoded(encoder, key, piece, err);
    return append_planes(encoder, key, piece, err);
}

int encoder_append(struct encoder *encoder, uint64_t ordinal, uint64_t number, struct piece *piece, struct error *err)
{
    struct error why = {0};

    if (append_record(encoder, ordinal, number, piece, &why) == 0)
        return 0;
    if (why.code == EX_DATAERR || why.code == EX_NOINPUT) /* the latter: the file went away since it was read */
        return piece_add_bad(piece, why.text, err);
    return error_set(err, why.code, "%s", why.text);
}
