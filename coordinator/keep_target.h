/* keep_target.h — one target's decisions as the archive holds them; replay.h reads them back. For keep.c.
 */
#ifndef ETALON_KEEP_TARGET_H
#define ETALON_KEEP_TARGET_H

#include "coordinator/report.h"
#include "formats/archive.h"

/* index[v]: value v's row in the archive. Fills *to (freed by archive_target_fini, also after a failure). EX_OSERR. */
int keep_target(const struct report *report, const struct report_target *t, const uint32_t *index,
                struct archive_target *to, struct error *err);

#endif
