/* schema.h — reading a YAML tree by tables of keys, with errors that name line, column and the nearest right word.
 *
 * A section is an array of fields; schema_map walks the keys of a map and calls each field's reader. Every function
 * returns 0, or -1 with EX_CONFIG in schema->err.
 */
#ifndef ETALON_SCHEMA_H
#define ETALON_SCHEMA_H

#include "coordinator/run.h"
#include "jobs/yaml_tree.h"

/* What every reading function needs. */
struct schema {
    struct arena *arena;
    const char *folder; /* of the job file: relative paths start there */
    struct run_request *request;
    struct error *err;
};

struct schema_field {
    const char *name;
    int (*read)(struct schema *r, const struct yaml *value, void *target);
    void *target;
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

int schema_map(struct schema *r, const struct yaml *map, const struct schema_field *fields, size_t n);

/* Errors: "expected <what>, found ..."; "<what> "x" does not exist; the nearest is ...". */
int schema_wrong(struct schema *r, const struct yaml *node, const char *expected);
int schema_unknown(struct schema *r, const struct yaml *node, const char *what, const char *nearest);

/* Readers of plain values; the comment says what target points to. */
int schema_text(struct schema *r, const struct yaml *node, void *target); /* const char * */
int schema_path(struct schema *r, const struct yaml *node,
                void *target); /* const char *, made absolute or beside the job */
int schema_count(struct schema *r, const struct yaml *node, void *target);  /* uint64_t */
int schema_number(struct schema *r, const struct yaml *node, void *target); /* double, finite */
int schema_truth(struct schema *r, const struct yaml *node, void *target);  /* bool */
int schema_size(struct schema *r, const struct yaml *node, void *target);   /* size_t, 1 to 65536 */

int schema_later(struct schema *r, const struct yaml *node, void *target); /* const struct yaml *: for the caller */

int schema_shape(struct schema *r, const struct yaml *node, void *target); /* struct shape: 1 to 8 dims above 0 */

/* "key=value", as --set has it; in the arena. NULL with EX_OSERR. */
const char *schema_set(struct schema *r, const char *key, const struct yaml *value);

/* One of n words; *index becomes its place. */
int schema_word(struct schema *r, const struct yaml *node, const char *what, const char *const *words, size_t n,
                size_t *index);
/* A list of at most `max` numbers, or one number alone; finite as float. */
int schema_floats(struct schema *r, const struct yaml *node, float *values, size_t max, size_t *n);

/* What is under `model:`; target is a struct model_request. In schema_model.c. */
int schema_model(struct schema *r, const struct yaml *node, void *target);

/* What is under `calibration:`; target is a struct run_request. In schema_calibration.c. */
int schema_calibration(struct schema *r, const struct yaml *node, void *target);

/* What is under `evaluate:`; target is a struct run_request. In schema_evaluate.c. */
enum { SEGMENTATION_IGNORED = 255 }; /* the label that has no class unless the job says otherwise */
int schema_evaluate(struct schema *r, const struct yaml *node, void *target);

/* What is under `target_options:`; target is a struct target_settings. In schema_targets.c. */
int schema_target_options(struct schema *r, const struct yaml *node, void *target);

/* What is under `dataset:`; target is a struct dataset_request. That of the calibration may be a limit alone: on the
 * records that the model's data layer names. In schema_dataset.c. */
int schema_dataset(struct schema *r, const struct yaml *node, void *target);
int schema_calibration_set(struct schema *r, const struct yaml *node, void *target);

/* The steps under `preprocess:`, or a preset alone; target is a struct preprocess_plan. In schema_preprocess.c. */
int schema_preprocess(struct schema *r, const struct yaml *node, void *target);
bool schema_is_preset(const struct yaml *node); /* {preset: NAME}, rather than the chains of several inputs */

#endif
