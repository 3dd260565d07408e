/* compare_side.c — what is known of one run: its archive, its report, or both; see compare.h. */
#include "coordinator/compare.h"

#include "formats/json_text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static int read_archive(const char *path, struct compare_side *side, struct error *err)
{
    if (archive_read(path, &side->archive, err) != 0)
        return -1;
    side->has_archive = true;
    return 0;
}

static int read_report(const char *path, struct compare_side *side, struct error *err)
{
    side->report = json_file_read(path, err);
    if (side->report == NULL)
        return -1;
    if (!json_is_object(json_object_get(side->report, "targets")))
        return error_set(err, EX_DATAERR, "%s: no report of etalon: expected an object with \"targets\"", path);
    return 0;
}

static int read_folder(const char *folder, struct compare_side *side, struct error *err)
{
    char archive[PATH_MAX + 16], report[PATH_MAX + 16];

    snprintf(archive, sizeof archive, "%s/archive.h5", folder);
    snprintf(report, sizeof report, "%s/report.json", folder);
    if (access(archive, F_OK) != 0 && access(report, F_OK) != 0)
        return error_set(err, EX_NOINPUT, "%s: holds neither archive.h5 nor report.json", folder);
    if (access(archive, F_OK) == 0 && read_archive(archive, side, err) != 0)
        return -1;
    return access(report, F_OK) == 0 ? read_report(report, side, err) : 0;
}

int compare_side_read(const char *word, struct compare_side *side, struct error *err)
{
    struct stat info;

    *side = (struct compare_side){.name = word};
    if (strlen(word) >= PATH_MAX)
        return error_set(err, EX_USAGE, "%s: the path is too long", word);
    if (stat(word, &info) == 0 && S_ISDIR(info.st_mode))
        return read_folder(word, side, err);
    return ends(word, ".json") ? read_report(word, side, err) : read_archive(word, side, err);
}

void compare_side_fini(struct compare_side *side)
{
    archive_fini(&side->archive);
    json_decref(side->report);
    *side = (struct compare_side){0};
}
