/* emit.h — what writes TNN models, quantized (emit.c) or float (export.c), shares with itself, and with nobody else.
 *
 * The walk: emit_model.c names blobs and layers, then takes the nodes in order; for each it finds the operator's
 * function here (emit_*.c), which writes one layer, or two where TNN has no single one, through a tnn_writer. Failures
 * are latched there.
 */
#ifndef ETALON_TNN_EMIT_H
#define ETALON_TNN_EMIT_H

#include "common/plan.h"
#include "formats/tnn/writer.h"

struct tnn_emit {
    const struct plan *plan;
    const struct graph *graph;
    struct arena *arena; /* names */
    struct tnn_writer writer;
    const char **blobs;  /* [n_values] */
    int *owner;          /* [n_values]: whose blob it is; another's where a node needs no layer, else its own */
    bool *has_scale;     /* [n_values]: the scale of the blob that the value owns is in the file */
    const char **layers; /* [n_nodes] */
    bool *is_absorbed;   /* [n_nodes]: needs no layer: an identity, a reshape before an inner product, which flattens
                          * by itself */
};

static inline size_t tnn_index(const struct tnn_emit *e, const struct node *node)
{
    return (size_t)(node - e->graph->nodes);
}
static inline const char *tnn_layer_name(const struct tnn_emit *e, const struct node *node)
{
    return e->layers[tnn_index(e, node)];
}
static inline const struct shape *tnn_value_shape(const struct tnn_emit *e, int value)
{
    return &e->graph->values[value].shape;
}

extern const struct profile tnn_profile;
extern const struct profile tnn_tool_profile; /* the same arithmetic, and the decisions of TNN's own tool */

/* Does an inner product alone read the value? It flattens by itself. */
bool tnn_feeds_only_dense(const struct graph *graph, int value);

/* --- names.c --- */

/* Fills blobs and layers: the graph's names; where TNN could not read them, near ones with the index behind. */
int tnn_choose_names(struct tnn_emit *e, struct error *err);
/* A name for something between two layers: "<base>_<what>", free among values and nodes. NULL after latching. */
const char *tnn_fresh_name(struct tnn_emit *e, const char *base, const char *what);

/* --- emit_model.c --- */

/* Both files in memory, to be freed with free(). A plan with nothing quantized gives a float model. EX_UNAVAILABLE
 * naming the node. */
int tnn_write_model(const struct plan *plan, struct buffer *proto, struct buffer *model, struct error *err);

/* Is the node computed on codes? Then all its activations have scales. */
bool tnn_is_integer(const struct tnn_emit *e, const struct node *node);
/* EX_UNAVAILABLE; emit_model.c puts the node's name in front, as before all that fails on the way. */
void tnn_cannot(struct tnn_emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One layer with the node's (first) input and output; parameters and tnn_layer_end follow. */
void tnn_simple_layer(struct tnn_emit *e, const struct node *node, const char *type);
/* The scale of `value` for a blob: its own (written once), or one under another name with the same scale. */
void tnn_put_scale(struct tnn_emit *e, int value);
void tnn_put_scale_as(struct tnn_emit *e, int value, const char *blob);

/* Where a node's own layer writes to: the output's blob, or, where an activation must follow in a layer of its own, one
 * before it. tnn_finish_activation writes that layer. `expressed`: the layer takes care of the fused activation itself.
 */
const char *tnn_output_before(struct tnn_emit *e, const struct node *node, bool expressed);
void tnn_finish_activation(struct tnn_emit *e, const struct node *node, const char *blob);

/* --- emit_*.c: one function an operator --- */
void tnn_emit_conv(struct tnn_emit *e, const struct node *node);
void tnn_emit_dense(struct tnn_emit *e, const struct node *node);
void tnn_emit_matmul(struct tnn_emit *e, const struct node *node);
void tnn_emit_pool(struct tnn_emit *e, const struct node *node);
void tnn_emit_activation(struct tnn_emit *e, const struct node *node);
void tnn_emit_prelu(struct tnn_emit *e, const struct node *node);
void tnn_emit_binary(struct tnn_emit *e, const struct node *node);
void tnn_emit_concat(struct tnn_emit *e, const struct node *node);
void tnn_emit_softmax(struct tnn_emit *e, const struct node *node);
void tnn_emit_normalize(struct tnn_emit *e, const struct node *node);
void tnn_emit_lrn(struct tnn_emit *e, const struct node *node);
void tnn_emit_reduce(struct tnn_emit *e, const struct node *node);
void tnn_emit_reshape(struct tnn_emit *e, const struct node *node);
void tnn_emit_transpose(struct tnn_emit *e, const struct node *node);
void tnn_emit_slice(struct tnn_emit *e, const struct node *node);
void tnn_emit_pad(struct tnn_emit *e, const struct node *node);
void tnn_emit_resize(struct tnn_emit *e, const struct node *node);
void tnn_emit_layer_norm(struct tnn_emit *e, const struct node *node);

/* A constant as a blob of its own, <base>_<what>, for layers that take one as an input. NULL after latching. */
const char *tnn_put_const(struct tnn_emit *e, const char *base, const char *what, const struct shape *shape,
                          const float *data);

/* An activation layer between two blobs (ReLU on codes where is_quantized). */
void tnn_put_activation(struct tnn_emit *e, struct activation activation, bool is_quantized, const char *name,
                        const char *from, const char *to);
/* A layer of two blobs, which broadcast by numpy's rule. */
void tnn_put_binary(struct tnn_emit *e, const char *type, const char *name, const char *a, const char *b,
                    const char *to);
/* y = (scale x + shift)^exponent */
void tnn_put_power(struct tnn_emit *e, const char *name, const char *from, const char *to, float exponent, float scale,
                   float shift);
/* A Reduce layer over axes (as bits) of a blob of `rank` axes. */
void tnn_put_reduce(struct tnn_emit *e, const char *type, const char *name, const char *from, const char *to,
                    uint32_t axes, size_t rank, bool keep_dims);
void tnn_put_pair(struct tnn_emit *e, const int64_t pair[2]);

/* Windows over one axis are those of an image of one row: its shape; the blob that the node's window reads, and the one
 * that it makes for `to`; then, where that is another, `to` of it. emit_window.c. */
struct shape tnn_as_image(const struct shape *x);
const char *tnn_image_input(struct tnn_emit *e, const struct node *node);
const char *tnn_image_output(struct tnn_emit *e, const struct node *node, const char *to);
void tnn_finish_image(struct tnn_emit *e, const struct node *node, const char *made, const char *to);
/* A Pad layer around an image, as far as the window's pads, between two blobs. */
void tnn_put_image_pad(struct tnn_emit *e, const char *name, const char *from, const char *to, const struct window *w,
                       float value);
/* The blob in another shape, whose batch is the same. */
void tnn_put_reshape(struct tnn_emit *e, const char *name, const char *from, const char *to, const struct shape *y);

#endif
