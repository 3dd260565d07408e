/* encode_png.c — PNG through libpng; see encode_image.h. */
#include "common/memory.h"
#include "formats/records/encode_image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

struct png_target {
    struct encoded_image *out;
    char text[256]; /* the fatal error */
    struct error *err;
};

static _Noreturn void on_fatal(png_structp png, png_const_charp text)
{
    struct png_target *target = png_get_error_ptr(png);

    snprintf(target->text, sizeof target->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
    struct png_target *target = png_get_io_ptr(png);
    struct encoded_image *out = target->out;

    if (n > 0 && memory_grow((void **)&out->bytes, &out->capacity, out->size + n - 1, 1, "a PNG", target->err) < 0)
        png_error(png, ""); /* target->err says it */
    memcpy(out->bytes + out->size, bytes, n);
    out->size += n;
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* Between create and destroy; leaves by png_longjmp on a fatal error. */
static void write_image(png_structp png, png_infop info, const struct image_pixels *image, struct png_target *target)
{
    png_set_write_fn(png, target, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_set_compression_level(png, Z_BEST_SPEED);
    png_write_info(png, info);
    if (image->is_bgr)
        png_set_bgr(png);
    for (size_t y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + y * image->width * image->channels);
    png_write_end(png, info);
}

int encode_png(const struct image_pixels *image, struct encoded_image *out, struct error *err)
{
    struct error why = {0};
    struct png_target target = {.out = out, .err = &why};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &target, on_fatal, on_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    int rc = -1;

    out->size = 0;
    if (info == NULL) {
        error_set(err, EX_OSERR, "libpng could not be started");
    } else if (setjmp(png_jmpbuf(png)) == 0) {
        write_image(png, info, image, &target);
        rc = 0;
    } else if (why.code != 0) {
        error_set(err, why.code, "%s", why.text);
    } else {
        error_set(err, EX_DATAERR, "%zu x %zu pixels cannot be written as PNG: %s", image->height, image->width,
                  target.text);
    }
    png_destroy_write_struct(&png, &info);
    return rc;
}
