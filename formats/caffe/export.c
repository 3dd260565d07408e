/* export.c — the exporter caffe: <base>.prototxt and <base>.caffemodel; and fp32umodel, the same under the names that
 * Sophon's tools for the BM1684 take, with a second prototxt that begins with a Data layer.
 *
 * Sophon's user guide: a .caffemodel is accepted as .fp32umodel.
 */
#include "common/log.h"
#include "formats/caffe/export_data.h"
#include "formats/caffe/net_files.h"
#include "formats/exporter.h"

static int write_caffe(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err) != 0 ? error_in(err, "caffe") : 0;

    if (rc == 0 && (caffe_write_text(&writer, base, ".prototxt", output, err) != 0 ||
                    caffe_write_weights(&writer, base, ".caffemodel", output, err) != 0))
        rc = -1;
    caffe_writer_fini(&writer);
    return rc;
}

static int write_test_text(struct caffe_writer *w, const struct model_data *data, bool with_accuracy, const char *base,
                           struct output *output, struct error *err)
{
    if (caffe_use_data_layers(w, data, err) != 0 || (with_accuracy && caffe_put_accuracy(w, err) != 0))
        return error_in(err, "fp32umodel");
    if (w->lost_filter != NULL)
        log_warning("a Data layer resizes by the filter opencv_linear, not by %s", w->lost_filter);
    return caffe_write_text(w, base, "_test.prototxt", output, err);
}

static int write_fp32umodel_with_data(const struct graph *graph, const struct model_data *data, bool with_accuracy,
                                      const char *base, struct output *output, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err) != 0 ? error_in(err, "fp32umodel") : 0;

    if (rc == 0 && (caffe_write_text(&writer, base, "_deploy.prototxt", output, err) != 0 ||
                    write_test_text(&writer, data, with_accuracy, base, output, err) != 0 ||
                    caffe_write_weights(&writer, base, ".fp32umodel", output, err) != 0))
        rc = -1;
    caffe_writer_fini(&writer);
    return rc;
}

static int write_fp32umodel(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    static const struct model_data nothing = {0};

    return write_fp32umodel_with_data(graph, &nothing, false, base, output, err);
}

const struct exporter exporter_caffe = {
    .name = "caffe",
    .summary = "Caffe: <name>.prototxt and <name>.caffemodel",
    .takes_batch = true,
    .write = write_caffe,
};

const struct exporter exporter_fp32umodel = {
    .name = "fp32umodel",
    .summary = "Sophon's calibrator: <name>.fp32umodel, <name>_deploy.prototxt, <name>_test.prototxt",
    .takes_batch = true,
    .write = write_fp32umodel,
    .write_with_data = write_fp32umodel_with_data,
};
