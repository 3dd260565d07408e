/* checkpoint_files_private.h — what checkpoint_files.c and checkpoint_load.c share: where the files are. */
#ifndef ETALON_CHECKPOINT_FILES_PRIVATE_H
#define ETALON_CHECKPOINT_FILES_PRIVATE_H

#include "coordinator/checkpoint_files.h"

#define CHECKPOINT_FOLDER "checkpoint"
enum { CHECKPOINT_GENERATIONS = 2, CHECKPOINT_NAME_BYTES = 64 };

/* Below the output folder: of a whole one or an index, and of shard k. */
void checkpoint_files_name(size_t generation, char name[CHECKPOINT_NAME_BYTES]);
void checkpoint_files_name_shard(size_t generation, size_t k, char name[CHECKPOINT_NAME_BYTES]);

#endif
