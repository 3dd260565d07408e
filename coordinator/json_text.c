/* json_text.c — see json_text.h. */
#include "coordinator/json_text.h"

#include "common/printable.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *from)
{
    size_t size = PRINTABLE_GROWTH * strlen(from) + PRINTABLE_MARGIN;
    char *copy = malloc(size);
    json_t *string = copy == NULL ? NULL : json_string(printable_copy(copy, size, from));

    free(copy);
    return string;
}
