/* memory.h — allocation with overflow checks and errors that say how much for what, and arenas.
 *
 * Sizes multiply through size_multiply or the (n, size) pairs below, never by a * b alone.
 */
#ifndef ETALON_MEMORY_H
#define ETALON_MEMORY_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b; false when the product overflows. */
bool size_multiply(size_t a, size_t b, size_t *out);

/* Zeroed memory for n items of `size` bytes, 64-byte aligned, freed with free(). n == 0 gives a valid pointer.
 * NULL with EX_OSERR: "cannot allocate <bytes> bytes for <what>". */
void *memory_create(size_t n, size_t size, const char *what, struct error *err);

/* All threads allocate from one heap. Otherwise what a thread freed serves only threads that the C library happens to
 * give the same heap, and a run's peak depends on chance: ResNet-20 with one thread of work 57, 74 or 93 MB from run to
 * run, in one heap 75 MB each time, and as fast with two threads (2.6 s of 2.7). Call it before the first thread
 * starts. */
void memory_use_one_heap(void);

/* What has been freed in small pieces goes back to the system: for the time before something large. */
void memory_give_back(void);

/* Grows *array (NULL at first, from malloc) so that index `count` is valid; doubles *capacity. New items are zeroed. */
int memory_grow(void **array, size_t *capacity, size_t count, size_t size, const char *what, struct error *err);

/* A run of bytes that grows at its end; starts as {0}, its data is freed with free(). */
struct buffer {
    unsigned char *data;
    size_t size, capacity; /* what is allocated and not used yet is not touched: it takes no memory */
};
/* EX_OSERR: "cannot allocate <bytes> bytes for <what>"; the buffer is as before. */
int buffer_add(struct buffer *buffer, const void *data, size_t size, const char *what, struct error *err);

/* Things that die together: importers only allocate, one call frees everything. Not thread safe. */
struct arena;
struct arena *arena_create(struct error *err);
void arena_destroy(struct arena *arena); /* NULL is allowed */

/* Zeroed, 64-byte aligned, lives as long as the arena. NULL with EX_OSERR. */
void *arena_create_array(struct arena *arena, size_t n, size_t size, struct error *err);
char *arena_copy_string(struct arena *arena, const char *text, struct error *err);
char *arena_format(struct arena *arena, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
