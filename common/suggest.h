/* suggest.h — the nearest right name to a misspelt one, for messages.
 */
#ifndef ETALON_SUGGEST_H
#define ETALON_SUGGEST_H

#include <stddef.h>

/* Levenshtein distance; words beyond 63 bytes count as far from everything. Case counts. */
size_t edit_distance(const char *a, const char *b);

/* The name nearest to `word` among n pointers that lie `stride` bytes apart, starting at `first` (the first field of an
 * array of structs, or an array of strings), by edit_distance; one that begins with the word, or the word with it, is
 * at most 2 away. NULL when n is 0. Of equals the one with fewer edits, then the first. */
const char *suggest_nearest(const char *word, const char *const *first, size_t n, size_t stride);

#endif
