/* given.c — what the file of a quantized model says. A histogram alone does not tell, so plan_threshold_search looks
 * first (value->coding); this is what happens to values that the file says nothing about.
 */
#include "coordinator/thresholds.h"

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    const struct threshold_method *mse = threshold_method_find("mse");

    (void)method;
    return mse->search(mse, request, found, err);
}

const struct threshold_method threshold_method_given = {
    .name = "given",
    .summary = "what a quantized model brings along; where it says nothing, as mse",
    .reads = THRESHOLD_FROM_MODEL,
    .search = search,
};
