/* integers.h — what Sophon's int8umodel says of a layer's codes. Private to formats/caffe.
 *
 * The file is a .caffemodel whose quantized layers hold integers in place of floats, the right shift that brings their
 * sums to codes of the output, and, of every layer, what codes of its bottoms and tops are worth. Field numbers: the
 * vendor's public schema, package ufw. They are looked at only in files that hold integers: to other forks of Caffe
 * they may mean something else.
 */
#ifndef ETALON_CAFFE_INTEGERS_H
#define ETALON_CAFFE_INTEGERS_H

#include "common/requantize.h"
#include "formats/caffe/weights.h"

struct caffe_layer_codes {
    bool is_listed;              /* the file has a layer of this name; else all is zero */
    bool is_float;               /* forward_with_float: whatever has codes, it computes on reals */
    size_t n_inputs, n_outputs;  /* steps that the file gives: none, or one a bottom (top) from the first on */
    const float *input, *output; /* what a step of the codes is worth; finite, >= 0; 0: there are no codes */
    size_t n_operands;
    const struct multiplier *operands; /* what brings each bottom to the steps of the output; shifts 0 to 31 */
};

/* Does any blob of the file hold integers? */
bool caffe_weights_hold_integers(const struct caffe_weights *weights);

/* Read once, into `arena`, which must outlive the weights; NULL on failure. EX_DATAERR: malformed, a step that is none;
 * EX_UNAVAILABLE: unsigned codes, scales per channel, which this chip does not have. */
const struct caffe_layer_codes *caffe_layer_codes(struct caffe_weights *weights, const char *layer, struct arena *arena,
                                                  struct error *err);

/* Does blob `index` hold integers? False where there is no such blob. */
bool caffe_blob_is_coded(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index);
/* Its right_shift_num. EX_DATAERR unless 0 to 31; where none is set too. */
int caffe_blob_shift(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                     int *shift, struct error *err);
/* Its integers times `step`, as floats in `arena`; otherwise like caffe_weights_read. EX_UNAVAILABLE: one of more than
 * 22 bits, which could not be told from its product again. */
int caffe_blob_read_coded(const struct caffe_weights *weights, const struct caffe_layer_weights *layer, size_t index,
                          const struct shape *expected, float step, struct arena *arena, const float **values,
                          struct error *err);

#endif
