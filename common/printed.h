/* printed.h — a text that is printed piece by piece into memory.
 *
 *   struct printed page;
 *   if (printed_begin(&page, "report.html", err) != 0)
 *       return NULL;
 *   fprintf(page.out, "...");
 *   return printed_end(&page, &size, err);
 */
#ifndef ETALON_PRINTED_H
#define ETALON_PRINTED_H

#include "common/error.h"

#include <stddef.h>
#include <stdio.h>

struct printed {
    FILE *out;
    const char *what; /* for messages; borrowed */
    char *text;       /* private, as is: */
    size_t size;
};

int printed_begin(struct printed *printed, const char *what, struct error *err); /* EX_OSERR */
/* The text with a zero at its end, which *size (may be NULL) does not count; to be freed. Ends what was begun in any
 * case. NULL with EX_OSERR: memory ended on the way. */
char *printed_end(struct printed *printed, size_t *size, struct error *err);

#endif
