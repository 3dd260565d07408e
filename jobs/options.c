/* options.c — see options.h. */
#include "jobs/options.h"

#include "common/log.h"
#include "common/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct option common_options[] = {
    {"help", 'h', OPTION_FLAG, NULL, NULL, "this text"},
    {"verbose", 'v', OPTION_FLAG, NULL, NULL, "say more, from every rank"},
    {"quiet", 'q', OPTION_FLAG, NULL, NULL, "say only what goes wrong"},
    {0},
};

/* Are given[0..length) and the name the same word, whether written with dashes or underscores? */
static bool is_name(const char *name, const char *given, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_dash = name[i] == '-' || name[i] == '_';

        if (name[i] != given[i] && !(is_dash && (given[i] == '-' || given[i] == '_')))
            return false;
    }
    return name[length] == '\0';
}

static const struct option *find(const struct option *options, const char *given, size_t length)
{
    for (; options->name != NULL; options++)
        if (is_name(options->name, given, length) || (length == 1 && options->letter == given[0]))
            return options;
    return NULL;
}

static const char *nearest_option(const struct option *options, const char *given, size_t length)
{
    const struct option *const tables[] = {options, common_options};
    const char *names[64];
    char word[64];
    size_t n = 0;

    for (size_t t = 0; t < 2; t++)
        for (const struct option *o = tables[t]; o->name != NULL && n < sizeof names / sizeof *names; o++)
            names[n++] = o->name;
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word), given);
    return suggest_nearest(word, names, n, sizeof *names);
}

/* Flags as gflags takes them, too: --flag=false, and --noflag (see options_read). */
static int store_flag(const struct option *option, const char *value, struct error *err)
{
    static const char *const words[2][4] = {{"false", "f", "0", "no"}, {"true", "t", "1", "yes"}};

    for (int is_true = 0; is_true < 2; is_true++)
        for (size_t i = 0; i < 4; i++)
            if (strcmp(value, words[is_true][i]) == 0) {
                *(bool *)option->target = is_true;
                return 0;
            }
    return error_set(err, EX_USAGE, "option --%s: expected true or false, found \"%s\"", option->name, value);
}

static int store(const struct option *option, const char *value, struct error *err)
{
    struct option_list *list = option->target;

    switch (option->kind) {
    case OPTION_FLAG:
        return store_flag(option, value, err);
    case OPTION_TEXT:
        *(const char **)option->target = value;
        return 0;
    case OPTION_LIST:
        if (list->n == OPTION_LIST_MAX)
            return error_set(err, EX_USAGE, "--%s is given more than %d times", option->name, OPTION_LIST_MAX);
        list->items[list->n++] = value;
        return 0;
    }
    return error_set(err, EX_SOFTWARE, "option --%s has no kind", option->name);
}

static void take_common(char letter, bool *wants_help)
{
    if (letter == 'h')
        *wants_help = true;
    else
        log_set_level(letter == 'v' ? LOG_DEBUG : LOG_ERROR);
}

int options_read(int argc, char **argv, const struct option *options, const char **words, size_t max_words,
                 size_t *n_words, bool *wants_help, struct error *err)
{
    bool only_words = false;

    *n_words = 0;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *equals, *value = NULL;
        const struct option *common, *option;
        size_t length;

        if (only_words || name[0] != '-' || name[1] == '\0') {
            if (*n_words == max_words)
                return error_set(err, EX_USAGE, "unexpected word \"%s\"", name);
            words[(*n_words)++] = name;
            continue;
        }
        if (strcmp(name, "--") == 0) {
            only_words = true;
            continue;
        }
        name += name[1] == '-' ? 2 : 1;
        equals = strchr(name, '=');
        length = equals == NULL ? strlen(name) : (size_t)(equals - name);
        common = find(common_options, name, length);
        option = common != NULL ? common : find(options, name, length);
        if (option == NULL && length > 2 && name[0] == 'n' && name[1] == 'o' && equals == NULL) {
            option = find(options, name + 2, length - 2);
            option = option != NULL && option->kind == OPTION_FLAG ? option : NULL;
            value = "false";
        }
        if (option == NULL)
            return error_set(err, EX_USAGE, "option \"%s\" does not exist; the nearest is \"--%s\"", argv[i],
                             nearest_option(options, name, length));
        if (common != NULL && equals != NULL)
            return error_set(err, EX_USAGE, "option --%s takes no value", option->name);
        if (common != NULL) {
            take_common(common->letter, wants_help);
            continue;
        }
        if (option->kind == OPTION_FLAG) {
            value = equals != NULL ? equals + 1 : value != NULL ? value : "true";
        } else {
            value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (value == NULL)
                return error_set(err, EX_USAGE, "option --%s needs a value: %s", option->name, option->argument);
        }
        if (store(option, value, err) != 0)
            return -1;
    }
    return 0;
}

static void print_rows(const struct option *option, FILE *out)
{
    for (; option->name != NULL; option++) {
        char left[64];

        snprintf(left, sizeof left, "%c%c%s--%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
                 option->letter ? ", " : "  ", option->name, option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
        fprintf(out, "  %-34s %s\n", left, option->help);
    }
}

bool options_shape(const char *text, struct shape *shape)
{
    char *end = NULL;

    *shape = (struct shape){0};
    for (const char *at = text; shape->rank < TENSOR_MAX_RANK; at = end + 1) {
        errno = 0;
        shape->dims[shape->rank++] = strtoll(at, &end, 10);
        if (end == at || errno != 0 || shape->dims[shape->rank - 1] < 1)
            return false;
        if (*end != 'x')
            break;
    }
    return *end == '\0' && shape_elements(shape) > 0;
}

void options_print(const struct option *options, FILE *out)
{
    print_rows(options, out);
    print_rows(common_options, out);
}
