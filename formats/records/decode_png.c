/* decode_png.c — PNG through libpng, reduced to 8-bit gray or RGB. */
#include "formats/records/decode_image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct png_state {
    const uint8_t *data;
    size_t size, at;
    char text[256]; /* the fatal error */
};

static _Noreturn void on_fatal(png_structp png, png_const_charp text)
{
    struct png_state *state = png_get_error_ptr(png);

    snprintf(state->text, sizeof state->text, "%s", text);
    png_longjmp(png, 1);
}

/* Warnings concern ancillary chunks, which we skip, and surplus bytes; damage to pixels is an error (CRC). */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct png_state *state = png_get_io_ptr(png);

    if (n > state->size - state->at)
        png_error(png, "the file ends early");
    memcpy(to, state->data + state->at, n);
    state->at += n;
}

/* Between create and destroy; leaves by png_longjmp on a fatal error. */
static int decode(png_structp png, png_infop info, struct png_state *state, struct record *record, struct error *err)
{
    bool is_palette, is_index = record->wish != NULL && record->wish->is_index;
    size_t width, height, channels;
    int passes;

    png_set_read_fn(png, state, on_read);
    /* No colour profiles, texts, gamma: they do not change what we return, and compressed ones can be bombs. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    width = png_get_image_width(png, info);
    height = png_get_image_height(png, info);
    is_palette = png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE; /* it has the bit of colour, too */
    channels = png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR && !(is_palette && is_index) ? 3 : 1;
    if (is_index && png_get_bit_depth(png, info) > 8)
        return error_set(err, EX_DATAERR, "expected labels of at most 8 bits, found %d", png_get_bit_depth(png, info));
    if (decode_reserve(record, state->size, channels, height, width, err) < 0)
        return -1;

    if (is_index)
        png_set_packing(png); /* one number a byte, as it is */
    else if (is_palette)
        png_set_palette_to_rgb(png);
    else if (png_get_bit_depth(png, info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != width * channels)
        return error_set(err, EX_SOFTWARE, "expected rows of %zu bytes, libpng makes %zu", width * channels,
                         png_get_rowbytes(png, info));
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < height; y++)
            png_read_row(png, record->byte_buffer + y * width * channels, NULL);
    png_read_end(png, NULL);
    return 0;
}

static int png_decode(const uint8_t *data, size_t size, struct record *record, struct error *err)
{
    struct png_state state = {.data = data, .size = size};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_fatal, on_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    int rc = -1;

    if (info == NULL)
        error_set(err, EX_OSERR, "cannot allocate memory for libpng");
    else if (setjmp(png_jmpbuf(png)) == 0)
        rc = decode(png, info, &state, record, err);
    else
        error_set(err, EX_DATAERR, "%s", state.text);
    png_destroy_read_struct(&png, &info, NULL);
    return rc;
}

static bool png_is_mine(const uint8_t *data, size_t size)
{
    return size >= 8 && png_sig_cmp(data, 0, 8) == 0;
}

const struct image_codec image_codec_png = {"PNG", png_is_mine, png_decode, {9797, 19234, 3737, 0, 15}};
