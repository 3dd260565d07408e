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
/* The names of its targets, in the arena. EX_OSERR. */
int side_targets(const struct compare_side *side, struct arena *arena, const char *const **names, size_t *n,
                 struct error *err);

/* Names of a list, to be found in it: files of any size are compared, in any order. */
struct name_index {
    size_t n;
    struct name_place {
        const char *name; /* borrowed */
        size_t place;
    } * places; /* [n], in the arena; the caller fills them */
};
int name_index_init(struct name_index *index, size_t n, struct arena *arena, struct error *err);
void name_index_sort(struct name_index *index); /* once all are filled */
/* Of equal names the first place; index->n: none. */
size_t name_index_find(const struct name_index *index, const char *name);

/* Largest first; NaN last. For qsort. */
int compare_descending(double a, double b);

#endif
