/* model_files.h — small protobuf models for tests: built message by message in an arena, written to a folder of their
 * own, imported. What onnx_files.h and tensorflow_files.h share; in both, `f` is a struct whose member `file` is this.
 */
#ifndef ETALON_TESTS_MODEL_FILES_H
#define ETALON_TESTS_MODEL_FILES_H

#include "formats/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <protobuf-c/protobuf-c.h>

struct model_file {
    struct arena *arena;
    char folder[64], path[96];
    struct model_request request;
    const ProtobufCMessage *message; /* the whole model */
};

static inline void *grab(struct model_file *file, size_t n, size_t size)
{
    void *memory = arena_create_array(file->arena, n, size, NULL);

    assert_non_null(memory);
    return memory;
}

static inline void *new_message(struct model_file *file, const ProtobufCMessageDescriptor *type)
{
    void *message = grab(file, 1, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

static inline char *own_text(struct model_file *file, const char *text)
{
    char *copy = arena_copy_string(file->arena, text, NULL);

    assert_non_null(copy);
    return copy;
}

/* Inside a struct of `size` bytes, whose first member it is, in its own arena. */
static inline void *new_file(size_t size, const char *name)
{
    struct arena *arena = arena_create(NULL);
    struct model_file *file = arena_create_array(arena, 1, size, NULL);

    assert_non_null(file);
    file->arena = arena;
    strcpy(file->folder, "/tmp/etalon-model-XXXXXX");
    assert_non_null(mkdtemp(file->folder));
    snprintf(file->path, sizeof file->path, "%s/%s", file->folder, name);
    file->request.file = file->path;
    return file;
}

static inline void free_file(struct model_file *file)
{
    unlink(file->path);
    rmdir(file->folder);
    arena_destroy(file->arena);
}

static inline uint8_t *pack_model(struct model_file *file, size_t *size)
{
    uint8_t *bytes;

    *size = protobuf_c_message_get_packed_size(file->message);
    bytes = grab(file, *size, 1);
    protobuf_c_message_pack(file->message, bytes);
    return bytes;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline struct graph *import_file(struct model_file *file, struct error *err)
{
    size_t size;
    uint8_t *bytes = pack_model(file, &size);

    *err = (struct error){0};
    write_bytes(file->path, bytes, size);
    return model_import(&file->request, err);
}

static inline struct graph *must_import_file(struct model_file *file)
{
    struct error err;
    struct graph *graph = import_file(file, &err);

    free_file(file);
    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

/* Frees the file. */
#define must_import(f) must_import_file(&(f)->file)

/* Every message names the file; and each word given. Frees the file. */
#define assert_refused(f, expected_code, ...)                                                                          \
    do {                                                                                                               \
        const char *const words_[] = {(f)->file.path, __VA_ARGS__};                                                    \
        struct error err_;                                                                                             \
        struct graph *graph_ = import_file(&(f)->file, &err_);                                                         \
        graph_destroy(graph_);                                                                                         \
        assert_null(graph_);                                                                                           \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof words_[0]; i_++)                                               \
            if (strstr(err_.text, words_[i_]) == NULL)                                                                 \
                fail_msg("\"%s\" does not mention \"%s\"", err_.text, words_[i_]);                                     \
        assert_int_equal(err_.code, expected_code);                                                                    \
        free_file(&(f)->file);                                                                                         \
    } while (0)

static inline const struct node *node_called(const struct graph *graph, const char *name)
{
    int index = graph_find_node(graph, name);

    if (index == GRAPH_NONE)
        fail_msg("no node is called \"%s\"", name);
    return &graph->nodes[index];
}

static inline const struct value *value_called(const struct graph *graph, const char *name)
{
    int index = graph_find_value(graph, name);

    if (index == GRAPH_NONE)
        fail_msg("no value is called \"%s\"", name);
    return &graph->values[index];
}

static inline void assert_shape(const struct value *value, const char *expected)
{
    char text[SHAPE_TEXT_BYTES];

    assert_string_equal(shape_text(&value->shape, text), expected);
}

#endif
