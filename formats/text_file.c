/* text_file.c — see text_file.h. */
#include "formats/text_file.h"

#include <stdlib.h>
#include <string.h>

int text_file_begin(struct text_file *file, struct error *err)
{
    *file = (struct text_file){0};
    if (printed_begin(&file->printed, "a text", err) != 0)
        return -1;
    file->out = file->printed.out;
    return 0;
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
    size_t size;
    char *text = printed_end(&file->printed, &size, err);
    int rc = text == NULL ? -1 : text_file_write(output, folder, name, text, size, err);

    free(text);
    return rc;
}

static const struct text_mark *mark_at(const char *text, const struct text_mark *marks, size_t n_marks)
{
    for (size_t i = 0; i < n_marks; i++)
        if (strncmp(text, marks[i].mark, strlen(marks[i].mark)) == 0)
            return &marks[i];
    return NULL;
}

int text_file_write_marked(struct output *output, const char *folder, const char *name, const char *text,
                           const struct text_mark *marks, size_t n_marks, struct error *err)
{
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    while (*text != '\0') {
        const struct text_mark *mark = mark_at(text, marks, n_marks);

        if (mark == NULL)
            fputc(*text, file.out);
        else
            fputs(mark->word, file.out);
        text += mark == NULL ? 1 : strlen(mark->mark);
    }
    return text_file_end(&file, output, folder, name, err);
}

int text_file_write_readme(struct output *output, const char *folder, const char *page, const struct text_mark *marks,
                           size_t n_marks, struct error *err)
{
    return text_file_write_marked(output, folder, "README.md", page, marks, n_marks, err);
}
