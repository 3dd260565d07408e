/* text_file.c — see text_file.h. */
#include "formats/text_file.h"

#include <stdlib.h>

int text_file_begin(struct text_file *file, struct error *err)
{
    *file = (struct text_file){0};
    file->out = open_memstream(&file->text, &file->size);
    return file->out != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate memory for a text");
}

int text_file_write(struct output *output, const char *folder, const char *name, const char *text, size_t size,
                    struct error *err)
{
    char path[768];

    if (snprintf(path, sizeof path, "%s%s%s", folder == NULL ? "" : folder, folder == NULL ? "" : "/", name) >=
        (int)sizeof path)
        return error_set(err, EX_CANTCREAT, "the name \"%.200s...\" is longer than a file's can be", name);
    return output_write(output, path, text, size, true, err);
}

int text_file_end(struct text_file *file, struct output *output, const char *folder, const char *name,
                  struct error *err)
{
    bool is_whole = ferror(file->out) == 0;
    int rc;

    is_whole = fclose(file->out) == 0 && is_whole;
    rc = is_whole ? text_file_write(output, folder, name, file->text, file->size, err)
                  : error_set(err, EX_OSERR, "cannot allocate memory for %s", name);
    free(file->text);
    return rc;
}
