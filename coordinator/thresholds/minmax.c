/* minmax.c — keeps everything: the threshold is the largest magnitude seen. */
#include "coordinator/thresholds.h"

#include "coordinator/thresholds/tnn_tool.h"

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    float limit = threshold_limit(request);

    (void)method;
    if (limit <= 0)
        return error_set(err, EX_SOFTWARE, "a threshold was asked for values that are all zero or below");
    found->threshold = limit;
    return 0;
}

const struct threshold_method threshold_method_minmax = {
    .name = "minmax",
    .summary = "largest magnitude seen; never clips, and follows every outlier",
    .in_tnn = tnn_tool_bin_minmax,
    .search = search,
};
