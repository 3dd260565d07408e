/* transform_steps.h — the steps that a data layer asks for, checked and added to a chain. Private to formats/caffe.
 *
 * All return 0 (or the step), or -1 (NULL) with the layer named in the error: EX_DATAERR for numbers that make no
 * sense, EX_UNAVAILABLE for more of them than a plan holds.
 */
#ifndef ETALON_CAFFE_TRANSFORM_STEPS_H
#define ETALON_CAFFE_TRANSFORM_STEPS_H

#include "formats/caffe/data.h"

struct caffe_chain {
    const struct caffe_layer *layer;
    const char *prototxt;
    struct arena *arena;
    struct preprocess_plan *plan;
    struct error *err;
};

struct preprocess_step *chain_step(struct caffe_chain *chain, enum step_kind kind);
/* Of two orders in a row the second alone matters. */
int chain_channels(struct caffe_chain *chain, enum channel_order order);
/* FIT_WARP: to height x width; the others: `height` is the side. */
int chain_resize(struct caffe_chain *chain, enum resize_fit fit, size_t height, size_t width,
                 enum resize_filter filter);
int chain_crop(struct caffe_chain *chain, size_t height, size_t width);
/* has_size: the layer names a size as well, which is an error. */
int chain_crop_fraction(struct caffe_chain *chain, float fraction, bool has_size);
/* STEP_MEAN, STEP_SCALE or STEP_DIVIDE by values[0..n), which the file calls `what`; nothing where n is 0. */
int chain_values(struct caffe_chain *chain, enum step_kind kind, const char *what, const float *values, size_t n);
/* The mean_value or the mean_file (NULL: none), not both. */
int chain_mean(struct caffe_chain *chain, const float *values, size_t n, const char *file);

#endif
