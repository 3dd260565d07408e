/* mean.h — Caffe's mean pictures: a BlobProto in binary form, as compute_image_mean writes it.
 */
#ifndef ETALON_CAFFE_MEAN_H
#define ETALON_CAFFE_MEAN_H

#include "common/error.h"
#include "common/memory.h"
#include "common/preprocess_plan.h"

#include <stdint.h>

/* Channels x height x width floats of bytes[0..size) into *file, values from the arena. Of two shapes the legacy one
 * (num, channels, height, width) wins, as in Caffe; num, or a fourth dim in front, must be 1. EX_DATAERR. */
int caffe_mean_parse(const uint8_t *bytes, size_t size, struct step_file *file, struct arena *arena, struct error *err);

#endif
