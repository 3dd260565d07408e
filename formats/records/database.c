/* database.c — the table of databases that are written; see database.h. */
#include "formats/records/database.h"

#include "common/suggest.h"

#include <string.h>

#define DATABASE(id) extern const struct database_kind database_kind_##id;
#include "databases.def"
#undef DATABASE

const struct database_kind *const database_kinds[] = {
#define DATABASE(id) &database_kind_##id,
#include "databases.def"
#undef DATABASE
    NULL,
};

const struct database_kind *database_find(const char *name, struct error *err)
{
    const struct database_kind *nearest = database_kinds[0];

    for (size_t i = 0; database_kinds[i] != NULL; i++) {
        if (strcmp(database_kinds[i]->name, name) == 0)
            return database_kinds[i];
        if (edit_distance(database_kinds[i]->name, name) < edit_distance(nearest->name, name))
            nearest = database_kinds[i];
    }
    error_set(err, EX_USAGE, "database \"%s\" does not exist; the nearest is \"%s\"", name, nearest->name);
    return NULL;
}
