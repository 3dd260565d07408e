/* cambricon.h — what the files of the targets cambricon-* share. Private to formats/cambricon.
 *
 * For these chips to quantize is to publish parameters: weights stay float32, and the vendor's compiler makes integers
 * of them by q = round(S x), S = largest code / threshold, one S for what a layer reads and one, or one an output
 * channel, for its weights. PyTorch's checkpoint holds S itself, Caffe's prototxt S as scale / 2^position.
 */
#ifndef ETALON_CAMBRICON_H
#define ETALON_CAMBRICON_H

#include "formats/cambricon/module.h"
#include "formats/cambricon/profile.h"
#include "formats/target.h"

/* The bits of codes and weights: 8 or 16. */
int cambricon_bits(const struct plan *plan);

/* --- checkpoint.c: <base>.pth --- */

int cambricon_write_checkpoint(const struct plan *plan, const struct module *m, const char *name, struct output *output,
                               struct error *err);

/* --- read.c --- */

/* The weights of a checkpoint, and what it says of codes, in the network that it was written for, normalised.
 * EX_NOINPUT, EX_DATAERR: damaged, or of another network; EX_UNAVAILABLE: codes that are not symmetric, a network that
 * is no module.
 */
int cambricon_read_checkpoint(struct graph *network, const char *path, struct error *err);

/* --- caffe.c: <base>.prototxt, <base>_fp32.prototxt, <base>.caffemodel --- */

/* `graph`: the plan's, with its biases. EX_UNAVAILABLE naming a node that Caffe cannot express. */
int cambricon_write_caffe(const struct plan *plan, const struct graph *graph, const char *base, struct output *output,
                          struct error *err);

/* --- describe.c: io.json --- */

int cambricon_write_description(const struct plan *plan, const struct emit_info *info, bool has_module, bool has_caffe,
                                const char *name, struct output *output, struct error *err);

/* --- scripts.c: README, genoff.py, build_offline.sh --- */

int cambricon_write_scripts(const struct plan *plan, const struct emit_info *info, const char *folder,
                            struct output *output, struct error *err);

#endif
