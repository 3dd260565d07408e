/* block_set.c — see block_set.h. */
#include "coordinator/block_set.h"

#include "common/memory.h"

#include <stdlib.h>

enum { WORD = 64 };

int block_set_init(struct block_set *set, uint64_t n, struct error *err)
{
    *set = (struct block_set){.n = n, .n_words = (size_t)(n / WORD + (n % WORD != 0))};
    set->words = memory_create(set->n_words, sizeof *set->words, "a set of blocks", err);
    return set->words == NULL ? -1 : 0;
}

void block_set_fini(struct block_set *set)
{
    free(set->words);
    *set = (struct block_set){0};
}

void block_set_add(struct block_set *set, uint64_t block)
{
    __atomic_fetch_or(&set->words[block / WORD], UINT64_C(1) << block % WORD, __ATOMIC_RELAXED);
}

bool block_set_has(const struct block_set *set, uint64_t block)
{
    return (set->words[block / WORD] >> block % WORD & 1) != 0;
}

uint64_t block_set_count(const struct block_set *set)
{
    return block_set_count_below(set, set->n);
}

uint64_t block_set_count_below(const struct block_set *set, uint64_t end)
{
    uint64_t count = 0;

    for (size_t i = 0; i < end / WORD; i++)
        count += (uint64_t)__builtin_popcountll(set->words[i]);
    if (end % WORD != 0)
        count += (uint64_t)__builtin_popcountll(set->words[end / WORD] & ((UINT64_C(1) << end % WORD) - 1));
    return count;
}

uint64_t block_set_first_missing(const struct block_set *set)
{
    uint64_t first;
    size_t i = 0;

    while (i < set->n_words && set->words[i] == UINT64_MAX)
        i++;
    if (i == set->n_words)
        return set->n;
    first = i * WORD + (uint64_t)__builtin_ctzll(~set->words[i]);
    return first < set->n ? first : set->n; /* bits beyond n are missing, too */
}
