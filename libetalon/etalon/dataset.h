/* etalon/dataset.h — writes calibration sets from a program of your own.
 *
 * For networks whose input is not a file: the later stages of a cascade see what the earlier ones found. Run the
 * earlier stages yourself, append what the next one is given, and name the result in a job of `etalon calibrate`:
 *
 *     struct etalon_error error;
 *     struct etalon_dataset *set = etalon_dataset_create("crops_lmdb", &error);
 *     struct etalon_tensor crop = {"data", pixels, 3, {3, 24, 24}};
 *
 *     for (each proposal of the first stage)
 *         etalon_dataset_append(set, picture_name, label, &crop, 1, &error);
 *     etalon_dataset_commit(set, &error);
 *
 *     dataset: {kind: lmdb, path: crops_lmdb}
 *
 * Values are written as they are: preprocess before you append, or leave it to the job's `preprocess`. The set is an
 * LMDB of Caffe Datum messages with float_data, which other tools read, too. It appears with the commit, whole: a
 * program that is killed leaves a hidden `.<name>.<pid>.tmp`, and no set.
 *
 * Handles are independent of each other; one handle is used by one thread at a time. Under MPI each rank writes a set
 * of its own. Link with `pkg-config --libs etalon`.
 */
#ifndef ETALON_PUBLIC_DATASET_H
#define ETALON_PUBLIC_DATASET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* the rest of the library is built hidden */

enum { ETALON_MAX_RANK = 8, ETALON_MAX_TENSORS = 16, ETALON_ERROR_BYTES = 1024 };

/* What went wrong, as a sentence. The code is one of <sysexits.h>: 64 a wrong call (the set can be gone on with), 71 no
 * memory, 73 the folder exists or cannot be created, 74 the disk failed or is full. */
struct etalon_error {
    int code;
    char text[ETALON_ERROR_BYTES];
};

/* One input of the network for one record. */
struct etalon_tensor {
    const char *name; /* of the input, borrowed during the call; NULL is allowed where there is only one */
    const float
        *values; /* row-major, borrowed during the call; NaN and Inf make the record a bad one when it is read */
    size_t rank; /* 1 to 8, without the batch dim: 3 for an image, channels x height x width */
    int64_t dims[ETALON_MAX_RANK];
};

struct etalon_dataset;

/* A new set. `folder` must not exist; its parent must. NULL with *error (which may be NULL, as everywhere here). */
struct etalon_dataset *etalon_dataset_create(const char *folder, struct etalon_error *error);

/* Adds a record. Records are read in the order in which they were added; `name` is what reports call it (NULL: its
 * number alone; at most 470 bytes), label -1 means none. The number of tensors, their names and dims are those of the
 * first record. With one tensor the folder is the LMDB; with several it holds one for each, under its name (bytes other
 * than letters, digits, '.', '_' and '-' become '_'), for a job's `dataset.inputs`. 0, or -1 with *error: after another
 * code than 64 the set can only be cancelled. */
int etalon_dataset_append(struct etalon_dataset *dataset, const char *name, int32_t label,
                          const struct etalon_tensor *tensors, size_t n_tensors, struct etalon_error *error);

/* Waits until all of it is on the disk, makes it visible, and ends the handle, also on failure; then nothing is left
 * behind. A set without records is refused (64). */
int etalon_dataset_commit(struct etalon_dataset *dataset, struct etalon_error *error);

/* Removes what was written and ends the handle. NULL is allowed. */
void etalon_dataset_cancel(struct etalon_dataset *dataset);

/* "0.1.0": of the library that is running. */
const char *etalon_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
