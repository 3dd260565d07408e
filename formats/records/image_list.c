/* image_list.c — reading lists and scanning folders; see image_list.h. */
#define _GNU_SOURCE /* qsort_r */
#include "formats/records/image_list.h"

#include "common/bytes.h"
#include "common/memory.h"
#include "formats/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 64 };

static const size_t list_max_bytes = (size_t)4 << 30; /* 40 million lines of 100 bytes */

const char *image_list_path(const struct image_list *list, size_t i)
{
    return list->text + list->entries[i].path;
}

void image_list_fini(struct image_list *list)
{
    free(list->entries);
    free(list->text);
    *list = (struct image_list){0};
}

static int add_entry(struct image_list *list, const char *path, size_t length, int32_t label, struct error *err)
{
    if (length >= RECORD_KEY_BYTES)
        return error_set(err, EX_DATAERR, "expected a path of at most %d bytes, found %zu", RECORD_KEY_BYTES - 1,
                         length);
    if (memchr(path, '\0', length) != NULL)
        return error_set(err, EX_DATAERR, "a path holds a zero byte");
    if (memory_grow((void **)&list->entries, &list->entries_capacity, list->n, sizeof *list->entries,
                    "a list of images", err) < 0 ||
        memory_grow((void **)&list->text, &list->text_capacity, list->text_size + length, 1, "paths of images", err) <
            0)
        return -1;
    memcpy(list->text + list->text_size, path, length);
    list->text[list->text_size + length] = '\0';
    list->entries[list->n++] = (struct image_entry){.path = list->text_size, .label = label};
    list->text_size += length + 1;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* An integer in -1..2^31-1 and nothing else. */
static int parse_label(const char *text, size_t length, int32_t *label, struct error *err)
{
    char digits[16], *end;
    long value;

    if (length < sizeof digits) {
        memcpy(digits, text, length);
        digits[length] = '\0';
        value = strtol(digits, &end, 10);
        if (end != digits && *end == '\0' && value >= -1 && value <= INT32_MAX) {
            *label = (int32_t)value;
            return 0;
        }
    }
    return error_set(err, EX_DATAERR, "expected a label of -1 to 2147483647 after the last space, found \"%.*s\"",
                     (int)(length < 64 ? length : 64), text);
}

/* One line without its newline. */
static int parse_line(struct image_list *list, const char *text, size_t length, struct error *err)
{
    size_t split, end;
    int32_t label = -1;

    while (length > 0 && is_blank(text[length - 1]))
        length--;
    while (length > 0 && is_blank(*text)) {
        text++;
        length--;
    }
    if (length == 0)
        return 0;
    for (split = length; split > 0 && !is_blank(text[split - 1]); split--)
        ;
    if (split == 0) /* one word: a path without a label */
        return add_entry(list, text, length, -1, err);
    if (parse_label(text + split, length - split, &label, err) < 0)
        return -1;
    for (end = split; is_blank(text[end - 1]); end--) /* stops: the first character is not blank */
        ;
    return add_entry(list, text, end, label, err);
}

int image_list_read(struct image_list *list, const char *path, uint64_t limit, struct error *err)
{
    struct bytes file = {0};
    uint32_t line = 0;
    int rc = 0;

    if (bytes_read(path, list_max_bytes, &file, err) < 0)
        return -1;
    for (const char *at = (const char *)file.data, *end = at + file.size; rc == 0 && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline == NULL ? end : newline + 1;
        size_t length = (size_t)((newline == NULL ? end : newline) - at);

        if (limit > 0 && list->n >= limit)
            break;
        if (line++ == 0 && length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            at += 3;
            length -= 3;
        }
        rc = parse_line(list, at, length, err);
        at = next;
    }
    bytes_free(&file);
    return rc == 0 ? 0 : error_in(err, "%s: line %u", path, line);
}

/* Where a scan stands: the folders above, to notice a link that leads back into one of them. */
struct folder {
    const struct folder *parent;
    size_t depth;
    dev_t device;
    ino_t inode;
};

static int scan_folder(struct image_list *list, int fd, char path[PATH_MAX], size_t length, const struct folder *parent,
                       struct error *err);

/* Takes what `name` inside the folder `fd` is: a folder is entered, a file of ours added, anything else left out. */
static int scan_name(struct image_list *list, int fd, char path[PATH_MAX], size_t length, const char *name,
                     unsigned char type, const struct folder *here, struct error *err)
{
    size_t name_length = strlen(name);
    struct stat info;
    int sub;

    if (name[0] == '.' || (type == DT_REG && !list->is_mine(name)))
        return 0;
    if (length + name_length + 2 > PATH_MAX)
        return error_set(err, EX_DATAERR, "%.*s: the path below is too long", (int)length, path);
    memcpy(path + length, name, name_length + 1);
    if (type != DT_REG && type != DT_DIR) { /* a link, or a file system that does not say */
        if (fstatat(fd, name, &info, 0) != 0)
            return 0; /* a dangling link is no file */
        type = S_ISDIR(info.st_mode) ? DT_DIR : S_ISREG(info.st_mode) && list->is_mine(name) ? DT_REG : DT_CHR;
    }
    if (type == DT_REG)
        return add_entry(list, path, length + name_length, -1, err) == 0 ? 0 : error_in(err, "%s", path);
    if (type != DT_DIR)
        return 0;
    sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sub < 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    path[length + name_length] = '/';
    return scan_folder(list, sub, path, length + name_length + 1, here, err);
}

/* path[0..length) is the relative path of the folder, with its slash; empty for the root. Takes over fd. */
static int scan_folder(struct image_list *list, int fd, char path[PATH_MAX], size_t length, const struct folder *parent,
                       struct error *err)
{
    DIR *folder = fdopendir(fd);
    struct folder here = {parent, parent == NULL ? 1 : parent->depth + 1, 0, 0};
    struct stat info;
    int rc = 0;

    if (folder == NULL || fstat(fd, &info) != 0) {
        rc = error_set(err, EX_NOINPUT, "%.*s: cannot be read: %s", (int)length, path, strerror(errno));
        if (folder == NULL)
            close(fd);
        else
            closedir(folder);
        return rc;
    }
    here.device = info.st_dev;
    here.inode = info.st_ino;
    for (const struct folder *above = parent; rc == 0 && above != NULL; above = above->parent)
        if (above->device == here.device && above->inode == here.inode)
            rc = error_set(err, EX_DATAERR, "%.*s: leads back into a folder above it", (int)length, path);
    if (rc == 0 && here.depth > MAX_DEPTH)
        rc = error_set(err, EX_DATAERR, "%.*s: folders are nested deeper than %d", (int)length, path, MAX_DEPTH);
    while (rc == 0) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(folder);
        if (entry == NULL && errno != 0)
            rc = error_set(err, EX_NOINPUT, "%.*s: cannot be read: %s", (int)length, path, strerror(errno));
        if (entry == NULL)
            break;
        rc = scan_name(list, fd, path, length, entry->d_name, entry->d_type, &here, err);
    }
    closedir(folder); /* closes fd; read only: nothing can be lost */
    return rc;
}

static int compare_paths(const void *a, const void *b, void *text)
{
    const struct image_entry *x = a, *y = b;

    return strcmp((const char *)text + x->path, (const char *)text + y->path);
}

int image_list_scan(struct image_list *list, const char *folder, bool (*is_mine)(const char *name), struct error *err)
{
    char path[PATH_MAX] = "";
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", folder, strerror(errno));
    list->is_mine = is_mine;
    if (scan_folder(list, fd, path, 0, NULL, err) < 0)
        return error_in(err, "%s", folder);
    if (list->n > 0)
        qsort_r(list->entries, list->n, sizeof *list->entries, compare_paths, list->text);
    return 0;
}
