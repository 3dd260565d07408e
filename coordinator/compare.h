/* compare.h — two runs side by side: what moved in statistics, thresholds, scales, and what that did to accuracy.
 *
 * A run is what its archive and its report say; either alone will do, for as much as it tells. Values and targets are
 * matched by name. Everything is sorted by how far it moved, and the worst of it can be held against limits.
 */
#ifndef ETALON_COMPARE_H
#define ETALON_COMPARE_H

#include "common/memory.h"
#include "formats/archive.h"

#include <jansson.h>
#include <stdio.h>

enum { BEFORE, AFTER, COMPARE_SIDES };

/* One run. */
struct compare_side {
    const char *name; /* as the user said; borrowed */
    bool has_archive;
    struct archive archive;
    json_t *report; /* NULL: not known */
};

/* `word` is an archive, a report (*.json), or a folder of results, which stands for those of both that it holds.
 * EX_NOINPUT, EX_DATAERR: not readable as such. *side is the caller's, also after a failure. */
int compare_side_read(const char *word, struct compare_side *side, struct error *err);
void compare_side_fini(struct compare_side *side); /* may be called on {0} */

struct compared_value { /* a value that both archives have counted */
    const char *name;
    double distance; /* Kolmogorov-Smirnov: the largest difference of the two distribution functions, 0 to 1 */
    struct {
        uint64_t elements;
        float min, max;
        double zeros; /* fraction of the elements; 0 where there are none */
    } at[COMPARE_SIDES];
};

struct compared_decision { /* a value that a target computes in integers, before or after */
    const char *value;
    /* |after - before| / before, of the threshold; where the zero point is another one, also of either end beside the
     * threshold before. 0 where one is missing. */
    double moved;
    struct compared_choice {
        bool is_there;
        float threshold, scale;
        const char *method;
        double sqnr_db;               /* NaN: not known */
        double zero_point, low, high; /* and the reals of the outermost codes; NaN: not known */
    } at[COMPARE_SIDES];
};

struct compared_metric {        /* of a network: fp32, or a target's */
    const char *network, *name; /* "tnn", "top1" */
    double at[COMPARE_SIDES];   /* percent, or dB; NaN: not known */
};

struct compared_target {
    const char *name;
    bool is_there[COMPARE_SIDES]; /* a target that failed is not */
    size_t n_decisions;
    struct compared_decision *decisions; /* those that both have first, by movement; then new and lost ones */
    size_t first_metric, n_metrics;      /* its rows of the comparison's */
};

struct comparison {
    struct arena *arena;
    const struct compare_side *sides; /* [COMPARE_SIDES], borrowed */
    bool has_statistics;              /* both have archives */
    size_t n_values;
    struct compared_value *values; /* by distance */
    size_t n_lost, n_new;
    const char **lost, **added; /* values that only one archive has counted */
    size_t n_targets;
    struct compared_target *targets;
    size_t n_metrics;
    struct compared_metric *metrics;
};

/* NULL with EX_OSERR. */
struct comparison *compare(const struct compare_side sides[COMPARE_SIDES], struct error *err);
void comparison_destroy(struct comparison *comparison); /* NULL is allowed */

/* ---- limits ---- */

struct compare_gate {
    char name[16]; /* see compare_gate_read */
    double limit;
    /* The worst. NaN: there is nothing to compare, of `network` and `where` if they are told: one run alone has the
     * figure, or neither. Infinite with no `where`: the target is gone. Either is a failure. */
    double found;
    const char *network, *where; /* of the worst: a target or NULL, and a value or NULL */
    bool has_failed;
};

/* "NAME=LIMIT", of threshold (relative movement), statistics (distance), sqnr (dB lost by a value), agreement or topN
 * (percentage points lost by a target). EX_USAGE. */
int compare_gate_read(const char *text, struct compare_gate *gate, struct error *err);
void compare_gate_judge(const struct comparison *comparison, struct compare_gate *gate);

/* ---- what is said ---- */

/* `rows` of every list at most; 0: all. */
void compare_print(const struct comparison *comparison, const struct compare_gate *gates, size_t n_gates, size_t rows,
                   FILE *out);
/* Everything. NULL with EX_OSERR; to be freed with free(). */
char *compare_json(const struct comparison *comparison, const struct compare_gate *gates, size_t n_gates,
                   struct error *err);

#endif
