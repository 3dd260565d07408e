/* profile.h — the arithmetic of Ascend's int8 layers, as the quantized graph of its compression tool defines it.
 *
 * Sources: the vendor's manuals of the tool (TensorFlow edition), and the registrations and CPU kernels of its four
 * operators in the public TensorFlow adapter. AscendQuant makes codes of what a layer reads, the layer adds them up,
 * AscendDequant makes reals of the sums, and everything in between is float.
 */
#ifndef ETALON_ASCEND_PROFILE_H
#define ETALON_ASCEND_PROFILE_H

#include "common/plan.h"

/* Offsets of activations, as the vendor's tool makes them by default; and all of them 0. */
extern const struct profile ascend_profile, ascend_symmetric_profile;

#endif
