/* layers.h — what the importer knows about each layer type, and how a layer becomes nodes. Private to formats/caffe.
 *
 * A new layer is one function in one of the layers_*.c files and one row in layers.c.
 */
#ifndef ETALON_CAFFE_LAYERS_H
#define ETALON_CAFFE_LAYERS_H

#include "common/graph.h"
#include "formats/caffe/weights.h"
#include "formats/model.h"
#include "formats/torch/weights.h"

#include <caffe.pb-c.h>

struct caffe_sharing;
struct caffe_wiring;

/* One import under way. */
struct caffe_import {
    const struct model_request *request;
    struct graph *graph;
    struct caffe_weights *weights;    /* a .caffemodel; NULL: the job names none */
    struct torch_weights *checkpoint; /* a PyTorch checkpoint instead of it; NULL: none */
    struct caffe_wiring *wiring;
    struct caffe_sharing *sharing;
    bool has_integers;      /* `weights` is an int8umodel: integers.h */
    float int8_scale;       /* that the prototxt states for the input, 0: none */
    int64_t declared_batch; /* dims[0] of the inputs as the file states it; 1 in the graph */
};

/* One layer of it, with its bottoms resolved. */
struct caffe_layer {
    const Caffe__LayerParameter *param;
    const char *name, *type;
    size_t n_bottoms, n_tops;
    const int *bottoms; /* value indices */
    const int *tops;    /* indices into wiring->blobs */
};

enum caffe_role {
    CAFFE_COMPUTES,
    CAFFE_INPUT,     /* every top is an input of the network */
    CAFFE_DATA,      /* the first top is an input; the others are labels unless the job names them as inputs */
    CAFFE_REPEATS,   /* tops equal the bottom: no node when it works in place */
    CAFFE_LOSS_HEAD, /* computes its prediction from the first bottom; the others are labels. Of two tops the first is
                      * the loss, which is left out, the second the prediction */
    CAFFE_MEASURES,  /* accuracy, losses: left out; its bottoms count as unread */
    CAFFE_DECODES,   /* turns the network's results into boxes or classes, in float, behind it: left out likewise */
    CAFFE_SWALLOWS,  /* left out; its bottoms count as read */
    CAFFE_REFUSED,   /* known, and not supported */
};

struct caffe_kind {
    const char *type;
    enum caffe_role role;
    /* Adds the layer's nodes and binds its tops. NULL for roles that are left out or refused. */
    int (*import)(struct caffe_import *in, const struct caffe_layer *layer, struct error *err);
    const char *reason; /* CAFFE_REFUSED: why, to follow a colon */
};

const struct caffe_kind *caffe_kind_find(const char *type); /* NULL: unknown */

#define CAFFE_LAYER(name) int name(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)

CAFFE_LAYER(caffe_input); /* inputs.c: Input and all data layers */

/* layers_window.c */
CAFFE_LAYER(caffe_convolution); /* also depthwise */
CAFFE_LAYER(caffe_deconvolution);
CAFFE_LAYER(caffe_pooling);
CAFFE_LAYER(caffe_spp);

/* layers_normalize.c */
CAFFE_LAYER(caffe_lrn);
CAFFE_LAYER(caffe_mvn);
CAFFE_LAYER(caffe_l2_normalize);

/* layers_dense.c */
CAFFE_LAYER(caffe_inner_product);
CAFFE_LAYER(caffe_matmul);

/* layers_affine.c */
CAFFE_LAYER(caffe_batch_norm);
CAFFE_LAYER(caffe_bn);
CAFFE_LAYER(caffe_scale);
CAFFE_LAYER(caffe_bias);

/* layers_pointwise.c */
CAFFE_LAYER(caffe_identity);
CAFFE_LAYER(caffe_relu);
CAFFE_LAYER(caffe_relu6);
CAFFE_LAYER(caffe_prelu);
CAFFE_LAYER(caffe_elu);
CAFFE_LAYER(caffe_sigmoid);
CAFFE_LAYER(caffe_tanh);
CAFFE_LAYER(caffe_power);
CAFFE_LAYER(caffe_exp);
CAFFE_LAYER(caffe_log);
CAFFE_LAYER(caffe_abs);
CAFFE_LAYER(caffe_bnll);
CAFFE_LAYER(caffe_swish);
CAFFE_LAYER(caffe_clip);

/* layers_combine.c */
CAFFE_LAYER(caffe_eltwise);
CAFFE_LAYER(caffe_axpy);

/* layers_shape.c */
CAFFE_LAYER(caffe_concat);
CAFFE_LAYER(caffe_slice);
CAFFE_LAYER(caffe_softmax);
CAFFE_LAYER(caffe_flatten);
CAFFE_LAYER(caffe_reshape);
CAFFE_LAYER(caffe_permute);
CAFFE_LAYER(caffe_reduction);

/* layers_rearrange.c */
CAFFE_LAYER(caffe_shuffle_channel);
CAFFE_LAYER(caffe_reorg);
CAFFE_LAYER(caffe_reverse);
CAFFE_LAYER(caffe_tile);
CAFFE_LAYER(caffe_crop);
CAFFE_LAYER(caffe_padding);

/* layers_resize.c */
CAFFE_LAYER(caffe_interp);
CAFFE_LAYER(caffe_upsample);

/* layers_constant.c */
CAFFE_LAYER(caffe_prior_box);
CAFFE_LAYER(caffe_parameter);

#endif
