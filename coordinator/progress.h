/* progress.h — how far a pass is, for whoever watches: a line that rewrites itself on a terminal, else one every 30 s.
 */
#ifndef ETALON_PROGRESS_H
#define ETALON_PROGRESS_H

#include "coordinator/block_set.h"

#include <stdbool.h>

struct progress {
    const char *what;          /* "calibration" */
    double total;              /* records */
    double skipped;            /* of them, done before this run */
    double started, last_line; /* seconds; the latter when progress was last told, after `started` */
    bool has_open_line;        /* it stands on the terminal without its newline */
};

struct progress progress_begin(const char *what, double total);
double progress_seconds(const struct progress *progress); /* since the beginning */
/* Blocks that are done, as far as rank 0 knows: those that were when blocks were last handed out anew, and of those
 * handed out since, which are the others below `claimed`, the fraction that it has done of its own. */
double progress_blocks(const struct block_set *done, uint64_t claimed, double own_fraction);
/* records: done in this run. May be called as often as one likes. */
void progress_tell(struct progress *progress, double records);
/* Ends the line, if one is open. */
void progress_end(struct progress *progress);

#endif
