/* zoo_matrix.h — the matrix of a ZOO.yaml: keys of a job, each with the values that every job is run with.
 */
#ifndef ETALON_ZOO_MATRIX_H
#define ETALON_ZOO_MATRIX_H

#include "jobs/schema.h"

enum { ZOO_MAX_AXES = 8 };

struct zoo_value {
    const struct yaml *node;
    const char *set;  /* "key=value" */
    const char *name; /* what it adds to the name of a job */
    const char *why;  /* the first job that could be read but for it says this; NULL: none was asked yet */
    bool is_good;     /* some job can be read with it */
};

struct zoo_axis {
    const struct yaml *key;
    size_t n; /* at least 1 */
    struct zoo_value *values;
};

struct zoo_matrix {
    size_t n_axes; /* 0: each job once */
    struct zoo_axis axes[ZOO_MAX_AXES];
};

/* From what stands under `matrix:`; NULL: nothing. Lives in the schema's arena. EX_CONFIG with line and column. */
int zoo_matrix_read(struct schema *r, const struct yaml *node, struct zoo_matrix *matrix);

/* Reads the job of a file with sets[0..n_sets), and, if that can be read, once more with each value that no job could
 * be read with so far: a word that is wrong everywhere is the zoo's fault, not that of its jobs. EX_OSERR. */
int zoo_matrix_try(struct schema *r, struct zoo_matrix *matrix, const char *file, const struct yaml *defaults,
                   const char *const *sets, size_t n_sets);
/* After all jobs: EX_CONFIG naming line and column of the first key or value that none could be read with. */
int zoo_matrix_check(const struct schema *r, const struct zoo_matrix *matrix);

#endif
