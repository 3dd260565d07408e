/* target.c — the list of targets; see target.h. */
#include "formats/target.h"

#include <stdlib.h>
#include <string.h>

#define TARGET(id) extern const struct target target_##id;
#include "targets.def"
#undef TARGET

const struct target *const targets[] = {
#define TARGET(id) &target_##id,
#include "targets.def"
#undef TARGET
    NULL,
};

const struct target *target_find(const char *name)
{
    for (size_t i = 0; targets[i] != NULL; i++)
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    return NULL;
}

const char *target_setting(const struct target_settings *settings, const struct target *target, const char *option)
{
    for (size_t i = 0; settings != NULL && i < settings->n; i++)
        if (settings->items[i].target == target && strcmp(settings->items[i].option->name, option) == 0)
            return settings->items[i].text;
    for (const struct target_option *o = target->options; o->name != NULL; o++)
        if (strcmp(o->name, option) == 0)
            return o->fallback;
    abort(); /* no such option: our own mistake */
}

bool target_setting_is(const struct target_settings *settings, const struct target *target, const char *option,
                       const char *value)
{
    return strcmp(target_setting(settings, target, option), value) == 0;
}

uint64_t target_setting_count(const struct target_settings *settings, const struct target *target, const char *option)
{
    return strtoull(target_setting(settings, target, option), NULL, 10);
}

const struct profile *target_profile(const struct target *target, const struct target_settings *settings)
{
    return target->choose_profile == NULL ? target->profile : target->choose_profile(settings);
}
