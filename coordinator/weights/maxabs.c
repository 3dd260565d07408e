/* maxabs.c — the scale that just clips nothing; the yardstick of the other methods. */
#include "coordinator/weights.h"

#include "coordinator/weights/tnn_tool.h"

const struct weight_method weight_method_maxabs = {
    .name = "maxabs",
    .summary = "scale = max|w| / limit; clips nothing",
    .beats_max_abs = true,
    .search = weight_scale_max_abs,
    .in_tnn = &tnn_tool_maxabs,
};
