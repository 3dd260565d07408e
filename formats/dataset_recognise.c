/* dataset_recognise.c — which kind of dataset a file or folder is; see record.h. */
#include "formats/record.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a kind's folders hold: a file of a name of its own, or files with an ending. Without a hint: images. */
static const struct {
    const char *kind, *file, *ending;
} folders[] = {
    {"lmdb", "data.mdb", NULL},
    {"leveldb", "CURRENT", NULL},
    {"npy", NULL, ".npy"},
    {"tar", NULL, ".tar"},
};

/* What a kind's files hold at an offset. */
static const struct {
    const char *kind;
    size_t at;
    const char *bytes;
    size_t n;
} files[] = {
    {"lmdb", 16, "\xde\xc0\xef\xbe", 4}, /* behind the header of its first page */
    {"npy", 0, "\x93NUMPY", 6},          {"idx", 0, "\0\0\x08", 3}, {"idx", 0, "\0\0\x0d", 3}, {"tar", 257, "ustar", 5},
};

enum { N_FOLDERS = sizeof folders / sizeof *folders, N_FILES = sizeof files / sizeof *files, HEAD_BYTES = 512 };

static const char *kind_of_entry(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; i < N_FOLDERS; i++)
        if (folders[i].file != NULL ? strcmp(name, folders[i].file) == 0
                                    : dot != NULL && name[0] != '.' && strcasecmp(dot, folders[i].ending) == 0)
            return folders[i].kind;
    return NULL;
}

static const char *recognise_folder(const char *path)
{
    DIR *folder = opendir(path);
    const char *kind = NULL;
    struct dirent *entry;

    while (folder != NULL && kind == NULL && (entry = readdir(folder)) != NULL)
        kind = kind_of_entry(entry->d_name);
    if (folder != NULL)
        closedir(folder);
    return kind == NULL ? "images" : kind;
}

static const char *recognise_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[HEAD_BYTES];
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);

    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < N_FILES; i++)
        if (n >= 0 && (size_t)n >= files[i].at + files[i].n &&
            memcmp(head + files[i].at, files[i].bytes, files[i].n) == 0)
            return files[i].kind;
    return NULL;
}

const char *dataset_recognise(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return NULL;
    return S_ISDIR(info.st_mode) ? recognise_folder(path) : S_ISREG(info.st_mode) ? recognise_file(path) : NULL;
}
