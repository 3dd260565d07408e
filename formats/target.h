/* target.h — the accelerators we write for. One folder each: profile (its arithmetic, as data) and emitter.
 *
 * A new target is one folder with an emit.c and one word in formats/CMakeLists.txt.
 */
#ifndef ETALON_TARGET_H
#define ETALON_TARGET_H

#include "common/output.h"
#include "common/plan.h"
#include "common/preprocess_plan.h"
#include "formats/model.h"

struct target;

/* What a user may set of one target, under `target_options.<target>` of a job. */
struct target_option {
    const char *name;
    enum { SETTING_WORD, SETTING_TRUTH, SETTING_COUNT, SETTING_TEXT } type;
    const char *fallback;     /* its value where the job says nothing, as text */
    const char *const *words; /* SETTING_WORD: NULL-terminated */
    uint64_t least, most;     /* SETTING_COUNT */
    bool decides;             /* thresholds or codes follow from it, not the form of files alone */
};

/* What a job has set, checked against the options; all borrowed. */
struct target_settings {
    size_t n;
    const struct target_setting {
        const struct target *target;
        const struct target_option *option;
        const char *text;
    } * items;
};

struct model_request;

/* Records of the calibration set, for targets that ship some. */
struct emit_records {
    uint64_t n;
    /* Record `record` as the network is given it: rows[input], dense, [graph->n_inputs] in its order. *is_bad: the
     * record cannot be read, and the run has put up with it. */
    int (*read)(void *context, uint64_t record, float *const *rows, bool *is_bad, struct error *err);
    void *context;
};

struct emit_info {           /* what goes into a model's free-form metadata; nothing that differs between equal runs */
    const char *fingerprint; /* of this target's decisions, hex */
    const char *version;     /* of etalon */
    uint64_t records;        /* calibration records used */
    const char *method;      /* activations method asked for */
    const char *model_name;  /* base name for files, e.g. "resnet20" */
    /* What is done to records in front of each input, [graph->n_inputs] in its order; presets are expanded, files of
     * steps may be unread. NULL: nothing is known of them. */
    const struct preprocess_plan *const *preprocess;
    bool may_be_reals; /* the records in front of it: they are not bytes, or nothing says that they are */
    const struct target_settings *settings;            /* NULL: nothing is set */
    double percentile;                                 /* of the method `percentile` */
    const struct model_request *model;                 /* where the graph came from; NULL: unknown */
    const char *importer;                              /* name of the one that read it; NULL: unknown */
    const struct emit_records *records_of_calibration; /* NULL: there are no data */
};

struct target {
    const char *name;    /* what the user writes under `targets:` */
    const char *summary; /* one line of `etalon targets` */
    const struct profile *profile;
    const struct target_option *options; /* NULL: none; ends with a NULL name */
    /* Optional: the profile that the settings ask for, instead of the one above. */
    const struct profile *(*choose_profile)(const struct target_settings *settings);
    /* Optional: can the settings stand together? EX_CONFIG, EX_UNAVAILABLE naming the keys; when the job is read. */
    int (*check_settings)(const struct target_settings *settings, struct error *err);
    bool is_read_back; /* an importer reads what is emitted with its codes: evaluate --quantized */
    /* Optional, where it is: files without a network, that hold weights and codes of one. Is `file` such a file? Then
     * they are put into the network that it was written for, which is normalised. EX_NOINPUT; EX_DATAERR: damaged, or
     * of another network; EX_UNAVAILABLE. Messages start with the path. */
    bool (*holds_numbers)(const char *file);
    int (*read_numbers)(struct graph *network, const char *file, struct error *err);
    bool ships_records;       /* of the calibration set (emit_records), beside the models */
    bool takes_batch;         /* writes graph->batch; without it, a graph with a batch of several records is refused */
    uint8_t weight;           /* writing it, in sizes of the fp32 model that are gone through; 0: unknown */
    bool writes_no_codes;     /* of weights, the vendor's tools make them: in emit the plan's may be NULL */
    uint64_t advised_records; /* how many calibration records its makers advise at least; 0: they do not say */
    /* Optional: is the planned model expressible there? EX_UNAVAILABLE naming the node. */
    int (*check)(const struct plan *plan, struct error *err);
    /* Optional: those files of emit that show the float model, written before there are codes, which would fill memory
     * beside a second float model. As emit. */
    int (*emit_float)(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err);
    /* Writes <name>/<files> through output (names relative to its folder). */
    int (*emit)(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err);
    /* Optional: <base> plus endings from an fp32 model and the file `scales` of the vendor's format, without
     * calibration. EX_DATAERR: scales that do not belong to the model. */
    int (*emit_given)(const struct model_request *model, const char *scales, const char *base, struct output *output,
                      struct error *err);
};

extern const struct target *const targets[]; /* NULL-terminated */
const struct target *target_find(const char *name);

/* The value of one of the target's options: as set, or its fallback. `settings` may be NULL. */
const char *target_setting(const struct target_settings *settings, const struct target *target, const char *option);
bool target_setting_is(const struct target_settings *settings, const struct target *target, const char *option,
                       const char *value);
uint64_t target_setting_count(const struct target_settings *settings, const struct target *target, const char *option);
/* The arithmetic of the target as set. */
const struct profile *target_profile(const struct target *target, const struct target_settings *settings);

#endif
