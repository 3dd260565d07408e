/* export.c — the exporter caffe: <base>.prototxt and <base>.caffemodel; and fp32umodel, the same under the names that
 * Sophon's tools for the BM1684 take, with a second prototxt that begins with a Data layer.
 *
 * Both prototxts hold topology and parameters, the binary file names, types and blobs alone: those are the fields whose
 * numbers are the same in every fork of Caffe, and a reader takes the rest from the text. Sophon's user guide: a
 * .caffemodel is accepted as .fp32umodel.
 */
#include "formats/caffe/write.h"
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
    uint8_t *bytes;
    size_t size;
    int rc;

    if (strip(w, &net, err) != 0)
        return -1;
    size = caffe__net_parameter__get_packed_size(&net);
    if (size > INT32_MAX)
        return error_set(err, EX_UNAVAILABLE, "the weights take %zu bytes, a protobuf file holds at most 2^31 - 1",
                         size);
    bytes = memory_create(size, 1, "a file of weights", err);
    if (bytes == NULL)
        return -1;
    caffe__net_parameter__pack(&net, bytes);
    rc = exporter_write_file(output, base, ending, bytes, size, err);
    free(bytes);
    return rc;
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

/* Inputs come from LMDBs called <input>_lmdb, a batch at a time: the user writes the real path there, and a
 * transform_param. */
static int use_data_layer(struct caffe_writer *w, Caffe__LayerParameter *layer, struct error *err)
{
    Caffe__DataParameter *data = caffe_put_message(w, &caffe__data_parameter__descriptor);
    Caffe__NetStateRule *rule = caffe_put_message(w, &caffe__net_state_rule__descriptor);

    layer->include = arena_create_array(w->arena, 1, sizeof *layer->include, err);
    if (data == NULL || rule == NULL)
        return error_set(err, w->err.code, "%s", w->err.text);
    if (layer->include == NULL || (data->source = arena_format(w->arena, err, "%s_lmdb", layer->top[0])) == NULL)
        return -1;
    data->has_batch_size = data->has_backend = true;
    data->batch_size = (uint32_t)layer->input_param->shape[0]->dim[0];
    data->backend = CAFFE__DATA_PARAMETER__DB__LMDB;
    rule->has_phase = true;
    rule->phase = CAFFE__PHASE__TEST;
    layer->include[layer->n_include++] = rule;
    layer->type = "Data";
    layer->input_param = NULL;
    layer->data_param = data;
    return 0;
}

static int use_data_layers(struct caffe_writer *w, struct error *err)
{
    for (size_t i = 0; i < w->net.n_layer; i++)
        if (w->net.layer[i]->input_param != NULL && use_data_layer(w, w->net.layer[i], err) != 0)
            return -1;
    return 0;
}

static int write_fp32umodel(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, graph, err) != 0 ? error_in(err, "fp32umodel") : 0;

    if (rc == 0 &&
        (write_text(&writer, base, "_deploy.prototxt", output, err) != 0 || use_data_layers(&writer, err) != 0 ||
         write_text(&writer, base, "_test.prototxt", output, err) != 0 ||
         write_weights(&writer, base, ".fp32umodel", output, err) != 0))
        rc = -1;
    caffe_writer_fini(&writer);
    return rc;
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
};
