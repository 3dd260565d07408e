/* printable.h — text from strangers' files, made fit for a terminal, a message and JSON.
 *
 * UTF-8 passes. Control characters, and bytes that are no UTF-8, are written \xNN: a name must not move the cursor, end
 * a line, or make a report unreadable.
 */
#ifndef ETALON_PRINTABLE_H
#define ETALON_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A copy of a text of n bytes takes at most PRINTABLE_GROWTH n + PRINTABLE_MARGIN. */
enum { PRINTABLE_GROWTH = 4, PRINTABLE_MARGIN = 5 };

/* Bytes of the character that `text` begins with, 1 to 4; 0 at the end, and where none begins: a stray or missing
 * continuation byte, an overlong form, a surrogate, a code point beyond U+10FFFF (Unicode 15, table 3-7). */
size_t printable_utf8_length(const char *text);

/* Is the text as it is one line of printable UTF-8: no control characters, nor U+2028 and U+2029, which some readers
 * take for line ends? */
bool printable_is_line(const char *text);

/* Copies `from` into to[0..size), size at least PRINTABLE_MARGIN; what does not fit is cut between characters and ends
 * in "...". Returns `to`. */
char *printable_copy(char *to, size_t size, const char *from);
/* All of it; whether `out` took it, ferror(out) knows. */
void printable_print(const char *text, FILE *out);

#endif
