/* exporter.c — the list of exporters; see exporter.h. */
#include "formats/exporter.h"

#include <string.h>

#define EXPORTER(id) extern const struct exporter exporter_##id;
#include "exporters.def"
#undef EXPORTER

const struct exporter *const exporters[] = {
#define EXPORTER(id) &exporter_##id,
#include "exporters.def"
#undef EXPORTER
    NULL,
};

const struct exporter *exporter_find(const char *name)
{
    for (size_t i = 0; exporters[i] != NULL; i++)
        if (strcmp(exporters[i]->name, name) == 0)
            return exporters[i];
    return NULL;
}
