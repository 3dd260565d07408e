/* codes.h — what the files of a quantized network say of codes, left with the values and nodes of the graph (struct
 * coding, struct node_coding). Private to formats/caffe.
 *
 * Two vendors' Caffe networks are quantized ones: Sophon's, whose int8umodel holds integers (integers.h), and
 * Cambricon's, whose prototxt has position and scale of what its layers read and of their weights, which are floats.
 */
#ifndef ETALON_CAFFE_CODES_H
#define ETALON_CAFFE_CODES_H

#include "formats/caffe/layers.h"
#include "formats/caffe/sharing.h"

/* After the import of a layer, whose nodes are those from `first` on. EX_DATAERR, EX_UNAVAILABLE naming the layer. */
int caffe_note_codes(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err);

/* --- codes_sophon.c --- */

int caffe_note_integers(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err);
/* After the outputs: a ReLU with codes of its input's steps computes what it would compute inside of the layer before
 * it. Takes that input's coding away where nobody else reads it, so that passes may join the two. EX_OSERR. */
int caffe_join_activations(struct caffe_import *in, struct error *err);

/* Does this blob of a layer with weights hold integers? Then their reals: integers times the weights' step, or the
 * accumulator's. */
bool caffe_holds_codes(const struct caffe_import *in, const struct caffe_layer *layer,
                       const struct caffe_stored_blob *blob);
int caffe_coded_values(const struct caffe_import *in, const struct caffe_layer *layer,
                       const struct caffe_stored_blob *blob, const struct shape *shape, const float **values,
                       struct error *err);

/* --- codes_cambricon.c --- */

int caffe_note_positions(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err);

#endif
