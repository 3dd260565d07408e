/* suggest.c — see suggest.h. */
#include "common/suggest.h"

#include <stdbool.h>
#include <string.h>

enum {
    WORD_BYTES = 64,
    BEGINNING_SLIPS = 2, /* a word broken off, or written on, is as near as one with two slips of the pen */
};

size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_BYTES], n = strlen(b);

    if (strlen(a) >= WORD_BYTES || n >= WORD_BYTES)
        return WORD_BYTES;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0]; /* distance of a[0..i-1) and b[0..j-1) */

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

static bool is_beginning(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    return n > 0 && m > 0 && strncmp(a, b, n < m ? n : m) == 0;
}

const char *suggest_nearest(const char *word, const char *const *first, size_t n, size_t stride)
{
    const char *best = NULL;
    size_t least = (size_t)-1;

    for (size_t i = 0; i < n; i++) {
        const char *name = *(const char *const *)((const char *)first + i * stride);
        size_t edits = edit_distance(word, name);
        size_t slips = edits > BEGINNING_SLIPS && is_beginning(word, name) ? BEGINNING_SLIPS : edits;
        size_t distance = slips * (WORD_BYTES + 1) + edits;

        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}
