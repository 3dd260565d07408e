/* source.c — how the verbs of `etalon dataset` are told what to read; see dataset.h. */
#include "jobs/dataset/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int dataset_number(const char *option, const char *text, uint64_t *value, struct error *err)
{
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return error_set(err, EX_USAGE, "--%s: expected a whole number, found \"%s\"", option, text);
    return 0;
}

static const char *guess_kind(const char *path, struct error *err)
{
    const char *kind = dataset_recognise(path);
    struct stat info;

    if (kind != NULL)
        return kind;
    if (stat(path, &info) != 0) {
        error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", path, strerror(errno));
        return NULL;
    }
    error_set(err, EX_USAGE, "%s: what kind of dataset is it? Say so with --kind", path);
    return NULL;
}

int dataset_source_request(const struct dataset_source *source, const char *path, struct dataset_request *request,
                           struct error *err)
{
    *request = (struct dataset_request){.kind = source->kind, .path = path, .list = source->list};
    if (dataset_number("limit", source->limit, &request->limit, err) != 0)
        return -1;
    if (request->kind == NULL)
        request->kind = guess_kind(path, err);
    return request->kind == NULL ? -1 : 0;
}
