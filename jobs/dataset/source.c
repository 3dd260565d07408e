/* source.c — how the verbs of `etalon dataset` are told what to read; see dataset.h. */
#include "jobs/dataset/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* What a path holds, as far as names tell: a folder by the file that only its kind has, a file by its ending. */
static const struct {
    const char *inner, *ending, *kind;
} marks[] = {
    {"data.mdb", NULL, "lmdb"}, {NULL, ".mdb", "lmdb"}, {"CURRENT", NULL, "leveldb"},
    {NULL, ".npy", "npy"},      {NULL, ".bin", "bin"},  {NULL, ".tar", "tar"},
};

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);

    return n > m && strcmp(path + n - m, ending) == 0;
}

static const char *guess_kind(const char *path, struct error *err)
{
    struct stat info;
    char inner[4096];

    if (stat(path, &info) != 0) {
        error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", path, strerror(errno));
        return NULL;
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (S_ISDIR(info.st_mode) && marks[i].inner != NULL &&
            (size_t)snprintf(inner, sizeof inner, "%s/%s", path, marks[i].inner) < sizeof inner &&
            access(inner, F_OK) == 0)
            return marks[i].kind;
        if (S_ISREG(info.st_mode) && marks[i].ending != NULL && has_ending(path, marks[i].ending))
            return marks[i].kind;
    }
    if (S_ISDIR(info.st_mode))
        return "images";
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
