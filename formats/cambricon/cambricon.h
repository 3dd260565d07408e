/* cambricon.h — what the files of the targets cambricon-* share. Private to formats/cambricon.
 *
 * For these chips to quantize is to publish parameters: weights stay float32, and the vendor's compiler makes integers
 * of them by q = round(S x), S = largest code / threshold, one S for what a layer reads and one, or one an output
 * channel, for its weights. PyTorch's checkpoint holds S itself, Caffe's prototxt S as scale / 2^position; only
 * TensorFlow's graph holds integers, beside S. Each of these is a flow: a way to the chip with files of its own.
 */
#ifndef ETALON_CAMBRICON_H
#define ETALON_CAMBRICON_H

#include "formats/cambricon/firstconv.h"
#include "formats/cambricon/module.h"
#include "formats/cambricon/profile.h"
#include "formats/target.h"

enum { CAMBRICON_NAME_BYTES = 512 };

/* One emission. */
struct cambricon {
    const struct plan *plan;
    const struct emit_info *info;
    struct output *output;
    const struct graph *graph;       /* the plan's, with its biases */
    const char *folder;              /* the target's name */
    char base[CAMBRICON_NAME_BYTES]; /* <folder>/<name>_int<bits> */
    int bits;                        /* of codes and weights: 8 or 16 */
    const struct firstconv *first;   /* NULL: it was not asked for */
    /* Whose files there are. */
    bool has_pytorch, has_caffe, has_tensorflow;
};

/* 1 / step in double, stored as a float: S. */
float cambricon_factor(float step);
/* One step for weights[0..n): that of a node's only scale, or the least that clips no weight. */
float cambricon_tensor_step(const struct plan *plan, const struct plan_node *p, const float *weights, size_t n);

/* --- The flows. EX_UNAVAILABLE naming what a flow cannot express. --- */

/* checkpoint.c: <base>.pth, the state_dict of a module that was made of c->graph */
int cambricon_write_checkpoint(const struct cambricon *c, const struct module *m, struct error *err);
/* caffe.c: <base>.prototxt, <base>_fp32.prototxt, <base>.caffemodel */
int cambricon_write_caffe(const struct cambricon *c, struct error *err);
/* tensorflow.c: <name>_tf.pb, <base>_tf.pb, fppb_to_intpb.ini, <base>_tf.txt */
int cambricon_write_tensorflow(const struct cambricon *c, struct error *err);

/* --- read.c --- */

/* The weights of a checkpoint, and what it says of codes, in the network that it was written for, normalised.
 * EX_NOINPUT, EX_DATAERR: damaged, or of another network; EX_UNAVAILABLE: codes that are not symmetric, a network that
 * is no module.
 */
int cambricon_read_checkpoint(struct graph *network, const char *path, struct error *err);

/* --- What goes with them, once it is known which there are --- */

/* describe.c: io.json */
int cambricon_write_description(const struct cambricon *c, struct error *err);
/* scripts.c: README.md, genoff.py, build_offline.sh */
int cambricon_write_scripts(const struct cambricon *c, struct error *err);

#endif
