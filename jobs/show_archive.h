/* show_archive.h — an archive for `etalon inspect`: as tables for people, or as JSON.
 */
#ifndef ETALON_SHOW_ARCHIVE_H
#define ETALON_SHOW_ARCHIVE_H

#include "formats/archive.h"

#include <stdio.h>

/* Where the archive comes from, whether its records were enough, the range of every value, the decisions of every
 * target; with_thresholds adds what each method that needs counts alone would decide for each value. EX_OSERR;
 * EX_DATAERR: thresholds of an archive that does not know its job. */
int show_archive(const struct archive *archive, bool with_thresholds, FILE *out, struct error *err);
int show_archive_json(const struct archive *archive, bool with_thresholds, FILE *out, struct error *err);

#endif
