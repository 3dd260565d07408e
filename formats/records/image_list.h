/* image_list.h — which files (images, mostly) a dataset consists of, in order: from a list file or from a folder.
 */
#ifndef ETALON_IMAGE_LIST_H
#define ETALON_IMAGE_LIST_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_entry {
    size_t path;   /* offset into `text` */
    int32_t label; /* -1: none */
};

struct image_list {
    size_t n;
    struct image_entry *entries;
    char *text;                                        /* all paths, each with its NUL */
    size_t entries_capacity, text_size, text_capacity; /* private, as: */
    bool (*is_mine)(const char *name);                 /* which names a scan takes */
};

/* Reads a list: "path label" a line, split at the last space or tab, so that paths may hold spaces; a line without one
 * is a path with label -1. CRLF, a UTF-8 byte order mark, blank lines and surrounding spaces are accepted. Paths are
 * taken as they stand: relative to the dataset's folder, `..` included, or absolute, as in Caffe's lists (a list is the
 * user's own word, and whatever it names is opened for reading only, as a regular file). At most `limit` entries; 0 =
 * all. EX_NOINPUT: no such list. EX_DATAERR names list and line: label no integer in -1..2^31-1, path longer than
 * RECORD_KEY_BYTES - 1 bytes. *list is {0}; freed by image_list_fini in any case. */
int image_list_read(struct image_list *list, const char *path, uint64_t limit, struct error *err);

/* Every file under `folder` whose name is_mine says yes to, sorted bytewise by relative path, labels -1. Hidden
 * files and folders are left out, symbolic links followed. EX_NOINPUT: a folder cannot be read. EX_DATAERR: a link
 * leads back into its own folder, nesting beyond 64, a path too long. */
int image_list_scan(struct image_list *list, const char *folder, bool (*is_mine)(const char *name), struct error *err);

const char *image_list_path(const struct image_list *list, size_t i); /* borrowed */
void image_list_fini(struct image_list *list);                        /* may be called on {0} and twice */

#endif
