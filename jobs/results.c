/* results.c — see results.h. */
#include "jobs/results.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int results_file(const char *word, const char *name, char path[PATH_MAX], struct error *err)
{
    struct stat info;
    bool is_folder = stat(word, &info) == 0 && S_ISDIR(info.st_mode);

    if (snprintf(path, PATH_MAX, "%s%s%s", word, is_folder ? "/" : "", is_folder ? name : "") >= PATH_MAX)
        return error_set(err, EX_USAGE, "%s: the path is too long", word);
    return 0;
}

struct output *results_open(const char *path, bool force, const char **name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    struct stat info;

    *name = slash == NULL ? path : slash + 1;
    snprintf(folder, sizeof folder, "%.*s",
             slash == NULL   ? 1
             : slash == path ? 1
                             : (int)(slash - path),
             slash == NULL ? "." : path);
    if (**name == '\0' || strlen(path) >= sizeof folder)
        error_set(err, EX_USAGE, "%s: expected the name of a file", path);
    else if (stat(path, &info) == 0 && !(force && S_ISREG(info.st_mode)))
        error_set(err, EX_CANTCREAT, "%s: exists%s", path, S_ISREG(info.st_mode) ? "; use --force to replace it" : "");
    else
        return output_open_beside(folder, *name, err);
    return NULL;
}
