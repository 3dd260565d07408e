/* torch_files.h — checkpoints and zip archives made by hand, for what no honest writer makes.
 */
#ifndef ETALON_TESTS_TORCH_FILES_H
#define ETALON_TESTS_TORCH_FILES_H

#include "../common/root_folder.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow. */
struct text {
    uint8_t *data;
    size_t size;
};

static inline void put(struct text *text, const void *data, size_t size)
{
    text->data = realloc(text->data, text->size + size + 1);
    assert_non_null(text->data);
    if (size > 0)
        memcpy(text->data + text->size, data, size);
    text->size += size;
}

static inline void put_number(struct text *text, uint64_t number, size_t width)
{
    for (size_t i = 0; i < width; i++)
        put(text, &(uint8_t){(uint8_t)(i < sizeof number ? number >> 8 * i : 0)}, 1);
}

static inline void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* The file, which is emptied. */
static inline void write_text(const char *name, struct text *text)
{
    write_bytes(name, text->data, text->size);
    free(text->data);
    *text = (struct text){0};
}

static inline void read_text(const char *path, struct text *text)
{
    uint8_t buffer[4096];
    FILE *file = fopen(path, "rb");
    size_t n;

    assert_non_null(file);
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
        put(text, buffer, n);
    fclose(file);
}

/* ---- The legacy container around a pickle: one storage of four floats, 0 to 3 */

static inline void write_legacy(const char *name, const char *object, size_t object_size, const char *keys,
                                size_t keys_size)
{
    static const char head[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}.";
    const float elements[4] = {0, 1, 2, 3};
    struct text text = {0};

    put(&text, head, sizeof head - 1);
    put(&text, object, object_size);
    put(&text, keys, keys_size);
    put_number(&text, 4, 8);
    put(&text, elements, sizeof elements);
    write_text(name, &text);
}

/* ---- Zip archives, members stored as they are */

static inline uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

struct zip_member {
    const char *name;
    const void *data;
    size_t size;
    /* What a liar changes; 0: nothing. */
    uint32_t local_size;     /* in the local header */
    uint32_t directory_size; /* in the central directory */
    uint32_t crc_error;
};

/* From "version needed" to "size": the same in both headers. */
static inline void put_zip_fields(struct text *zip, const struct zip_member *m, uint32_t size)
{
    put_number(zip, 20, 2);
    put_number(zip, 0, 8); /* flags, method, time, date */
    put_number(zip, crc32_of(m->data, m->size) ^ m->crc_error, 4);
    put_number(zip, size, 4);
    put_number(zip, size, 4);
    put_number(zip, strlen(m->name), 2);
    put_number(zip, 0, 2); /* no extra field */
}

static inline void put_zip_local(struct text *zip, const struct zip_member *m)
{
    put(zip, "PK\3\4", 4);
    put_zip_fields(zip, m, m->local_size != 0 ? m->local_size : (uint32_t)m->size);
    put_string(zip, m->name);
}

static inline void put_zip_central(struct text *zip, const struct zip_member *m, size_t position)
{
    put(zip, "PK\1\2", 4);
    put_number(zip, 20, 2);
    put_zip_fields(zip, m, m->directory_size != 0 ? m->directory_size : (uint32_t)m->size);
    put_number(zip, 0, 10); /* comment, disk, attributes */
    put_number(zip, position, 4);
    put_string(zip, m->name);
}

static inline void put_zip_end(struct text *zip, size_t directory, size_t n)
{
    size_t size = zip->size - directory;

    put(zip, "PK\5\6", 4);
    put_number(zip, 0, 4);
    put_number(zip, n, 2);
    put_number(zip, n, 2);
    put_number(zip, size, 4);
    put_number(zip, directory, 4);
    put_number(zip, 0, 2);
}

static inline void write_zip(const char *name, const struct zip_member *members, size_t n)
{
    size_t positions[8], directory;
    struct text zip = {0};

    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        positions[i] = zip.size;
        put_zip_local(&zip, &members[i]);
        put(&zip, members[i].data, members[i].size);
    }
    directory = zip.size;
    for (size_t i = 0; i < n; i++)
        put_zip_central(&zip, &members[i], positions[i]);
    put_zip_end(&zip, directory, n);
    write_text(name, &zip);
}

/* One storage "0" of four floats; the tensors in each pickle refer to it. */
#define STORAGE_OF(class, key, n)       "(X\7\0\0\0storagec" class "\nX\1\0\0\0" key "X\3\0\0\0cpu" n "NtQ"
#define STORAGE                         STORAGE_OF("torch\nFloatStorage", "0", "K\4")
#define TENSOR(storage, offset, layout) "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset layout "\x89}tR"
#define GOOD                            TENSOR(STORAGE, "K\0", "K\4\x85K\1\x85")
#define NO_KEYS                         "\x80\2]."
#define KEYS                                                                                                           \
    "\x80\2](U\1"                                                                                                      \
    "0e."
#define STATE(tensor) "\x80\2}X\1\0\0\0a" tensor "s."

static inline struct torch_state *must_read(const char *path)
{
    struct error err = {0};
    struct torch_state *state = torch_read(path, &err);

    if (state == NULL)
        fail_msg("%s", err.text);
    return state;
}

static inline const struct tensor *must_find(const struct torch_state *state, const char *name)
{
    const struct torch_tensor *found = torch_find(state, name);

    if (found == NULL)
        fail_msg("there is no tensor \"%s\"", name);
    return &found->tensor;
}

static const char *const containers[] = {"legacy", "zip"};

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

#endif
