/* leveldb_links.h — a folder of links to a LevelDB, for opening it without touching it.
 *
 * LevelDB knows no reading alone: opening takes a lock that admits one process, writes a log, replays its journal into
 * new tables, renames and deletes. In a folder of links all of that happens to the links and beside them: the database
 * may lie on read-only media and be open in many ranks. What is written there is small, but for the journal (*.log),
 * which is copied into tables, and compactions, which LevelDB may begin where its last writer left work to do.
 */
#ifndef ETALON_LEVELDB_LINKS_H
#define ETALON_LEVELDB_LINKS_H

#include "common/error.h"

#include <limits.h>

/* Makes the folder in $TMPDIR, or /tmp, and its name. EX_NOINPUT: `path` is no folder; EX_DATAERR: no LevelDB (it has
 * no CURRENT); EX_CANTCREAT. */
int leveldb_links_create(const char *path, char folder[PATH_MAX], struct error *err);
/* Removes it with all that is in it, links and not what they lead to. What is left of a killed process may be deleted.
 */
void leveldb_links_remove(const char *folder);

#endif
