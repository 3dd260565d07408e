/* dataset_private.h — an opened dataset, shared by dataset.c (reading) and dataset_match.c (several inputs). */
#ifndef ETALON_DATASET_PRIVATE_H
#define ETALON_DATASET_PRIVATE_H

#include "formats/record.h"

struct dataset_part { /* one input */
    const struct record_kind *kind;
    void *state;
    uint64_t n_records;
    char *path, *name;  /* path: for messages; name: NULL in a plain dataset */
    uint64_t *ordinals; /* [dataset->n_records]: where record i of the dataset lies here; NULL: at i */
};

struct dataset {
    size_t n_parts;
    struct dataset_part *parts;
    uint64_t n_records;
};

struct dataset_cursor {
    struct dataset *dataset;
    void *positions[DATASET_MAX_INPUTS]; /* the kinds' own; NULL where a kind has no cursors */
};

/* Finds for each record of the first part the records of the others with its name, and sets their ordinals. EX_DATAERR
 * naming what one part has and another has not, or has twice. */
int dataset_match(struct dataset *dataset, struct error *err);

#endif
