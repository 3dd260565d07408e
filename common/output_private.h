/* output_private.h — shared by the files of the output folder: output_folder.c, output_sweep.c, output.c. */
#ifndef ETALON_OUTPUT_PRIVATE_H
#define ETALON_OUTPUT_PRIVATE_H

#include "common/output.h"

#include <limits.h>

/* The file being written. */
struct pending {
    char name[PATH_MAX]; /* relative to the output folder */
    const char *base;    /* its last part */
    int dir;             /* the folder it lives in; -1: not opened */
    char temporary[NAME_MAX + 1];
    char path[PATH_MAX]; /* of the temporary, for those who open files by path */
};

struct output {
    char *folder;
    size_t made_at; /* folder[0 .. made_at) is the outermost folder that we made; 0: all were there */
    int dir, lock;
    char key[OUTPUT_KEY_BYTES]; /* where we hold no lock: the text of the one we write under */
    bool is_pending, keeps_files;
    struct pending pending;
    struct output_file *files;
    size_t n_files, files_capacity;
};

/* Is the folder still our run's? */
bool output_is_held(const struct output *output);
/* EX_CANTCREAT where it is not. */
int output_check_lock(const struct output *output, struct error *err);

/* Removes temporaries from the folder `dir`, whose lock we hold, and `depth` levels below it: those of the file `only`
 * if it is not NULL. Nothing depends on success: a temporary that stays is only in the way of the eye. */
void output_sweep(int dir, int depth, const char *only);

#endif
