/* new_folder.h — a folder of files that appears when it is complete, and not at all otherwise.
 *
 * Its files are written into `.<name>.<pid>.tmp` beside the destination, synced, then the folder is renamed: a reader
 * sees no folder or a whole one.
 */
#ifndef ETALON_NEW_FOLDER_H
#define ETALON_NEW_FOLDER_H

#include "common/error.h"

#include <limits.h>

struct new_folder {
    char final[PATH_MAX], temporary[PATH_MAX], parent[PATH_MAX];
};

/* Makes the temporary folder; files go into folder->temporary. EX_CANTCREAT: `path` exists, or its parent cannot be
 * written to; then there is nothing to cancel. */
int new_folder_open(struct new_folder *folder, const char *path, struct error *err);

/* Syncs every file in it and renames. On failure (EX_IOERR, EX_CANTCREAT) nothing is left behind. */
int new_folder_commit(struct new_folder *folder, struct error *err);

void new_folder_cancel(struct new_folder *folder); /* removes the temporary folder and all in it */

#endif
