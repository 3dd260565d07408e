/* results.h — files that a command line names: an archive by itself or by the folder of its run, and one to be written.
 */
#ifndef ETALON_RESULTS_H
#define ETALON_RESULTS_H

#include "common/output.h"

#include <limits.h>

/* The folder's `name`, or the word itself where it is no folder. EX_USAGE: too long. */
int results_file(const char *word, const char *name, char path[PATH_MAX], struct error *err);

/* output_open_for, where a file that exists is replaced only if `force`. EX_CANTCREAT: it exists. */
struct output *results_open(const char *path, bool force, const char **name, struct error *err);

#endif
