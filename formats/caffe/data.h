/* data.h — a data layer as the description of a dataset and of its preprocessing. Private to formats/caffe.
 */
#ifndef ETALON_CAFFE_DATA_H
#define ETALON_CAFFE_DATA_H

#include "formats/caffe/layers.h"
#include "formats/model_data.h"

/* See formats/model.h. */
int caffe_describe_data(const struct model_request *request, const struct graph *graph, unsigned parts,
                        struct model_data *data, struct error *err);

/* Channels, height and width of the first record of the layer's dataset. */
int caffe_peek_record(const struct caffe_layer *layer, const char *prototxt, int64_t chw[3], struct error *err);

/* The file that a prototxt calls `name`: beside `prototxt`, or, where only that exists, in the current folder (Caffe
 * knows no other). In the arena; NULL: no memory. */
const char *caffe_find_path(const char *prototxt, const char *name, struct arena *arena, struct error *err);

/* What `layer` does to its records, as steps: those of its transform_param, in Caffe's order or, of a transform_op
 * list, in the list's; in front of them the channels in Caffe's order and an ImageData layer's own resizing. `channels`
 * is what the network wants, 0: it takes no image. EX_DATAERR: both forms at once, contradictions; EX_UNAVAILABLE:
 * what no step of ours does. Messages name the layer. */
int caffe_transform(const struct caffe_layer *layer, const char *prototxt, size_t channels, struct arena *arena,
                    struct preprocess_plan *plan, struct error *err);

/* Filters as the interp_mode of a resize_param names them. */
enum { CAFFE_INTERPOLATIONS = 5 };
extern const struct caffe_interpolation {
    Caffe__ResizeParameter__InterpMode mode;
    enum resize_filter filter;
} caffe_interpolations[CAFFE_INTERPOLATIONS];

#endif
