/* results.c — see results.h. */
#include "jobs/results.h"

#include <stdbool.h>
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
