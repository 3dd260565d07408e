/* write.h — a plan as an ONNX file in QDQ form, for this target and for others whose tools read it.
 */
#ifndef ETALON_ONNX_QDQ_WRITE_H
#define ETALON_ONNX_QDQ_WRITE_H

#include "formats/target.h"

struct onnx_writer;

/* What goes in front of an input whose records arrive otherwise, as pixels for instance: writes inputs and nodes that
 * end in the value called `name`, of the input's shape, in float32. */
struct onnx_qdq_front {
    void (*write)(void *context, struct onnx_writer *writer, size_t input, const char *name);
    void *context;
};

/* <folder>/<name>.onnx. is_described: all values have types and shapes, and the batch is one record, or the graph's.
 * front: NULL, inputs are the network's own. EX_UNAVAILABLE naming a node that the file's opset
 * cannot express: 21 where the plan's codes have 16 bits, else 13. */
int onnx_qdq_write(const struct plan *plan, const struct emit_info *info, bool is_described,
                   const struct onnx_qdq_front *front, const char *folder, const char *name, struct output *output,
                   struct error *err);
/* Can the plan be written so? EX_UNAVAILABLE naming the node or value. */
int onnx_qdq_check(const struct plan *plan, struct error *err);

#endif
