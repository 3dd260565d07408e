/* results.h — files that a command line names: an archive by itself or by the folder of its run.
 */
#ifndef ETALON_RESULTS_H
#define ETALON_RESULTS_H

#include "common/error.h"

#include <limits.h>

/* The folder's `name`, or the word itself where it is no folder. EX_USAGE: too long. */
int results_file(const char *word, const char *name, char path[PATH_MAX], struct error *err);

#endif
