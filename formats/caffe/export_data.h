/* export_data.h — the end of a network that reads and measures itself: a data layer in front, accuracies behind.
 * Private to formats/caffe.
 */
#ifndef ETALON_CAFFE_EXPORT_DATA_H
#define ETALON_CAFFE_EXPORT_DATA_H

#include "formats/caffe/write.h"
#include "formats/model_data.h"

/* Turns the Input layers of writer->net into Data layers. The first reads and transforms what `data` says; where that
 * says nothing, and of further inputs, the source is an LMDB called <input>_lmdb, for the user to write the real path
 * in. 0 or -1: EX_UNAVAILABLE, a step or a dataset that no Data layer knows. */
int caffe_use_data_layers(struct caffe_writer *w, const struct model_data *data, struct error *err);

/* Top-1 and, of five classes or more, top-5 accuracy of the first output, against the labels of the first Data layer.
 * EX_UNAVAILABLE: that output is no list of classes. */
int caffe_put_accuracy(struct caffe_writer *w, struct error *err);

/* The chain as a transform_param: its flat fields where they express it, else a list of Sophon's transform_op. What
 * caffe_transform reads of it is the same chain, with `channels: bgr` in front where it names no order and the network
 * has three channels. NULL with EX_UNAVAILABLE: a step that it has no form for. In the writer's arena. */
Caffe__TransformationParameter *caffe_put_transform(struct caffe_writer *w, const struct preprocess_plan *plan,
                                                    struct error *err);

#endif
