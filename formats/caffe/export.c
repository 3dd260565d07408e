/* export.c — the exporter caffe: <base>.prototxt and <base>.caffemodel; and fp32umodel, the same under the names that
 * Sophon's tools for the BM1684 take, with a second prototxt that begins with a Data layer.
 *
 * Both prototxts hold topology and parameters, the binary file names, types and blobs alone: those are the fields whose
 * numbers are the same in every fork of Caffe, and a reader takes the rest from the text. Sophon's user guide: a
 * .caffemodel is accepted as .fp32umodel.
 */
#include "formats/caffe/export_data.h"
#include "formats/exporter.h"
#include "formats/proto_text_write.h"

#include <stdlib.h>

/* ---- Files */

static int write_text(struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                      struct error *err)
{
    const ProtobufCFieldDescriptor *blobs =
        protobuf_c_message_descriptor_get_field_by_name(&caffe__layer_parameter__descriptor, "blobs");
    char *text;
    size_t size;
    int rc;

    if (proto_text_write(&w->net.base, blobs, &text, &size, err) != 0)
        return -1;
    rc = exporter_write_file(output, base, ending, text, size, err);
    free(text);
    return rc;
}

/* The network without parameters. Its layers live in the writer's arena. */
static int strip(struct caffe_writer *w, Caffe__NetParameter *net, struct error *err)
{
    Caffe__LayerParameter *layers = arena_create_array(w->arena, w->net.n_layer, sizeof *layers, err);

    net->layer = arena_create_array(w->arena, w->net.n_layer, sizeof *net->layer, err);
    if (layers == NULL || net->layer == NULL)
        return -1;
    net->name = w->net.name;
    for (net->n_layer = 0; net->n_layer < w->net.n_layer; net->n_layer++) {
        const Caffe__LayerParameter *from = w->net.layer[net->n_layer];
        Caffe__LayerParameter *to = net->layer[net->n_layer] = &layers[net->n_layer];

        caffe__layer_parameter__init(to);
        to->name = from->name;
        to->type = from->type;
        to->n_bottom = from->n_bottom;
        to->bottom = from->bottom;
        to->n_top = from->n_top;
        to->top = from->top;
        to->n_blobs = from->n_blobs;
        to->blobs = from->blobs;
    }
    return 0;
}

static int write_weights(struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                         struct error *err)
{
    Caffe__NetParameter net = CAFFE__NET_PARAMETER__INIT;

    return strip(w, &net, err) != 0 ? -1 : exporter_write_message(output, base, ending, &net.base, err);
}

/* ---- The exporters */

static int write_caffe(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err) != 0 ? error_in(err, "caffe") : 0;

    if (rc == 0 && (write_text(&writer, base, ".prototxt", output, err) != 0 ||
                    write_weights(&writer, base, ".caffemodel", output, err) != 0))
        rc = -1;
    caffe_writer_fini(&writer);
    return rc;
}

static int write_test_text(struct caffe_writer *w, const struct model_data *data, bool with_accuracy, const char *base,
                           struct output *output, struct error *err)
{
    if (caffe_use_data_layers(w, data, err) != 0 || (with_accuracy && caffe_put_accuracy(w, err) != 0))
        return error_in(err, "fp32umodel");
    return write_text(w, base, "_test.prototxt", output, err);
}

static int write_fp32umodel_with_data(const struct graph *graph, const struct model_data *data, bool with_accuracy,
                                      const char *base, struct output *output, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err) != 0 ? error_in(err, "fp32umodel") : 0;

    if (rc == 0 && (write_text(&writer, base, "_deploy.prototxt", output, err) != 0 ||
                    write_test_text(&writer, data, with_accuracy, base, output, err) != 0 ||
                    write_weights(&writer, base, ".fp32umodel", output, err) != 0))
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
