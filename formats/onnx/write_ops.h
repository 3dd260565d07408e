/* write_ops.h — one node of our graph as nodes of an ONNX file; for write_graph.c and the files that write operators.
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
/* --- write_activation.c --- */

/* An activation from the value x to the value y, as a node called `name` and helpers. */
void onnx_write_activation(const struct onnx_job *job, struct activation a, const char *name, const char *x,
                           const char *y);

/* --- write_window.c: rows of the table in write_ops.c --- */

void onnx_write_conv(const struct onnx_job *job); /* both ways */
void onnx_write_pool(const struct onnx_job *job);
void onnx_write_resize(const struct onnx_job *job);

/* --- for all of them --- */

/* EX_UNAVAILABLE, naming the node. */
void onnx_job_fail(const struct onnx_job *job, const char *why);
/* The node itself: of the ONNX type, with the first n_inputs of its inputs. */
void onnx_job_add(const struct onnx_job *job, const char *type, size_t n_inputs);
/* The name of a helper value or node; a constant of that name: one number, a list. */
const char *onnx_job_name(const struct onnx_job *job, const char *suffix);
const char *onnx_job_scalar(const struct onnx_job *job, const char *suffix, float value);
const char *onnx_job_ints(const struct onnx_job *job, const char *suffix, const int64_t *items, size_t n);
/* A node of one input, or of two, from value to value. */
void onnx_job_unary(const struct onnx_job *job, const char *type, const char *name, const char *x, const char *y);
void onnx_job_binary(const struct onnx_job *job, const char *type, const char *name, const char *a, const char *b,
                     const char *y);

#endif
