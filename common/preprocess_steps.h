/* preprocess_steps.h — the words of preprocessing: every kind of step, its keys in a job file, and where in a struct
 * preprocess_step the value of each lies.
 *
 * Reading a job (jobs/schema_preprocess.c), printing and fingerprints (preprocess_text.c) walk this table, so a new
 * kind of step is one row in it, one line in enum step_kind and one file in worker/preprocess/.
 */
#ifndef ETALON_PREPROCESS_STEPS_H
#define ETALON_PREPROCESS_STEPS_H

#include "common/preprocess_plan.h"

#include <stdbool.h>

enum step_key_type {
    KEY_SIZE,   /* size_t, 1 to 65536 */
    KEY_OFFSET, /* size_t, 0 to 65536 */
    KEY_FLOAT,  /* float, finite */
    KEY_FLOATS, /* step->values, step->n_values; the offset is not looked at */
    KEY_WORD,   /* an enum */
    KEY_FILE,   /* struct step_file, of which the path is read */
};

struct step_word {
    const char *name;
    int value; /* several words may stand for one value: the first is printed */
};

enum { ANY_FORM = -1 };

struct step_key {
    const char *name; /* NULL: the step has this value alone, directly behind its own name */
    enum step_key_type type;
    size_t offset;
    int form; /* the key belongs to this form of the step, and chooses it; ANY_FORM */
    enum {
        KEY_REQUIRED,
        KEY_SHOWN,
        KEY_OPTIONAL
    } use;                         /* SHOWN: has a default, which is printed, too; OPTIONAL: the
                                      default is 0, and only other values are printed */
    const char *what;              /* KEY_WORD: what the words are, for messages */
    const struct step_word *words; /* KEY_WORD: up to a NULL name */
};

enum { STEP_MAX_KEYS = 8 };

struct step_description {
    const char *name;
    const char *needs;  /* which keys must stand together: "either height and width, or short, or side" */
    size_t form_offset; /* of an enum in the step; only where keys have forms */
    struct step_key keys[STEP_MAX_KEYS];
    size_t n_keys;
};

extern const struct step_description step_descriptions[N_STEP_KINDS];

extern const struct step_word resize_filter_words[], preset_words[];
/* The first word for the value. */
const char *step_word(const struct step_word *words, int value);

#endif
