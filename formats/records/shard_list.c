/* shard_list.c — see shard_list.h. */
#define _GNU_SOURCE /* GLOB_BRACE */
#include "formats/records/shard_list.h"

#include "common/memory.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void shard_list_fini(struct shard_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct shard_list){0};
}

static int add(struct shard_list *list, const char *path, struct error *err)
{
    if (list->n >= SHARDS_MAX)
        return error_set(err, EX_DATAERR, "expected at most %d shards", SHARDS_MAX);
    if (memory_grow((void **)&list->paths, &list->capacity, list->n, sizeof *list->paths, "shards", err) < 0)
        return -1;
    list->paths[list->n] = strdup(path);
    if (list->paths[list->n] == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu bytes for a path", strlen(path) + 1);
    list->n++;
    return 0;
}

static int add_glob(struct shard_list *list, const char *pattern, struct error *err)
{
    glob_t found = {0};
    /* GLOB_NOMAGIC: without * ? [ the pattern itself; braces count as magic, hence expanded first. */
    int code = glob(pattern, GLOB_BRACE | GLOB_NOMAGIC, NULL, &found), rc = 0;

    if (code == GLOB_NOSPACE)
        rc = error_set(err, EX_OSERR, "cannot allocate the names of shards");
    else if (code == GLOB_NOMATCH && strpbrk(pattern, "*?[") == NULL)
        rc = add(list, pattern, err);
    for (size_t i = 0; code == 0 && rc == 0 && i < found.gl_pathc; i++)
        rc = add(list, found.gl_pathv[i], err);
    globfree(&found);
    return rc;
}

/* "{000..127}" at the first place of `pattern`: *open and *close point at the braces. */
static bool find_range(const char *pattern, const char **open, const char **close, unsigned long *first,
                       unsigned long *last, int *width)
{
    for (*open = strchr(pattern, '{'); *open != NULL; *open = strchr(*open + 1, '{')) {
        char *dots, *end;

        *first = strtoul(*open + 1, &dots, 10);
        if ((*open)[1] < '0' || (*open)[1] > '9' || dots[0] != '.' || dots[1] != '.' || dots[2] < '0' || dots[2] > '9')
            continue;
        *last = strtoul(dots + 2, &end, 10);
        if (*end != '}' || *last < *first)
            continue;
        *width = (int)(dots - (*open + 1));
        *close = end;
        return true;
    }
    return false;
}

/* Each brace that is left makes one step deeper; a pattern holds few. */
static int expand(struct shard_list *list, const char *pattern, int depth, struct error *err)
{
    const char *open, *close;
    unsigned long first, last;
    char path[PATH_MAX];
    int width;

    if (!find_range(pattern, &open, &close, &first, &last, &width))
        return add_glob(list, pattern, err);
    if (depth >= 8 || last - first >= SHARDS_MAX)
        return error_set(err, EX_DATAERR, "expected at most 8 ranges, of at most %d shards", SHARDS_MAX);
    for (unsigned long i = first; i <= last; i++) {
        if (snprintf(path, sizeof path, "%.*s%0*lu%s", (int)(open - pattern), pattern, width, i, close + 1) >=
            (int)sizeof path)
            return error_set(err, EX_DATAERR, "a path longer than %d bytes", PATH_MAX - 1);
        if (expand(list, path, depth + 1, err) < 0)
            return -1;
    }
    return 0;
}

int shard_list_read(struct shard_list *list, const char *pattern, struct error *err)
{
    char inner[PATH_MAX];
    struct stat info;
    int rc;

    if (stat(pattern, &info) != 0)
        rc = expand(list, pattern, 0, err);
    else if (!S_ISDIR(info.st_mode))
        rc = add(list, pattern, err);
    else if (strpbrk(pattern, "*?[{\\") != NULL ||
             snprintf(inner, sizeof inner, "%s/*.tar", pattern) >= (int)sizeof inner)
        rc = error_set(err, EX_DATAERR, "a folder whose name looks like a pattern, or is too long: name its shards");
    else
        rc = add_glob(list, inner, err);
    if (rc == 0 && list->n == 0)
        rc = error_set(err, EX_NOINPUT, "no such file, and no *.tar in it");
    return rc == 0 ? 0 : error_in(err, "%s", pattern);
}
