/* decode_jpeg.c — JPEG through libjpeg-turbo, with its fatal errors and warnings turned into errors of ours. */
#include "formats/records/decode_image.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs FILE */
#include <jpeglib.h>

/* Each scan of a progressive file costs a pass over the whole image, and a scan may take few bytes: real encoders write
 * about ten, the bound is what libjpeg-turbo's own fuzzers use. */
enum { MAX_SCANS = 500 };

struct jpeg_fault {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back a pointer to it */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    char text[JMSG_LENGTH_MAX]; /* the fatal error or the first warning */
};

/* libjpeg's own would print and call exit. */
static _Noreturn void on_fatal(j_common_ptr jpeg)
{
    struct jpeg_fault *fault = (struct jpeg_fault *)jpeg->err;

    jpeg->err->format_message(jpeg, fault->text);
    longjmp(fault->back, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    struct jpeg_fault *fault = (struct jpeg_fault *)jpeg->err;

    if (level >= 0)
        return; /* a trace message */
    if (jpeg->err->num_warnings++ == 0)
        jpeg->err->format_message(jpeg, fault->text);
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg)
{
    struct jpeg_fault *fault = (struct jpeg_fault *)jpeg->err;

    if (((j_decompress_ptr)jpeg)->input_scan_number > MAX_SCANS) {
        snprintf(fault->text, sizeof fault->text, "more than %d scans", MAX_SCANS);
        longjmp(fault->back, 1);
    }
}

/* One row of inverted CMYK (Adobe's convention, which all CMYK files in the wild follow) to RGB, in PIL's arithmetic:
 * (1 - k) - c (1 - k), products of bytes divided by 255 with rounding. */
static void cmyk_row_to_rgb(const uint8_t *cmyk, uint8_t *rgb, size_t width)
{
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++) {
            unsigned white = cmyk[4 * x + 3], ink = 255u - cmyk[4 * x + c];
            unsigned product = white * ink + 128;

            rgb[3 * x + c] = (uint8_t)(white - ((product >> 8) + product) / 256);
        }
}

/* libjpeg may have what the pixels and its own rows (about a hundred samples a column) leave of the budget: files of
 * several scans keep all coefficients. */
static int limit_memory(j_decompress_ptr jpeg, size_t size, const struct record *record, struct error *err)
{
    enum { ROWS = 128 };
    size_t budget = decode_budget(size), taken = record->width * (record->height * record->channels + ROWS);

    if (taken >= budget)
        return error_set(err, EX_DATAERR, "an image of %zu x %zu pixels in a file of %zu bytes exceeds the budget",
                         record->width, record->height, size);
    jpeg->mem->max_memory_to_use = (long)(budget - taken < LONG_MAX ? budget - taken : LONG_MAX); /* 0: no limit */
    return 0;
}

/* Rows up to `end`, to their places; `pixels` is where row 0 begins. */
static void read_rows(j_decompress_ptr jpeg, uint8_t *pixels, size_t row_bytes, size_t end)
{
    enum { ROWS = 4 }; /* more than libjpeg ever gives at once */
    JSAMPROW rows[ROWS];

    while (jpeg->output_scanline < end) {
        size_t left = end - jpeg->output_scanline, n = left < ROWS ? left : ROWS;

        for (size_t i = 0; i < n; i++)
            rows[i] = pixels + (jpeg->output_scanline + i) * row_bytes;
        jpeg_read_scanlines(jpeg, rows, (JDIMENSION)n);
    }
}

/* The pixels that the reader wants, with the bits that the whole image would have. Smooth upsampling looks at one
 * sample of colour beside each, up to four pixels, where it is not at the edge: hence a margin. Rows left out are still
 * taken from the file, so that damage in them is seen; the last one is read, for libjpeg would not look at those
 * skipped last. */
static void read_window(j_decompress_ptr jpeg, struct record *record)
{
    enum { MARGIN = 16 };
    struct rectangle window = decode_window(record);
    size_t right = window.left + window.width + MARGIN, row_bytes = record->width * record->channels;
    JDIMENSION left = (JDIMENSION)(window.left > MARGIN ? window.left - MARGIN : 0);
    JDIMENSION width = (JDIMENSION)(right < record->width ? right : record->width) - left;
    size_t bottom = window.top + window.height, last = record->height - 1;
    uint8_t *pixels;

    if (width < record->width)
        jpeg_crop_scanline(jpeg, &left, &width); /* widens it to where blocks begin */
    pixels = record->byte_buffer + left * record->channels;
    if (window.top > 0)
        jpeg_skip_scanlines(jpeg, (JDIMENSION)window.top);
    read_rows(jpeg, pixels, row_bytes, bottom);
    if (bottom < last)
        jpeg_skip_scanlines(jpeg, (JDIMENSION)(last - bottom));
    read_rows(jpeg, pixels, row_bytes, record->height);
}

static void read_cmyk(j_decompress_ptr jpeg, struct record *record)
{
    JSAMPARRAY cmyk = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, (JDIMENSION)(4 * record->width), 1);

    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *row = record->byte_buffer + jpeg->output_scanline * record->width * 3;

        jpeg_read_scanlines(jpeg, cmyk, 1);
        cmyk_row_to_rgb(cmyk[0], row, record->width);
    }
}

/* Between create and destroy; leaves by longjmp on a fatal error. */
static int decode(j_decompress_ptr jpeg, const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    struct jpeg_fault *fault = (struct jpeg_fault *)jpeg->err;

    jpeg_mem_src(jpeg, data, size);
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = jpeg->jpeg_color_space;
    if (jpeg->jpeg_color_space == JCS_YCbCr || jpeg->jpeg_color_space == JCS_RGB)
        jpeg->out_color_space = record->wish != NULL && record->wish->is_gray ? JCS_GRAYSCALE : JCS_RGB;
    else if (jpeg->jpeg_color_space == JCS_YCCK)
        jpeg->out_color_space = JCS_CMYK;
    else if (jpeg->jpeg_color_space == JCS_UNKNOWN)
        return error_set(err, EX_DATAERR, "%d components are no colour space we know", jpeg->num_components);
    if (decode_reserve(record, size, jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3, jpeg->image_height,
                       jpeg->image_width, err) < 0 ||
        limit_memory(jpeg, size, record, err) < 0)
        return -1;

    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(jpeg);
    if (jpeg->out_color_space == JCS_CMYK)
        read_cmyk(jpeg, record);
    else
        read_window(jpeg, record);
    jpeg_finish_decompress(jpeg);
    if (jpeg->err->num_warnings > 0)
        return error_set(err, EX_DATAERR, "%s", fault->text);
    return 0;
}

static int jpeg_decode(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    struct jpeg_decompress_struct jpeg = {0};
    struct jpeg_fault fault = {0};
    int rc;

    jpeg.err = jpeg_std_error(&fault.manager);
    fault.manager.error_exit = on_fatal;
    fault.manager.emit_message = on_message;
    fault.manager.output_message = on_output;
    fault.progress.progress_monitor = on_progress;
    if (setjmp(fault.back) == 0) {
        jpeg_create_decompress(&jpeg);
        jpeg.progress = &fault.progress;
        rc = decode(&jpeg, data, size, record, err);
    } else {
        rc = error_set(err, EX_DATAERR, "%s", fault.text);
    }
    jpeg_destroy_decompress(&jpeg);
    return rc;
}

static bool jpeg_is_mine(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

const struct image_codec image_codec_jpeg = {"JPEG", jpeg_is_mine, jpeg_decode, {4899, 9617, 1868, 1 << 13, 14}};
