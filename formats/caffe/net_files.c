/* net_files.c — see net_files.h. */
#include "formats/caffe/net_files.h"

#include "formats/exporter.h"
#include "formats/proto_text_write.h"

#include <stdlib.h>

int caffe_write_text(const struct caffe_writer *w, const char *base, const char *ending, struct output *output,
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

/* Name, type, bottom, top, blobs, phase, and what Sophon put between them and the parameters. */
static bool is_same_in_every_fork(uint32_t number)
{
    return number <= 4 || number == 7 || number == 10 || (number > 11 && number < 100);
}

static void drop_parameters(Caffe__LayerParameter *layer)
{
    const ProtobufCMessageDescriptor *d = &caffe__layer_parameter__descriptor;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &d->fields[i];

        if (is_same_in_every_fork(field->id))
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            *(size_t *)((char *)layer + field->quantifier_offset) = 0;
        else if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            *(protobuf_c_boolean *)((char *)layer + field->quantifier_offset) = 0;
        else
            *(void **)((char *)layer + field->offset) = NULL;
    }
}

int caffe_write_weights(const struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                        struct error *err)
{
    Caffe__NetParameter net = w->net;
    Caffe__LayerParameter *layers = arena_create_array(w->arena, net.n_layer, sizeof *layers, err);

    net.layer = arena_create_array(w->arena, net.n_layer, sizeof *net.layer, err);
    if (layers == NULL || net.layer == NULL)
        return -1;
    for (size_t i = 0; i < net.n_layer; i++) {
        layers[i] = *w->net.layer[i];
        drop_parameters(&layers[i]);
        net.layer[i] = &layers[i];
    }
    return exporter_write_message(output, base, ending, &net.base, err);
}
