/* memory.c — checked allocation and arenas; see memory.h. */
#include "common/memory.h"

#include <stdarg.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 64, /* a cache line, and what AVX-512 loads like */
    ARENA_CHUNK_BYTES =
        64 << 10, /* names and small attributes; anything larger than a quarter gets a chunk of its own */
};

bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *memory_create(size_t n, size_t size, const char *what, struct error *err)
{
    size_t bytes, rounded;
    void *memory;

    if (!size_multiply(n, size, &bytes) || __builtin_add_overflow(bytes, (size_t)ALIGNMENT, &rounded)) {
        error_set(err, EX_OSERR, "%zu x %zu bytes for %s is more than memory can address", n, size, what);
        return NULL;
    }
    rounded = rounded / ALIGNMENT * ALIGNMENT;
    memory = aligned_alloc(ALIGNMENT, rounded);
    if (memory == NULL) {
        error_set(err, EX_OSERR, "cannot allocate %zu bytes for %s", bytes, what);
        return NULL;
    }
    return memset(memory, 0, rounded);
}

void memory_use_one_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
}

void memory_give_back(void)
{
    malloc_trim(0);
}

int memory_grow(void **array, size_t *capacity, size_t count, size_t size, const char *what, struct error *err)
{
    size_t wanted = *capacity, bytes;
    void *grown;

    if (count < *capacity)
        return 0;
    while (wanted <= count)
        wanted = wanted < 8 ? 8 : wanted * 2;
    if (!size_multiply(wanted, size, &bytes) || (grown = realloc(*array, bytes)) == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu x %zu bytes for %s", wanted, size, what);
    memset((char *)grown + *capacity * size, 0, (wanted - *capacity) * size);
    *array = grown;
    *capacity = wanted;
    return 0;
}

int buffer_add(struct buffer *buffer, const void *data, size_t size, const char *what, struct error *err)
{
    size_t capacity = buffer->capacity;
    void *grown;

    if (size == 0)
        return 0;
    if (size > SIZE_MAX / 2 - buffer->size)
        return error_set(err, EX_OSERR, "%zu more bytes for %s is more than memory can address", size, what);
    while (capacity < buffer->size + size)
        capacity = capacity < 64 ? 64 : capacity * 2;
    if (capacity > buffer->capacity) {
        grown = realloc(buffer->data, capacity);
        if (grown == NULL)
            return error_set(err, EX_OSERR, "cannot allocate %zu bytes for %s", capacity, what);
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return 0;
}

struct chunk {
    struct chunk *next;
    size_t used, size;
    unsigned char *bytes; /* aligned, within the same block */
};

struct arena {
    struct chunk *chunks; /* the first one is being filled */
};

struct arena *arena_create(struct error *err)
{
    return memory_create(1, sizeof(struct arena), "an arena", err);
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->chunks != NULL) {
        struct chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

/* calloc knows which memory the system has just zeroed: weights are touched once less than by memory_create. */
static struct chunk *create_chunk(size_t room, struct error *err)
{
    size_t bytes = sizeof(struct chunk) + ALIGNMENT + room;
    struct chunk *chunk = calloc(1, bytes);
    uintptr_t begin;

    if (chunk == NULL) {
        error_set(err, EX_OSERR, "cannot allocate %zu bytes for an arena", bytes);
        return NULL;
    }
    begin = (uintptr_t)(chunk + 1);
    chunk->bytes = (unsigned char *)(chunk + 1) + (ALIGNMENT - begin % ALIGNMENT) % ALIGNMENT;
    chunk->size = room;
    return chunk;
}

void *arena_create_array(struct arena *arena, size_t n, size_t size, struct error *err)
{
    struct chunk *chunk = arena->chunks;
    size_t bytes, rounded;

    if (!size_multiply(n, size, &bytes) || bytes > SIZE_MAX - 2 * ALIGNMENT - sizeof *chunk) {
        error_set(err, EX_OSERR, "%zu x %zu bytes is more than memory can address", n, size);
        return NULL;
    }
    rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        size_t room = rounded > ARENA_CHUNK_BYTES / 4 ? rounded : ARENA_CHUNK_BYTES;

        chunk = create_chunk(room, err);
        if (chunk == NULL)
            return NULL;
        if (room == rounded && arena->chunks != NULL) { /* a large item goes behind the chunk being filled */
            chunk->next = arena->chunks->next;
            arena->chunks->next = chunk;
        } else {
            chunk->next = arena->chunks;
            arena->chunks = chunk;
        }
    }
    chunk->used += rounded;
    return chunk->bytes + chunk->used - rounded;
}

char *arena_copy_string(struct arena *arena, const char *text, struct error *err)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_create_array(arena, size, 1, err);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

char *arena_format(struct arena *arena, struct error *err, const char *format, ...)
{
    va_list args, again;
    char *text = NULL;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    if (length >= 0)
        text = arena_create_array(arena, (size_t)length + 1, 1, err);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}
