/* tnn_tool.h — weights as TNN's own quantization tool codes them, bit for bit; a method's in_tnn (weights.h).
 *
 * Source: Tencent TNN, commit f0cb08129a05, tools/quantization/calibration.cc.
 */
#ifndef ETALON_WEIGHTS_TNN_TOOL_H
#define ETALON_WEIGHTS_TNN_TOOL_H

#include "coordinator/weights.h"

extern const struct weight_tool tnn_tool_maxabs; /* codes by the reciprocal of max |w| / limit */
extern const struct weight_tool tnn_tool_admm;   /* at most 1,000 rounds from max |w| / (1.25 limit) */

#endif
