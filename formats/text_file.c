/* text_file.c — see text_file.h. */
#include "formats/text_file.h"

#include <stdlib.h>
#include <string.h>

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

static const struct text_mark *mark_at(const char *page, const struct text_mark *marks, size_t n_marks)
{
    for (size_t i = 0; i < n_marks; i++)
        if (strncmp(page, marks[i].mark, strlen(marks[i].mark)) == 0)
            return &marks[i];
    return NULL;
}

int text_file_write_readme(struct output *output, const char *folder, const char *page, const struct text_mark *marks,
                           size_t n_marks, struct error *err)
{
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    while (*page != '\0') {
        const struct text_mark *mark = mark_at(page, marks, n_marks);

        if (mark == NULL)
            fputc(*page, file.out);
        else
            fputs(mark->word, file.out);
        page += mark == NULL ? 1 : strlen(mark->mark);
    }
    return text_file_end(&file, output, folder, "README.md", err);
}
