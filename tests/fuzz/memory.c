/* memory.c — counts what is allocated, in libraries too: by the sanitizers' hooks, or by standing before glibc's
 * malloc.
 */
#include "fuzz.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t used, peak;

static void add(size_t bytes)
{
    size_t now = atomic_fetch_add_explicit(&used, bytes, memory_order_relaxed) + bytes;

    if (now > atomic_load_explicit(&peak, memory_order_relaxed)) /* several threads: near enough */
        atomic_store_explicit(&peak, now, memory_order_relaxed);
}

static void subtract(size_t bytes)
{
    atomic_fetch_sub_explicit(&used, bytes, memory_order_relaxed);
}

size_t fuzz_memory_used(void)
{
    return atomic_load(&used);
}

size_t fuzz_memory_peak(void)
{
    return atomic_load(&peak);
}

void fuzz_memory_mark(void)
{
    atomic_store(&peak, atomic_load(&used));
}

#ifdef FUZZ_SANITIZED
/* Both compilers' runtimes have these; GCC has no header that declares them. */
size_t __sanitizer_get_allocated_size(const volatile void *pointer);
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *pointer, size_t size)
{
    (void)pointer;
    add(size);
}

static void on_free(const volatile void *pointer)
{
    if (pointer != NULL)
        subtract(__sanitizer_get_allocated_size(pointer));
}

__attribute__((constructor)) static void install(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

static void *counted(void *pointer)
{
    if (pointer != NULL)
        add(malloc_usable_size(pointer));
    return pointer;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return counted(__libc_malloc(size));
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    return counted(__libc_calloc(n, size));
}

__attribute__((visibility("default"))) void *realloc(void *pointer, size_t size)
{
    size_t before = pointer != NULL ? malloc_usable_size(pointer) : 0;
    void *moved = __libc_realloc(pointer, size);

    if (moved != NULL || size == 0)
        subtract(before);
    return counted(moved);
}

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size)
{
    return counted(__libc_memalign(alignment, size));
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    return counted(__libc_memalign(alignment, size));
}

__attribute__((visibility("default"))) int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = counted(__libc_memalign(alignment, size));
    return *out != NULL ? 0 : 12; /* ENOMEM */
}

__attribute__((visibility("default"))) void free(void *pointer)
{
    if (pointer != NULL)
        subtract(malloc_usable_size(pointer));
    __libc_free(pointer);
}
#endif
