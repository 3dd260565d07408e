/* ascend.h — what the files of the target share: a record of scales, and a GraphDef that it is applied to.
 *
 *   plan + folded GraphDef  -> record      record.c      (what a calibration decided, as the vendor's tool writes it)
 *   record + GraphDef       -> layers      layers.c      (found, checked)
 *   layers                  -> GraphDef    quantize.c    (with the vendor's operators, or with TensorFlow's own)
 *
 * So a record that somebody else wrote and one of ours are applied by the same hands, to our GraphDef or the user's.
 */
#ifndef ETALON_ASCEND_H
#define ETALON_ASCEND_H

#include "common/output.h"
#include "common/plan.h"
#include "formats/tensorflow/tf_import.h"
#include "formats/tensorflow/tf_write.h"

#include <ascend.pb-c.h>

/* --- layers.c --- */

/* An operator of the file that takes scales. */
struct ascend_operator {
    const char *type;
    size_t data;           /* which input is quantized */
    size_t weights;        /* which input holds weights; NO_WEIGHTS: pools */
    size_t rank;           /* of the weights */
    size_t first, n_along; /* axes of the weights that run over output channels; 0 of them: one scale only */
};
enum { ASCEND_NO_WEIGHTS = 99 };
const struct ascend_operator *ascend_operator_find(const char *type); /* NULL: it takes none */

/* A node of the file with the scales that its record gives. */
struct ascend_layer {
    const struct ascend_operator *kind;
    const Ascend__SingleLayerRecord *scales;
    size_t node, filter; /* in the file: the layer, and the Const behind its weights */
    struct shape shape;  /* of the weights */
    const void *weights; /* float32, as the file has them: not always aligned */
    size_t channels;     /* output channels, 1 where there is one scale; that of element i is i / inner % channels */
    size_t inner;
};

struct ascend_layers {
    struct tf_names names; /* of the file's nodes */
    size_t n;
    struct ascend_layer *layers; /* in the order of the file */
    size_t *of_node;             /* [n_nodes] 1 + index of its layer; 0: none */
    size_t *of_filter;           /* [n_nodes] the same for nodes that hand weights to a layer */
    size_t *readers;             /* [n_nodes] edges that begin there */
};

/* Finds the layers of a record among the nodes written so far, and checks that they are what the scales need: constant
 * float weights that nothing else reads. Memory is the writer's, but for names: ascend_layers_fini. EX_DATAERR: no such
 * node, scales of another number; EX_UNAVAILABLE: an operator or weights that take no scales. The layer is named. */
int ascend_layers_find(struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, struct ascend_layers *out,
                       struct error *err);
void ascend_layers_fini(struct ascend_layers *layers);

/* --- record.c --- */

/* The scales of all quantized layers, by the names that their nodes have in `w` (tf_write_graph of the plan's graph).
 * Lives in the writer. NULL: err. */
Ascend__ScaleOffsetRecord *ascend_record_of_plan(struct tf_writer *w, const struct plan *plan, struct error *err);
/* The same by the names of the graph's nodes, each once: what the ONNX edition calls layers. */
Ascend__ScaleOffsetRecord *ascend_record_of_nodes(const struct plan *plan, struct arena *arena, struct error *err);
/* <folder>/record.txt */
int ascend_record_write(const Ascend__ScaleOffsetRecord *record, struct output *output, const char *folder,
                        struct error *err);
/* Freed with proto_free. NULL with EX_NOINPUT, EX_DATAERR (no record, scales that are not finite and positive, offsets
 * out of range, a layer twice), EX_OSERR; the message begins with the path. */
Ascend__ScaleOffsetRecord *ascend_record_read(const char *path, struct error *err);

/* --- quantize.c --- */

enum ascend_style {
    ASCEND_OPERATORS, /* AscendQuant, AscendWeightQuant, AscendDequant */
    ASCEND_PLAIN,     /* fake quantization that stock TensorFlow runs */
};

/* Puts quantization around the layers of `record`; the errors of ascend_layers_find. */
int ascend_quantize(struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, enum ascend_style style,
                    struct error *err);

/* --- describe.c --- */

/* <folder>/<model_name>_quant.json: the nodes of a quantized file and what they were before. */
int ascend_write_map(const struct tf_writer *w, struct output *output, const char *folder, const char *model_name,
                     struct error *err);
/* <folder>/config.json: which layers are quantized, in the vendor's words; `w` before ascend_quantize. */
int ascend_write_config(const struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, struct output *output,
                        const char *folder, struct error *err);

/* --- readme.c --- */

/* README.md; `w` as tf_write_graph has left it. */
int ascend_write_readme(const struct tf_writer *w, const char *model, struct output *output, const char *folder,
                        struct error *err);

/* --- given.c --- */

/* <base>_quantized.pb, <base>_quant.json and <base>_fake_quant.pb from a model and a record, without calibration. */
int ascend_emit_given(const struct model_request *model, const char *record, const char *base, struct output *output,
                      struct error *err);

#endif
