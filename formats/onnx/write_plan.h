/* write_plan.h — the float graph as an ONNX file, with the biases of a plan.
 */
#ifndef ETALON_ONNX_WRITE_PLAN_H
#define ETALON_ONNX_WRITE_PLAN_H

#include "common/plan.h"
#include "formats/onnx/write.h"

/* The whole graph through gw, just initialised, under the user's names; biases with their corrections. */
void onnx_write_plan(struct onnx_graph_writer *gw, const struct plan *plan);

#endif
