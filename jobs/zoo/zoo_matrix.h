/* zoo_matrix.h — the matrix of a ZOO.yaml: keys of a job, each with the values that every job is run with.
 */
#ifndef ETALON_ZOO_MATRIX_H
#define ETALON_ZOO_MATRIX_H

#include "jobs/schema.h"
#include "jobs/zoo/zoo.h"

enum { ZOO_MAX_AXES = 8 };

struct zoo_value {
    const struct yaml *node;
    const char *set;  /* "key=value" */
    const char *name; /* what it adds to the name of a job */
    const char *why;  /* what the first job says for which it is suspect; NULL: none was */
    bool is_good;     /* some job can be read with it, at its place or alone */
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

/* Tries the job at one place of the matrix (place[a] of axis a), whose values are sets[first..first + n_axes), unless
 * all of them are known to be good. Values may need each other, so they are judged where they stand together; one that
 * is wrong everywhere is the zoo's fault, not that of its jobs: where no job can be read at the place, but one could
 * without the matrix, those are suspect with which alone it cannot. EX_OSERR. */
int zoo_matrix_try(struct schema *r, struct zoo_matrix *matrix, const size_t *place, const struct zoo_job *job,
                   size_t first, const struct yaml *defaults);
/* After all jobs: EX_CONFIG naming line and column of the first key or value that none could be read with. */
int zoo_matrix_check(const struct schema *r, const struct zoo_matrix *matrix);

#endif
