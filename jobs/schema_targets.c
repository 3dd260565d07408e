/* schema_targets.c — what is under `target_options:`: each target's own list of options; see schema.h. */
#include "jobs/schema.h"

#include "common/suggest.h"

#include <stdio.h>
#include <string.h>

/* The one option that a key stands for, and what the job says. */
struct slot {
    const struct target_option *option;
    const char *text; /* NULL: not set */
};

static int read_word(struct schema *r, const struct yaml *node, const struct target_option *option)
{
    size_t n = 0, index;

    while (option->words[n] != NULL)
        n++;
    return schema_word(r, node, option->name, option->words, n, &index);
}

static int read_count(struct schema *r, const struct yaml *node, const struct target_option *option)
{
    uint64_t value = 0;
    char expected[96];

    if (schema_count(r, node, &value) != 0)
        return -1;
    if (value >= option->least && value <= option->most)
        return 0;
    snprintf(expected, sizeof expected, "%llu to %llu", (unsigned long long)option->least,
             (unsigned long long)option->most);
    return schema_wrong(r, node, expected);
}

/* Of schema_map: checks by the option's type, and keeps the text. */
static int read_option(struct schema *r, const struct yaml *node, void *target)
{
    struct slot *slot = target;
    const char *text;
    bool truth;
    int rc = -1;

    switch (slot->option->type) {
    case SETTING_WORD:
        rc = read_word(r, node, slot->option);
        break;
    case SETTING_TRUTH:
        rc = schema_truth(r, node, &truth);
        break;
    case SETTING_COUNT:
        rc = read_count(r, node, slot->option);
        break;
    case SETTING_TEXT:
        rc = schema_text(r, node, &text);
        break;
    }
    slot->text = node->text;
    return rc;
}

enum { MAX_OPTIONS = 32 };

/* What is under one target's name, appended to *settings. */
static int read_target(struct schema *r, const struct yaml *node, const struct target *target,
                       struct target_settings *settings, struct target_setting *items)
{
    struct schema_field fields[MAX_OPTIONS] = {0};
    struct slot slots[MAX_OPTIONS];
    size_t n = 0;

    for (const struct target_option *o = target->options; o->name != NULL && n < MAX_OPTIONS; o++, n++) {
        slots[n] = (struct slot){.option = o};
        fields[n] = (struct schema_field){o->name, read_option, &slots[n]};
    }
    if (schema_map(r, node, fields, n) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (slots[i].text != NULL)
            items[settings->n++] = (struct target_setting){target, slots[i].option, slots[i].text};
    return 0;
}

static const struct target *find_target(struct schema *r, const struct yaml *key)
{
    const char *names[RUN_MAX_TARGETS];
    char where[64];
    size_t n = 0;

    for (size_t i = 0; targets[i] != NULL && n < COUNT(names); i++) {
        if (targets[i]->options == NULL)
            continue;
        if (strcmp(targets[i]->name, key->text) == 0)
            return targets[i];
        names[n++] = targets[i]->name;
    }
    if (target_find(key->text) != NULL) {
        error_set(r->err, EX_CONFIG, "%s: target %s has no options", yaml_where(key, where), key->text);
        return NULL;
    }
    schema_unknown(r, key, "key", suggest_nearest(key->text, names, n, sizeof *names));
    return NULL;
}

int schema_target_options(struct schema *r, const struct yaml *node, void *target)
{
    struct target_settings *settings = target;
    struct target_setting *items;

    if (node->kind != YAML_MAP)
        return schema_wrong(r, node, "keys");
    items = arena_create_array(r->arena, node->n * MAX_OPTIONS, sizeof *items, r->err);
    if (items == NULL)
        return -1;
    settings->items = items;
    for (size_t i = 0; i < node->n; i++) {
        const struct target *of = find_target(r, node->keys[i]);

        if (of == NULL || read_target(r, node->items[i], of, settings, items) != 0)
            return -1;
    }
    for (size_t i = 0; i < node->n; i++) { /* together, once all are known */
        const struct target *of = target_find(node->keys[i]->text);

        if (of->check_settings != NULL && of->check_settings(settings, r->err) != 0)
            return error_in(r->err, "target_options.%s", of->name);
    }
    return 0;
}
