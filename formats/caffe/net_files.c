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

/* A network in parts: all but its layers, which are the last field of the message, and then layer by layer. */
struct parts {
    const struct caffe_writer *w;
    caffe_fill *fill; /* NULL: layers are complete */
    void *context;
    Caffe__NetParameter net;
    Caffe__LayerParameter layer, *list[1];
};

static const ProtobufCMessage *part(void *context, size_t i, struct error *err)
{
    struct parts *p = context;

    if (i == 0) {
        p->net = p->w->net;
        p->net.n_layer = 0;
        return &p->net.base;
    }
    caffe__net_parameter__init(&p->net);
    p->layer = *p->w->net.layer[i - 1];
    drop_parameters(&p->layer);
    p->net.n_layer = 1;
    p->net.layer = p->list;
    p->list[0] = &p->layer;
    return p->fill != NULL && p->fill(p->context, i - 1, &p->layer, err) != 0 ? NULL : &p->net.base;
}

int caffe_write_filled(const struct caffe_writer *w, caffe_fill *fill, void *context, const char *base,
                       const char *ending, struct output *output, struct error *err)
{
    struct parts parts = {.w = w, .fill = fill, .context = context};

    return exporter_write_parts(output, base, ending, 1 + w->net.n_layer, part, &parts, err);
}

int caffe_write_weights(const struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                        struct error *err)
{
    return caffe_write_filled(w, NULL, NULL, base, ending, output, err);
}
