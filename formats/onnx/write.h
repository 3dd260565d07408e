/* write.h — ONNX files: a builder of messages, and our graph written through it.
 *
 *   struct onnx_writer *w = onnx_writer_create("net", err);
 *   onnx_writer_input(w, "x", &shape);
 *   onnx_writer_node(w, "Relu", "relu1", (const char *[]){"x"}, 1, "y");
 *   onnx_writer_output(w, "y", &shape);
 *   message = onnx_writer_finish(w, err);
 *   onnx_writer_destroy(w);
 *
 * Calls between create and finish return nothing: the first failure is kept, what follows it does nothing, and finish
 * reports it. Names and tensor data are borrowed until finish. Files are of opset 13, or of 21 or 11 where that
 * is asked for; the first axis of inputs and outputs is the batch, of any length ("N") where it is not fixed.
 */
#ifndef ETALON_ONNX_WRITE_H
#define ETALON_ONNX_WRITE_H

#include "common/graph.h"
#include "common/output.h"

#include <protobuf-c/protobuf-c.h>

struct onnx_writer;

struct onnx_writer *onnx_writer_create(const char *graph_name, struct error *err); /* NULL with EX_OSERR */
void onnx_writer_destroy(struct onnx_writer *writer);                              /* NULL is allowed */
/* The file as a message, for exporter_write_message; lives as long as the writer. NULL: the first failure of any call.
 */
const ProtobufCMessage *onnx_writer_finish(struct onnx_writer *writer, struct error *err);
/* Finishes, and writes <folder>/<name>.onnx. EX_UNAVAILABLE, EX_CANTCREAT, EX_IOERR, EX_OSERR. */
int onnx_writer_save(struct onnx_writer *writer, const char *folder, const char *name, struct output *output,
                     struct error *err);
/* For callers that find a fault themselves: kept like the writer's own. */
void onnx_writer_fail(struct onnx_writer *writer, const struct error *why);

/* For files with codes of 16 bits, which QuantizeLinear has had since opset 21; before the first node. */
void onnx_writer_use_opset_21(struct onnx_writer *writer);
/* For readers that take no later one; before the first node. A few meanings have no words there: EX_UNAVAILABLE. */
void onnx_writer_use_opset_11(struct onnx_writer *writer);
int64_t onnx_writer_opset(const struct onnx_writer *writer);

/* The length of the batch in inputs and outputs added from here on; 0: any. */
void onnx_writer_fix_batch(struct onnx_writer *writer, int64_t batch);

/* From here on every value that the calls below describe has its type and shape in the file (value_info), for tools
 * that infer none. */
void onnx_writer_describe_values(struct onnx_writer *writer);
/* A value between nodes; nothing where values are not described. is_constant: axis 0 is no batch. */
void onnx_writer_value(struct onnx_writer *writer, const char *name, enum dtype dtype, const struct shape *shape,
                       bool is_constant);
size_t onnx_writer_count_nodes(const struct onnx_writer *writer);
/* The float32 outputs of the nodes from the first-th on, all of one shape, but for those described already and
 * `except`, an output of the graph (NULL: none). */
void onnx_writer_values_since(struct onnx_writer *writer, size_t first, const struct shape *shape, const char *except);

void onnx_writer_metadata(struct onnx_writer *writer, const char *key, const char *value);
void onnx_writer_input(struct onnx_writer *writer, const char *name, const struct shape *shape);
/* An input that is not float32. */
void onnx_writer_typed_input(struct onnx_writer *writer, const char *name, enum dtype dtype, const struct shape *shape);
void onnx_writer_output(struct onnx_writer *writer, const char *name, const struct shape *shape);
/* An initializer of float32, int8, uint8, int16, int32 or int64. */
void onnx_writer_tensor(struct onnx_writer *writer, const char *name, const struct tensor *tensor);
/* The same from a copy: a list, or one number without axes. */
void onnx_writer_ints_tensor(struct onnx_writer *writer, const char *name, const int64_t *items, size_t n);
void onnx_writer_scalar(struct onnx_writer *writer, const char *name, float value);

/* A node with one output; an input "" is an omitted one. The calls below add attributes to the latest node. */
void onnx_writer_node(struct onnx_writer *writer, const char *type, const char *name, const char *const *inputs,
                      size_t n_inputs, const char *output);
/* A reduction along axes, which are an attribute before opset 18 (of ReduceSum before 13), and an input, here called
 * `axes_name`, from then on. */
void onnx_writer_reduction(struct onnx_writer *writer, const char *type, const char *name, const char *input,
                           const int64_t *axes, size_t n_axes, const char *axes_name, const char *output);
void onnx_writer_int(struct onnx_writer *writer, const char *attribute, int64_t value);
void onnx_writer_ints(struct onnx_writer *writer, const char *attribute, const int64_t *items, size_t n);
void onnx_writer_float(struct onnx_writer *writer, const char *attribute, float value);
void onnx_writer_string(struct onnx_writer *writer, const char *attribute, const char *value);

/* Zeroed memory that lives as long as the writer; NULL after a failure. */
void *onnx_writer_memory(struct onnx_writer *writer, size_t n, size_t size);

/* --- write_graph.c: our graph as nodes of the file --- */

struct onnx_graph_writer {
    struct onnx_writer *writer;
    const struct graph *graph;
    const char **names; /* [n_values] under which nodes read a value; at first the user's own */
    bool *is_written;   /* [n_values] constants that are initializers already */
};

/* Borrows graph; its arrays belong to the writer. Fixes the batch where the graph does, and at 1 where a join with a
 * constant would not grow with it. */
void onnx_graph_writer_init(struct onnx_graph_writer *gw, struct onnx_writer *writer, const struct graph *graph);
/* "<base>/<suffix>", made different from every value name of the graph. Suffixes hold no '/'. "" after a failure. */
const char *onnx_graph_name(struct onnx_graph_writer *gw, const char *base, const char *suffix);
/* The name under which nodes read a value ("" for GRAPH_NONE); a constant becomes an initializer at first use. */
const char *onnx_graph_value(struct onnx_graph_writer *gw, int value);
/* An output of the graph. */
void onnx_graph_output(struct onnx_graph_writer *gw, int value);
/* An input of the graph; one that is to be separate becomes an input a record, "<name>_0", ..., and their join. */
void onnx_graph_input(struct onnx_graph_writer *gw, int value);
/* A constant that this node alone is to read in the place of its input `slot`, as an initializer: under the user's name
 * where nobody else reads that one, else "<node>/<suffix>". Returns its name; `tensor` NULL: the name alone. */
const char *onnx_graph_parameter(struct onnx_graph_writer *gw, int node, size_t slot, const char *suffix,
                                 const struct tensor *tensor);
/* One node of the graph as one or a few nodes of the file, producing the value `output`. Inputs have the names of
 * onnx_graph_value, but for those where `replaced` is not NULL: of CONV, DECONV and DENSE only, three entries (x,
 * weights, bias, which a node without one then gets); or NULL for none. `fused` is the node's own fused activation, or
 * another kind where the caller knows better. Fails with EX_UNAVAILABLE for what the opset cannot say. */
void onnx_graph_node(struct onnx_graph_writer *gw, int node, const char *const *replaced, struct activation fused,
                     const char *output);

/* The whole graph in float32, under the user's names, for a writer just created. */
void onnx_write_graph(struct onnx_writer *writer, const struct graph *graph);

#endif
