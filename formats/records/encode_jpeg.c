/* encode_jpeg.c — JPEG through libjpeg-turbo; see encode_image.h. */
#include "common/memory.h"
#include "formats/records/encode_image.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which needs it */
#include <jpeglib.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_QUALITY = 95 }; /* cv::imencode's */

struct jpeg_failure {
    struct jpeg_error_mgr manager; /* first: libjpeg knows this part */
    jmp_buf jump;
};

static _Noreturn void on_fatal(j_common_ptr common)
{
    longjmp(((struct jpeg_failure *)common->err)->jump, 1);
}

static void on_message(j_common_ptr common)
{
    (void)common;
}

/* Leaves by longjmp on a fatal error. */
static void write_image(struct jpeg_compress_struct *jpeg, const struct image_pixels *image, int quality)
{
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = (int)image->channels;
    jpeg->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : image->is_bgr ? JCS_EXT_BGR : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        /* libjpeg only reads it */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(image->pixels + jpeg->next_scanline * image->width * image->channels);

        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

static int copy_out(const uint8_t *bytes, size_t size, struct encoded_image *out, struct error *err)
{
    if (size == 0 || memory_grow((void **)&out->bytes, &out->capacity, size - 1, 1, "a JPEG", err) < 0)
        return -1;
    memcpy(out->bytes, bytes, size);
    out->size = size;
    return 0;
}

/* Leaves 0 with the file in *written, or -1 with err; apart, so that no variable lives across the longjmp. */
static int compress(const struct image_pixels *image, int quality, unsigned char **written, unsigned long *size,
                    struct error *err)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_failure failure;
    char text[JMSG_LENGTH_MAX];

    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = on_fatal;
    failure.manager.output_message = on_message;
    if (setjmp(failure.jump) != 0) {
        failure.manager.format_message((j_common_ptr)&jpeg, text);
        jpeg_destroy_compress(&jpeg);
        *written = NULL; /* libjpeg has not handed its buffer over: a leak of one image, once */
        return error_set(err, EX_DATAERR, "%zu x %zu pixels cannot be written as JPEG: %s", image->height, image->width,
                         text);
    }
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, written, size);
    write_image(&jpeg, image, quality);
    jpeg_destroy_compress(&jpeg);
    return 0;
}

int encode_jpeg_at(const struct image_pixels *image, int quality, struct encoded_image *out, struct error *err)
{
    unsigned char *written = NULL;
    unsigned long size = 0;
    int rc;

    out->size = 0;
    if (image->height > JPEG_MAX_DIMENSION || image->width > JPEG_MAX_DIMENSION)
        return error_set(err, EX_DATAERR, "expected at most %ld pixels a side for JPEG, found %zu x %zu",
                         JPEG_MAX_DIMENSION, image->height, image->width);
    rc = compress(image, quality, &written, &size, err);
    if (rc == 0)
        rc = copy_out(written, size, out, err);
    free(written);
    return rc;
}

int encode_jpeg(const struct image_pixels *image, struct encoded_image *out, struct error *err)
{
    return encode_jpeg_at(image, DEFAULT_QUALITY, out, err);
}
