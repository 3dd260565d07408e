/* printed.c — see printed.h. */
#include "common/printed.h"

#include <stdbool.h>
#include <stdlib.h>

static int fail(const struct printed *printed, struct error *err)
{
    return error_set(err, EX_OSERR, "cannot allocate memory for %s", printed->what);
}

int printed_begin(struct printed *printed, const char *what, struct error *err)
{
    *printed = (struct printed){.what = what};
    printed->out = open_memstream(&printed->text, &printed->size);
    return printed->out != NULL ? 0 : fail(printed, err);
}

char *printed_end(struct printed *printed, size_t *size, struct error *err)
{
    bool has_failed = ferror(printed->out) != 0;

    has_failed = fclose(printed->out) != 0 || has_failed;
    if (has_failed) {
        free(printed->text);
        fail(printed, err);
        return NULL;
    }
    if (size != NULL)
        *size = printed->size;
    return printed->text;
}
