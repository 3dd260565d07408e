/* mean_file.h — files that hold the mean picture of a data set: Caffe's .binaryproto, and NumPy's .npy.
 */
#ifndef ETALON_MEAN_FILE_H
#define ETALON_MEAN_FILE_H

#include "common/error.h"
#include "common/memory.h"
#include "common/preprocess_plan.h"

/* Fills the sizes and `values` of *file, whose path is given, from the arena. The name's ending ".npy" says that the
 * file is one, of channels x height x width, of height x width, or of a value a channel; else it is a BlobProto.
 * EX_NOINPUT; EX_DATAERR: another kind of file, sizes that do not fit the number of values, more than one picture, NaN
 * or infinity. */
int mean_file_read(struct step_file *file, struct arena *arena, struct error *err);

#endif
