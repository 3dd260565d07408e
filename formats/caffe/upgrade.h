/* upgrade.h — older spellings of a network in the current one. Private to formats/caffe.
 *
 * Results are shallow copies in `scratch`, which borrow strings and parameters from the parser's message. NULL with err
 * set on failure. What matters for training only (the rates of BatchNorm's params) is not upgraded.
 */
#ifndef ETALON_CAFFE_UPGRADE_H
#define ETALON_CAFFE_UPGRADE_H

#include "common/error.h"
#include "common/memory.h"

#include <caffe.pb-c.h>

/* `layers` with enumerated types: types, parameters, names of shared blobs; scale, mean_file, crop_size and mirror of a
 * data layer go to its transform_param. The type is NULL where the file has none. EX_UNAVAILABLE: before 2013. */
Caffe__LayerParameter *caffe_upgrade_layer(const Caffe__V1LayerParameter *old, struct arena *scratch,
                                           struct error *err);
/* Top-level `input`, with input_shape, input_dim or neither, as one layer of type Input. EX_DATAERR. */
Caffe__LayerParameter *caffe_upgrade_inputs(const Caffe__NetParameter *message, struct arena *scratch,
                                            struct error *err);

#endif
