/* options.h — command-line options of one verb, from a table that also prints the help.
 */
#ifndef ETALON_OPTIONS_H
#define ETALON_OPTIONS_H

#include "common/error.h"
#include "common/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST };

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    size_t n;
    const char *items[OPTION_LIST_MAX];
};

struct option {
    const char *name; /* without dashes: "json" */
    char letter;      /* 'j' for -j; 0: none */
    enum option_kind kind;
    void *target;         /* bool *, const char **, struct option_list * (may be given several times) */
    const char *argument; /* what the help calls the value; NULL for flags */
    const char *help;     /* one line */
};

/* Reads argv[1..argc). Words that are no options go to words[0..*n_words), at most max_words. "--" ends the options;
 * "-name" is read like "--name", dashes inside a name like underscores, "--noname" like "--name=false" for flags.
 * EX_USAGE with the nearest option. Options end with a row whose name is NULL; -h/--help, -v/--verbose and -q/--quiet
 * belong to every verb: *wants_help is set, the log level is changed at once. */
int options_read(int argc, char **argv, const struct option *options, const char **words, size_t max_words,
                 size_t *n_words, bool *wants_help, struct error *err);

/* "1x3x224x224". False: no shape, or of more dims or elements than a tensor may have. */
bool options_shape(const char *text, struct shape *shape);

void options_print(const struct option *options, FILE *out);

#endif
