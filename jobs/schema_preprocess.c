/* schema_preprocess.c — the steps under `preprocess:` of a job file, read by the table of their keys
 * (common/preprocess_steps.h).
 */
#include "common/preprocess_steps.h"
#include "common/suggest.h"
#include "jobs/schema.h"

#include <string.h>

static int read_word(struct schema *r, const struct yaml *node, const struct step_key *key, int *value)
{
    size_t n = 0;

    if (node->kind != YAML_SCALAR)
        return schema_wrong(r, node, key->what);
    for (; key->words[n].name != NULL; n++)
        if (strcmp(key->words[n].name, node->text) == 0) {
            *value = key->words[n].value;
            return 0;
        }
    return schema_unknown(r, node, key->what, suggest_nearest(node->text, &key->words[0].name, n, sizeof *key->words));
}

static int read_offset(struct schema *r, const struct yaml *node, size_t *offset)
{
    uint64_t value;

    if (schema_count(r, node, &value) != 0)
        return -1;
    *offset = (size_t)value;
    return value <= 65536 ? 0 : schema_wrong(r, node, "a number of pixels from 0 to 65536");
}

static int read_value(struct schema *r, const struct yaml *node, const struct step_key *key,
                      struct preprocess_step *step)
{
    void *target = (char *)step + key->offset;
    size_t n;

    switch (key->type) {
    case KEY_SIZE:
        return schema_size(r, node, target);
    case KEY_OFFSET:
        return read_offset(r, node, target);
    case KEY_FLOAT:
        return node->kind == YAML_SCALAR ? schema_floats(r, node, target, 1, &n) : schema_wrong(r, node, "a number");
    case KEY_FLOATS:
        return schema_floats(r, node, step->values, PREPROCESS_MAX_CHANNELS, &step->n_values);
    case KEY_WORD:
        return read_word(r, node, key, target);
    case KEY_FILE:
        return schema_path(r, node, &((struct step_file *)target)->path);
    }
    return 0;
}

static const struct step_key *find_key(const struct step_description *description, const char *name)
{
    for (size_t i = 0; i < description->n_keys; i++)
        if (strcmp(description->keys[i].name, name) == 0)
            return &description->keys[i];
    return NULL;
}

static int refuse(struct schema *r, const struct yaml *node, const struct step_description *description)
{
    char where[64];

    return error_set(r->err, EX_CONFIG, "%s: %s needs %s", yaml_where(node, where), description->name,
                     description->needs);
}

/* Keys of one form choose it; a second form beside it, or half a form, is refused. */
static int read_keys(struct schema *r, const struct yaml *node, const struct step_description *description,
                     struct preprocess_step *step)
{
    int form = ANY_FORM;

    if (node->kind != YAML_MAP)
        return schema_wrong(r, node, "keys");
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml *name = node->keys[i];
        const struct step_key *key = find_key(description, name->text);

        if (key == NULL)
            return schema_unknown(r, name, "key",
                                  suggest_nearest(name->text, &description->keys[0].name, description->n_keys,
                                                  sizeof description->keys[0]));
        if (read_value(r, node->items[i], key, step) != 0)
            return -1;
        if (key->form != ANY_FORM && form != ANY_FORM && key->form != form)
            return refuse(r, node, description);
        form = key->form != ANY_FORM ? key->form : form;
    }
    if (form != ANY_FORM)
        *(int *)(void *)((char *)step + description->form_offset) = form;
    for (size_t i = 0; i < description->n_keys; i++) {
        const struct step_key *key = &description->keys[i];

        if (key->use == KEY_REQUIRED && (key->form == ANY_FORM || key->form == (form == ANY_FORM ? 0 : form)) &&
            yaml_get(node, key->name) == NULL)
            return refuse(r, node, description);
    }
    return 0;
}

/* A divisor of 0 is found here, where line and column are known. */
static int check_divisors(struct schema *r, const struct yaml *node, const struct preprocess_step *step)
{
    for (size_t i = 0; i < step->n_values; i++)
        if (step->values[i] == 0)
            return schema_wrong(r, node->kind == YAML_LIST ? node->items[i] : node, "a divisor other than 0");
    return 0;
}

static int read_step(struct schema *r, const struct yaml *node, struct preprocess_step *step)
{
    const struct step_description *description = step_descriptions;
    const struct yaml *name, *value;

    if (node->kind != YAML_MAP || node->n != 1)
        return schema_wrong(r, node, "one step, such as \"- mean: [104, 117, 123]\"");
    name = node->keys[0];
    value = node->items[0];
    for (step->kind = 0; step->kind < N_STEP_KINDS; step->kind++, description++)
        if (strcmp(description->name, name->text) == 0)
            break;
    if (step->kind == N_STEP_KINDS)
        return schema_unknown(
            r, name, "key",
            suggest_nearest(name->text, &step_descriptions[0].name, N_STEP_KINDS, sizeof step_descriptions[0]));
    if (description->keys[0].name != NULL)
        return read_keys(r, value, description, step);
    if (read_value(r, value, &description->keys[0], step) != 0)
        return -1;
    return step->kind == STEP_DIVIDE ? check_divisors(r, value, step) : 0;
}

bool schema_is_preset(const struct yaml *node)
{
    return node->kind == YAML_MAP && node->n == 1 && strcmp(node->keys[0]->text, "preset") == 0 &&
           node->items[0]->kind == YAML_SCALAR;
}

int schema_preprocess(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_plan *plan = target;

    if (schema_is_preset(node)) {
        plan->n_steps = 1;
        return read_step(r, node, &plan->steps[0]);
    }
    if (node->kind != YAML_LIST || node->n > PREPROCESS_MAX_STEPS)
        return schema_wrong(r, node, "a list of at most 16 steps");
    for (size_t i = 0; i < node->n; i++)
        if (read_step(r, node->items[i], &plan->steps[i]) != 0)
            return -1;
    plan->n_steps = node->n;
    return 0;
}
