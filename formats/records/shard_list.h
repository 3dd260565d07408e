/* shard_list.h — the files that a pattern such as "train-{000..127}.tar" names.
 */
#ifndef ETALON_SHARD_LIST_H
#define ETALON_SHARD_LIST_H

#include "common/error.h"

#include <stddef.h>

struct shard_list {
    size_t n, capacity;
    char **paths;
};

enum { SHARDS_MAX = 1 << 20 };

/* `pattern`: a folder (all files in it that end in .tar, sorted), a file, or a pattern, expanded in this order: ranges
 * {000..127} (width kept), words {a,b}, then *, ? and [...] among the files that are there. A pattern without * ? [
 * names its files whether they are there or not, so that a missing one is found. EX_NOINPUT: no file; EX_DATAERR: more
 * than SHARDS_MAX. *list is {0}; freed by shard_list_fini in any case. */
int shard_list_read(struct shard_list *list, const char *pattern, struct error *err);
void shard_list_fini(struct shard_list *list); /* may be called on {0} and twice */

#endif
