/* exporter.c — the list of exporters; see exporter.h. */
#include "formats/exporter.h"

#include <stdlib.h>
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

int exporter_write_file(struct output *output, const char *base, const char *ending, const void *data, size_t size,
                        struct error *err)
{
    size_t length = strlen(base) + strlen(ending) + 1;
    char *name = memory_create(length, 1, "the name of a file", err);
    int rc = -1;

    if (name != NULL) {
        snprintf(name, length, "%s%s", base, ending);
        rc = output_write(output, name, data, size, true, err);
    }
    free(name);
    return rc;
}
