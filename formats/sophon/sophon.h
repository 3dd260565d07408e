/* sophon.h — what the files of the target sophon-bm1684 share. Private to formats/sophon.
 *
 * The network is put twice by Caffe's writer: with fp32 weights, and with the integers of the plan (planned_graph.h).
 * Both are dressed alike: a blob is written once (the vendor's "unique top"), layers run in phase TEST, a ReLU6 is a
 * ReLU with an upper limit. Fields: the vendor's public schema, package ufw; what its calibrator fills in is not
 * public, and what we infer is marked so in jobs/doc/targets/sophon-bm1684.md.
 */
#ifndef ETALON_SOPHON_H
#define ETALON_SOPHON_H

#include "common/output.h"
#include "common/plan.h"
#include "formats/caffe/write.h"

/* A network in the writer's hands, and which of the plan's values each blob is. */
struct sophon_net {
    struct caffe_writer writer;
    const struct plan *plan;
    struct sophon_layer {
        int *bottoms, *tops; /* the value that each blob holds, or whose codes it shares; GRAPH_NONE: none */
        int node;            /* GRAPH_NONE: an input, or a copy of an output */
    } * layers;              /* [writer.net.n_layer] */
};

/* --- net.c --- */

/* Puts `graph`, which is the plan's or that of its codes, and dresses it. To be released with sophon_net_fini even on
 * failure. EX_UNAVAILABLE naming a node that Caffe cannot express. */
int sophon_net_init(struct sophon_net *net, const struct plan *plan, const struct graph *graph, struct error *err);
void sophon_net_fini(struct sophon_net *net);
/* The threshold of a value; 0 where it has no codes. */
float sophon_threshold(const struct plan *plan, int value);
/* Does the layer compute in float? */
bool sophon_is_float(const struct plan *plan, const struct sophon_layer *layer);

/* --- layers.c --- */

/* What a step of the first input's codes is worth the other way round: x int8_scale = code. 1 where it has no codes. */
float sophon_int8_scale(const struct plan *plan);
/* For the vendor's own calibrator: the plan's thresholds, and the layers that stay in float. */
void sophon_put_choices(struct sophon_net *net);
/* For ours: thresholds and steps of blobs, and how operands are brought to the steps of what is made of them. */
int sophon_put_steps(struct sophon_net *net, struct error *err);

/* --- weights.c: of networks of codes --- */

/* codes_of (planned_graph.h) for a network of codes, to be freed with free(): the nodes whose weights Caffe's writer
 * restates. Of all others the codes lie as the weights do, and are taken from the plan layer by layer. NULL: EX_OSERR,
 * or as sophon_net_init. */
bool *sophon_find_restated(const struct plan *plan, struct error *err);
/* <base><ending>, a caffemodel with what the integers stand for: floats of which the chip's rule makes them again. */
int sophon_write_reals(const struct sophon_net *net, const char *base, const char *ending, struct output *output,
                       struct error *err);
/* The same with the integers, with scales and shifts. */
int sophon_write_integers(const struct sophon_net *net, const char *base, const char *ending, struct output *output,
                          struct error *err);

/* --- tables.c: text for tpu-mlir; to be freed with free() --- */

int sophon_calibration_table(const struct sophon_net *net, uint64_t records, char **text, size_t *size,
                             struct error *err);
int sophon_quantize_table(const struct sophon_net *net, char **text, size_t *size, struct error *err);

#endif
