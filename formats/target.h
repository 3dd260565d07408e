/* target.h — the accelerators we write for. One folder each: profile (its arithmetic, as data) and emitter.
 *
 * A new target is one folder with an emit.c and one word in formats/CMakeLists.txt.
 */
#ifndef ETALON_TARGET_H
#define ETALON_TARGET_H

#include "common/output.h"
#include "common/plan.h"
#include "common/preprocess_plan.h"

struct emit_info {           /* what goes into a model's free-form metadata; nothing that differs between equal runs */
    const char *fingerprint; /* of this target's decisions, hex */
    const char *version;     /* of etalon */
    uint64_t records;        /* calibration records used */
    const char *method;      /* activations method asked for */
    const char *model_name;  /* base name for files, e.g. "resnet20" */
    /* What is done to records in front of each input, [graph->n_inputs] in its order; presets are expanded, files of
     * steps may be unread. NULL: nothing is known of them. */
    const struct preprocess_plan *const *preprocess;
};

struct target {
    const char *name;    /* what the user writes under `targets:` */
    const char *summary; /* one line of `etalon targets` */
    const struct profile *profile;
    bool takes_batch; /* writes graph->batch; without it, a graph with a batch of several records is refused */
    /* Optional: is the planned model expressible there? EX_UNAVAILABLE naming the node. */
    int (*check)(const struct plan *plan, struct error *err);
    /* Writes <name>/<files> through output (names relative to its folder). */
    int (*emit)(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err);
};

extern const struct target *const targets[]; /* NULL-terminated */
const struct target *target_find(const char *name);

#endif
