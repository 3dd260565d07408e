/* text_file.h — a text that is printed piece by piece and then written as one file.
 *
 *   struct text_file file;
 *   if (text_file_begin(&file, err) != 0)
 *       return -1;
 *   fprintf(file.out, "conv1 %g\n", scale);
 *   return text_file_end(&file, output, "ncnn", "net.table", err);
 */
#ifndef ETALON_TEXT_FILE_H
#define ETALON_TEXT_FILE_H

#include "common/output.h"

#include "common/printed.h"

struct text_file {
    FILE *out; /* in memory */
    struct printed printed;
};

int text_file_begin(struct text_file *file, struct error *err); /* EX_OSERR */
/* Writes <folder>/<name> (NULL: <name>), and frees what there is. EX_OSERR, EX_CANTCREAT, EX_IOERR. */
int text_file_end(struct text_file *file, struct output *output, const char *folder, const char *name,
                  struct error *err);
/* The same of a text that is there already. */
int text_file_write(struct output *output, const char *folder, const char *name, const char *text, size_t size,
                    struct error *err);

/* A text in which marks stand for words of this very folder. */
struct text_mark {
    const char *mark, *word; /* "<model>", "resnet20" */
};
int text_file_write_marked(struct output *output, const char *folder, const char *name, const char *text,
                           const struct text_mark *marks, size_t n_marks, struct error *err);
/* The same as <folder>/README.md. */
int text_file_write_readme(struct output *output, const char *folder, const char *page, const struct text_mark *marks,
                           size_t n_marks, struct error *err);

#endif
