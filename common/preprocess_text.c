/* preprocess_text.c — see preprocess_text.h. */
#include "common/preprocess_text.h"

#include "common/preprocess_steps.h"
#include "common/real_text.h"

#include <stdbool.h>
#include <string.h>

const char *preprocess_step_name(enum step_kind kind)
{
    return step_descriptions[kind].name;
}

/* How files are named. */
enum file_name { BY_PATH, BY_CONTENT };

/* One value stands alone, several in a list. */
static void print_floats(const struct preprocess_step *step, FILE *out)
{
    char text[REAL_TEXT_BYTES];

    for (size_t i = 0; i < step->n_values; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : step->n_values > 1 ? "[" : "", real_text(step->values[i], text));
    if (step->n_values > 1)
        fputc(']', out);
}

/* A YAML scalar in double quotes: paths may hold anything. */
static void print_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            fprintf(out, "\\x%02x", *c);
        else
            fputc(*c, out);
    fputc('"', out);
}

static void print_value(const struct preprocess_step *step, const struct step_key *key, enum file_name naming,
                        FILE *out)
{
    const void *value = (const char *)step + key->offset;
    char text[REAL_TEXT_BYTES];

    switch (key->type) {
    case KEY_SIZE:
    case KEY_OFFSET:
        fprintf(out, "%zu", *(const size_t *)value);
        break;
    case KEY_FLOAT:
        fputs(real_text(*(const float *)value, text), out);
        break;
    case KEY_FLOATS:
        print_floats(step, out);
        break;
    case KEY_WORD:
        fputs(step_word(key->words, *(const int *)value), out);
        break;
    case KEY_FILE:
        if (naming == BY_PATH)
            print_quoted(((const struct step_file *)value)->path, out);
        else
            fputs(((const struct step_file *)value)->sha256, out);
        break;
    }
}

static bool is_zero(const struct preprocess_step *step, const struct step_key *key)
{
    const char *value = (const char *)step + key->offset;

    return key->type == KEY_FLOAT  ? *(const float *)(const void *)value == 0
           : key->type == KEY_WORD ? *(const int *)(const void *)value == 0
                                   : *(const size_t *)(const void *)value == 0;
}

static void print_step(const struct preprocess_step *step, enum file_name naming, FILE *out)
{
    const struct step_description *description = &step_descriptions[step->kind];
    int form = *(const int *)(const void *)((const char *)step + description->form_offset);
    const char *separator = "{";

    fprintf(out, "%s: ", description->name);
    for (size_t i = 0; i < description->n_keys; i++) {
        const struct step_key *key = &description->keys[i];

        if (key->name == NULL) {
            print_value(step, key, naming, out);
            return;
        }
        if ((key->form != ANY_FORM && key->form != form) || (key->use == KEY_OPTIONAL && is_zero(step, key)))
            continue;
        fprintf(out, "%s%s: ", separator, key->name);
        print_value(step, key, naming, out);
        separator = ", ";
    }
    fputs(separator[0] == '{' ? "{}" : "}", out);
}

static void print_lines(const struct preprocess_plan *plan, const char *indent, enum file_name naming, FILE *out)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        fprintf(out, "%s- ", indent);
        print_step(&plan->steps[i], naming, out);
        fputc('\n', out);
    }
}

void preprocess_print(const struct preprocess_plan *plan, const char *indent, FILE *out)
{
    print_lines(plan, indent, BY_PATH, out);
}

void preprocess_print_identity(const struct preprocess_plan *plan, FILE *out)
{
    print_lines(plan, "", BY_CONTENT, out);
}

void preprocess_print_flow(const struct preprocess_plan *plan, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < plan->n_steps; i++) {
        fputs(i > 0 ? ", {" : "{", out);
        print_step(&plan->steps[i], BY_PATH, out);
        fputc('}', out);
    }
    fputc(']', out);
}
