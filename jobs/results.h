/* results.h — files that a command line names: an archive by itself or by the folder of its run, and one to be written.
 */
#ifndef ETALON_RESULTS_H
#define ETALON_RESULTS_H

#include "common/output.h"

#include <limits.h>

/* The folder's `name`, or the word itself where it is no folder. EX_USAGE: too long. */
int results_file(const char *word, const char *name, char path[PATH_MAX], struct error *err);

/* The folder that a file will lie in, opened; *name is its name there, within `path`. EX_USAGE: no name of a file;
 * EX_CANTCREAT: it exists and `force` is false, or as output_open. NULL after a failure. */
struct output *results_open(const char *path, bool force, const char **name, struct error *err);

#endif
