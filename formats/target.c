/* target.c — the list of targets; see target.h. */
#include "formats/target.h"

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
