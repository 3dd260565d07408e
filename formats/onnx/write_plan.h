/* write_plan.h — the float graph as an ONNX file, with the biases of a plan.
 */
#ifndef ETALON_ONNX_WRITE_PLAN_H
#define ETALON_ONNX_WRITE_PLAN_H

#include "common/plan.h"
#include "formats/onnx/write.h"
#include "formats/target.h"

/* The whole graph through gw, just initialised, under the user's names; biases with their corrections. */
void onnx_write_plan(struct onnx_graph_writer *gw, const struct plan *plan);

/* The same as <folder>/<model_name>.onnx. `then` (optional) writes what belongs to it, while the names that gw gave are
 * known. EX_UNAVAILABLE, EX_CANTCREAT, EX_IOERR, EX_OSERR. */
typedef int onnx_then(const struct plan *plan, const struct emit_info *info, struct onnx_graph_writer *gw,
                      struct output *output, struct error *err);
int onnx_save_plan(const struct plan *plan, const struct emit_info *info, const char *folder, onnx_then *then,
                   struct output *output, struct error *err);

#endif
