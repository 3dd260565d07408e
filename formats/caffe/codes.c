/* codes.c — see codes.h. */
#include "formats/caffe/codes.h"

int caffe_note_codes(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err)
{
    return in->has_integers ? caffe_note_integers(in, layer, first, err) : caffe_note_positions(in, layer, first, err);
}
