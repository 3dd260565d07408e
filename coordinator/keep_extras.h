/* keep_extras.h — the extras of an observation in the archive; for keep.c.
 */
#ifndef ETALON_KEEP_EXTRAS_H
#define ETALON_KEEP_EXTRAS_H

#include "formats/archive.h"
#include "worker/observe.h"

/* Lends the extras of value `v`, where the observation has any, to its row of the archive. */
void keep_lend_extras(const struct observation *observation, size_t v, struct archive_value *to);

/* Copies the archive's extras into the observation, whose values are the archive's in order; nothing where it has none.
 * EX_OSERR; EX_DATAERR: of another graph. */
int keep_take_extras(struct observation *observation, const struct archive *archive, struct error *err);

#endif
