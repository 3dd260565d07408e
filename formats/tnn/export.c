/* export.c — the exporter tnn: <base>.tnnproto and <base>.tnnmodel, as a plan in which nothing is quantized. */
#include "formats/exporter.h"
#include "formats/tnn/emit.h"

#include <stdlib.h>

static int write(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct plan *plan = plan_create(graph, &tnn_profile, err);
    struct buffer proto, model;
    int rc;

    if (plan == NULL)
        return -1;
    rc = tnn_write_model(plan, &proto, &model, err);
    plan_destroy(plan);
    if (rc != 0)
        return error_in(err, "tnn");
    if (exporter_write_file(output, base, ".tnnproto", proto.data, proto.size, err) != 0 ||
        exporter_write_file(output, base, ".tnnmodel", model.data, model.size, err) != 0)
        rc = -1;
    free(proto.data);
    free(model.data);
    return rc;
}

const struct exporter exporter_tnn = {
    .name = "tnn",
    .summary = "Tencent TNN: <name>.tnnproto and <name>.tnnmodel",
    .write = write,
};
