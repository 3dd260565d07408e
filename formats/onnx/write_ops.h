/* write_ops.h — one node of our graph as nodes of an ONNX file; between write_graph.c and write_ops.c only.
 */
#ifndef ETALON_ONNX_WRITE_OPS_H
#define ETALON_ONNX_WRITE_OPS_H

#include "formats/onnx/write.h"

/* One node being written. */
struct onnx_job {
    struct onnx_graph_writer *gw;
    struct onnx_writer *writer;
    const struct node *node;
    const struct shape *x; /* of input 0 */
    const char *const *inputs;
    size_t n_inputs;
    const char *output;
};

/* The node without its fused activation. */
void onnx_write_op(const struct onnx_job *job);
/* An activation from the value x to the value y, as a node called `name` and helpers. */
void onnx_write_activation(const struct onnx_job *job, struct activation a, const char *name, const char *x,
                           const char *y);

#endif
