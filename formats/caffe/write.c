/* write.c — layers of a Caffe network, one at a time; see write.h. */
#include "formats/caffe/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_BLOBS = 2 };

/* protobuf-c has no const; packing and printing only read. */
static void *borrow(const void *borrowed)
{
    return (void *)(uintptr_t)borrowed;
}

/* ---- Errors and names */

void caffe_cannot(struct caffe_writer *w, const char *format, ...)
{
    va_list args;

    if (w->err.code != 0)
        return;
    va_start(args, format);
    error_setv(&w->err, EX_UNAVAILABLE, format, args);
    va_end(args);
    error_in(&w->err, "node \"%s\" (%s)", w->node->name, w->node->type);
}

static bool is_taken(const struct graph *graph, const char *name)
{
    return graph_find_value(graph, name) != GRAPH_NONE || graph_find_node(graph, name) != GRAPH_NONE;
}

const char *caffe_fresh_name(struct caffe_writer *w, const char *base, const char *what)
{
    const char *name = w->err.code != 0 ? NULL : arena_format(w->arena, &w->err, "%s/%s", base, what);

    while (name != NULL && is_taken(w->graph, name))
        name = arena_format(w->arena, &w->err, "%s_", name);
    return name == NULL ? "" : name;
}

const char *caffe_inner_name(struct caffe_writer *w, const char *what)
{
    return caffe_fresh_name(w, w->node->name, what);
}

const struct shape *caffe_shape_of(const struct caffe_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

struct caffe_link caffe_next_link(struct caffe_writer *w, struct caffe_chain *chain, const char *what)
{
    bool is_last = --chain->n_left == 0;
    struct caffe_link link = {.name = is_last ? w->node->name : caffe_inner_name(w, what), .from = chain->at};

    chain->at = link.to = is_last ? w->to : link.name;
    return link;
}

/* ---- Messages */

static void *create_array(struct caffe_writer *w, size_t n, size_t size)
{
    return w->err.code != 0 ? NULL : arena_create_array(w->arena, n, size, &w->err);
}

void *caffe_put_message(struct caffe_writer *w, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = create_array(w, 1, type->sizeof_message);

    if (message != NULL)
        protobuf_c_message_init(type, message);
    return message;
}

static char **create_names(struct caffe_writer *w, const char *const *names, size_t n)
{
    char **copy = create_array(w, n, sizeof *copy);

    for (size_t i = 0; copy != NULL && i < n; i++)
        copy[i] = borrow(names[i]);
    return copy;
}

Caffe__LayerParameter *caffe_put_layer(struct caffe_writer *w, const char *type, const char *name,
                                       const char *const *bottoms, size_t n_bottoms, const char *const *tops,
                                       size_t n_tops)
{
    Caffe__LayerParameter *layer = caffe_put_message(w, &caffe__layer_parameter__descriptor);
    char **bottom = create_names(w, bottoms, n_bottoms), **top = create_names(w, tops, n_tops);

    if (top == NULL ||
        memory_grow((void **)&w->net.layer, &w->capacity, w->net.n_layer, sizeof layer, "the layers of a network",
                    &w->err) != 0 ||
        memory_grow((void **)&w->sources, &w->sources_capacity, w->net.n_layer, sizeof *w->sources,
                    "the layers of a network", &w->err) != 0)
        return NULL;
    w->sources[w->net.n_layer] = w->node;
    layer->name = borrow(name);
    layer->type = borrow(type);
    layer->n_bottom = n_bottoms;
    layer->bottom = bottom;
    layer->n_top = n_tops;
    layer->top = top;
    w->net.layer[w->net.n_layer++] = layer;
    return layer;
}

Caffe__LayerParameter *caffe_put_simple(struct caffe_writer *w, const char *type, const char *name, const char *from,
                                        const char *to)
{
    return caffe_put_layer(w, type, name, &from, 1, &to, 1);
}

/* ---- Weights and numbers */

static Caffe__BlobProto *create_blob(struct caffe_writer *w, const struct shape *shape, const float *data)
{
    Caffe__BlobProto *blob = caffe_put_message(w, &caffe__blob_proto__descriptor);
    Caffe__BlobShape *dims = caffe_put_message(w, &caffe__blob_shape__descriptor);

    if (dims == NULL)
        return NULL;
    dims->dim = create_array(w, shape->rank, sizeof *dims->dim);
    for (size_t i = 0; dims->dim != NULL && i < shape->rank; i++)
        dims->dim[dims->n_dim++] = shape->dims[i];
    blob->shape = dims;
    blob->n_data = (size_t)shape_elements(shape);
    blob->data = borrow(data);
    return blob;
}

void caffe_put_blob(struct caffe_writer *w, Caffe__LayerParameter *layer, const struct shape *shape, const float *data)
{
    Caffe__BlobProto *blob = create_blob(w, shape, data);

    if (blob == NULL || layer == NULL)
        return;
    if (layer->blobs == NULL && (layer->blobs = create_array(w, MAX_BLOBS, sizeof *layer->blobs)) == NULL)
        return;
    layer->blobs[layer->n_blobs++] = blob;
}

void caffe_put_constant(struct caffe_writer *w, Caffe__LayerParameter *layer, int value)
{
    caffe_put_blob(w, layer, caffe_shape_of(w, value), w->graph->values[value].data);
}

float *caffe_put_floats(struct caffe_writer *w, size_t n)
{
    if (n > w->budget_numbers) {
        caffe_cannot(w, "what Caffe has other words for would take %zu numbers more than the network's size allows",
                     n - w->budget_numbers);
        return NULL;
    }
    w->budget_numbers -= n;
    return create_array(w, n, sizeof(float));
}

uint32_t *caffe_put_integers(struct caffe_writer *w, const int64_t *items, size_t n)
{
    uint32_t *copy = create_array(w, n, sizeof *copy);

    for (size_t i = 0; copy != NULL && i < n; i++)
        copy[i] = (uint32_t)items[i];
    return copy;
}
