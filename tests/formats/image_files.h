/* image_files.h — temporary folders and small image files for tests, made by libjpeg, libpng and by hand.
 */
#ifndef ETALON_TESTS_IMAGE_FILES_H
#define ETALON_TESTS_IMAGE_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jpeglib.h>

/* One folder per test, removed with all that is in it. */
struct place {
    char folder[64];
};

static inline struct place place_create(void)
{
    struct place place = {"/tmp/etalon_test_XXXXXX"};

    assert_non_null(mkdtemp(place.folder));
    return place;
}

/* `name` inside the folder `parent`, with all below it; links are removed, not followed. */
static inline void remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (folder == NULL) {
        unlinkat(parent, name, 0);
        return;
    }
    fchmod(fd, 0755);
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(fd, entry->d_name);
    closedir(folder);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static inline void place_destroy(const struct place *place)
{
    remove_tree(AT_FDCWD, place->folder);
}

/* "<folder>/<name>", in one of four buffers that take turns. */
static inline const char *in_place(const struct place *place, const char *name)
{
    static char paths[4][1024];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", place->folder, name);
    return path;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* The whole file, from malloc. */
static inline uint8_t *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long end;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    end = ftell(file);
    assert_true(end >= 0);
    rewind(file);
    *size = (size_t)end;
    data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

/* A smooth picture that differs with `seed`: pixels[height][width][channels]. */
static inline void draw_picture(uint8_t *pixels, size_t height, size_t width, size_t channels, unsigned seed)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < channels; c++)
                *pixels++ = (uint8_t)(seed * 29 + y * (3 + c) + x * (5 - c) + (x * y >> 3));
}

/* JPEG bytes from malloc: quality 90, chroma halved in both directions (libjpeg's default). */
static inline uint8_t *encode_jpeg(const uint8_t *pixels, size_t height, size_t width, size_t channels, size_t *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long length = 0;

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &length);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = (int)channels;
    jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 90, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + jpeg.next_scanline * width * channels);

        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
    return data;
}

/* PNG bytes from malloc. `format` as in png.h's simplified interface; 16-bit formats take uint16_t pixels. */
static inline uint8_t *encode_png(const void *pixels, size_t height, size_t width, uint32_t format, size_t *size)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (uint32_t)width, .height = (uint32_t)height, .format = format};
    png_alloc_size_t length = 0;
    uint8_t *data;

    assert_true(png_image_write_to_memory(&image, NULL, &length, 0, pixels, 0, NULL));
    data = malloc(length);
    assert_non_null(data);
    assert_true(png_image_write_to_memory(&image, data, &length, 0, pixels, 0, NULL));
    *size = length;
    return data;
}

/* Draws picture `seed` and writes it as a JPEG. */
static inline void write_jpeg(const char *path, size_t height, size_t width, size_t channels, unsigned seed)
{
    uint8_t *pixels = malloc(height * width * channels), *data;
    size_t size;

    assert_non_null(pixels);
    draw_picture(pixels, height, width, channels, seed);
    data = encode_jpeg(pixels, height, width, channels, &size);
    write_file(path, data, size);
    free(data);
    free(pixels);
}

#endif
