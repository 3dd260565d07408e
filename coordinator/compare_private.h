/* compare_private.h — shared by compare*.c.
 */
#ifndef ETALON_COMPARE_PRIVATE_H
#define ETALON_COMPARE_PRIVATE_H

#include "coordinator/compare.h"

/* Fills values, lost and added of a comparison of two archives. EX_OSERR. */
int compare_statistics(struct comparison *c, struct error *err);
/* Fills targets with their decisions. EX_OSERR. */
int compare_targets(struct comparison *c, struct error *err);

/* What a target decided, in the order of its values: from the archive, or else the report. */
struct side_decision {
    const char *value;
    struct compared_choice choice;
};
/* In the arena. *n 0: none, or no such target. EX_OSERR. */
int side_decisions(const struct compare_side *side, const char *target, struct arena *arena, struct side_decision **out,
                   size_t *n, struct error *err);
/* How many targets it names, and the one of this index. */
size_t side_count_targets(const struct compare_side *side);
const char *side_target(const struct compare_side *side, size_t index);

/* Largest first; NaN last. For qsort. */
int compare_descending(double a, double b);

#endif
