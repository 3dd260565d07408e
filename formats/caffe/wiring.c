/* wiring.c — see wiring.h. Reference: Caffe's Net::AppendTop and Net::AppendBottom. */
#define _GNU_SOURCE /* tdestroy */
#include "formats/caffe/wiring.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct name_entry {
    const char *name;
    int blob;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

static void keep(void *entry)
{
    (void)entry; /* it belongs to the arena */
}

static struct name_entry *find_entry(const struct caffe_wiring *wiring, const char *name)
{
    struct name_entry key = {.name = name};
    struct name_entry *const *slot = tfind(&key, &wiring->names, compare_names);

    return slot == NULL ? NULL : *slot;
}

int caffe_wiring_find(const struct caffe_wiring *wiring, const char *name)
{
    const struct name_entry *entry = find_entry(wiring, name);

    return entry == NULL ? GRAPH_NONE : entry->blob;
}

static int layer_error(const Caffe__LayerParameter *layer, struct error *err)
{
    return error_in(err, "layer \"%s\" (%s)", layer->name, layer->type);
}

/* ---- Resolving */

static enum caffe_role role_of(const Caffe__LayerParameter *layer)
{
    const struct caffe_kind *kind = caffe_kind_find(layer->type);

    return kind == NULL ? CAFFE_COMPUTES : kind->role; /* unknown ones are refused when they are needed */
}

static bool is_in_place(const Caffe__LayerParameter *layer, size_t i)
{
    return i < layer->n_bottom && i < layer->n_top && strcmp(layer->top[i], layer->bottom[i]) == 0;
}

/* Whether bottom `i` stops being an output of the network because of this layer. */
static bool reads_bottom(const Caffe__LayerParameter *layer, size_t i)
{
    switch (role_of(layer)) {
    case CAFFE_MEASURES:
    case CAFFE_DECODES:
        return false;
    case CAFFE_LOSS_HEAD:
        return i == 0;
    case CAFFE_REPEATS:
        return !is_in_place(layer, i); /* the same blob, before and after */
    default:
        return true;
    }
}

static int resolve_bottoms(struct caffe_wiring *wiring, size_t index, struct error *err)
{
    const Caffe__LayerParameter *layer = wiring->net->layers[index];

    for (size_t i = 0; i < layer->n_bottom; i++) {
        int blob = caffe_wiring_find(wiring, layer->bottom[i]);

        if (blob == GRAPH_NONE) {
            error_set(err, EX_DATAERR, "bottom \"%s\" is produced by no layer above it", layer->bottom[i]);
            return layer_error(layer, err);
        }
        wiring->layers[index].bottoms[i] = blob;
        if (reads_bottom(layer, i))
            wiring->blobs[blob].is_read = true;
    }
    return 0;
}

static bool is_requested_input(const struct model_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_inputs; i++)
        if (strcmp(request->inputs[i].name, name) == 0)
            return true;
    return false;
}

static enum caffe_blob_kind kind_of_top(const Caffe__LayerParameter *layer, size_t top,
                                        const struct model_request *request)
{
    switch (role_of(layer)) {
    case CAFFE_MEASURES:
    case CAFFE_DECODES:
    case CAFFE_SWALLOWS:
        return CAFFE_BLOB_LEFT_OUT;
    case CAFFE_LOSS_HEAD:
        return top + 1 < layer->n_top ? CAFFE_BLOB_LEFT_OUT : CAFFE_BLOB_VALUE;
    case CAFFE_DATA:
        return top > 0 && !is_requested_input(request, layer->top[top]) ? CAFFE_BLOB_LABEL : CAFFE_BLOB_VALUE;
    default:
        return CAFFE_BLOB_VALUE;
    }
}

static int bind_name(struct caffe_wiring *wiring, const char *name, int blob, struct arena *scratch, struct error *err)
{
    struct name_entry *entry = find_entry(wiring, name);

    if (entry == NULL) {
        entry = arena_create_array(scratch, 1, sizeof *entry, err);
        if (entry == NULL)
            return -1;
        entry->name = name;
        if (tsearch(entry, &wiring->names, compare_names) == NULL)
            return error_set(err, EX_OSERR, "cannot allocate memory for the name \"%s\"", name);
    }
    entry->blob = blob;
    return 0;
}

/* A new version of the name of top `top`. `previous`: the version before, GRAPH_NONE when the name is new. */
static int add_blob(struct caffe_wiring *wiring, size_t index, size_t top, int previous,
                    const struct model_request *request, struct arena *scratch, struct error *err)
{
    const Caffe__LayerParameter *layer = wiring->net->layers[index];
    enum caffe_role role = role_of(layer);
    struct caffe_blob blob = {
        .name = layer->top[top],
        .kind = kind_of_top(layer, top, request),
        .writer = index,
        .version = 1,
        .is_last = true,
        .is_input = role == CAFFE_INPUT || role == CAFFE_DATA,
        .value = GRAPH_NONE,
    };

    if (memory_grow((void **)&wiring->blobs, &wiring->capacity, wiring->n_blobs, sizeof blob, "blobs", err) < 0)
        return -1;
    blob.name_is_input = blob.is_input;
    if (previous != GRAPH_NONE) {
        wiring->blobs[previous].is_last = false;
        blob.version = wiring->blobs[previous].version + 1;
        blob.name_is_input = wiring->blobs[previous].name_is_input;
    }
    wiring->layers[index].tops[top] = (int)wiring->n_blobs;
    wiring->blobs[wiring->n_blobs] = blob;
    return bind_name(wiring, blob.name, (int)wiring->n_blobs++, scratch, err);
}

static int resolve_tops(struct caffe_wiring *wiring, size_t index, const struct model_request *request,
                        struct arena *scratch, struct error *err)
{
    const Caffe__LayerParameter *layer = wiring->net->layers[index];

    for (size_t i = 0; i < layer->n_top; i++) {
        int previous = caffe_wiring_find(wiring, layer->top[i]);

        if (previous != GRAPH_NONE && !is_in_place(layer, i)) {
            const Caffe__LayerParameter *other = wiring->net->layers[wiring->blobs[previous].writer];

            error_set(err, EX_DATAERR, "top \"%s\" is already produced by layer \"%s\" (%s)", layer->top[i],
                      other->name, other->type);
            return layer_error(layer, err);
        }
        if (is_in_place(layer, i) && role_of(layer) == CAFFE_REPEATS)
            wiring->layers[index].tops[i] = previous;
        else if (add_blob(wiring, index, i, previous, request, scratch, err) < 0)
            return -1;
    }
    return 0;
}

int caffe_wiring_init(struct caffe_wiring *wiring, const struct caffe_net *net, const struct model_request *request,
                      struct arena *scratch, struct error *err)
{
    wiring->net = net;
    wiring->layers = arena_create_array(scratch, net->n_layers, sizeof *wiring->layers, err);
    if (wiring->layers == NULL)
        return -1;
    for (size_t i = 0; i < net->n_layers; i++) {
        wiring->layers[i].bottoms = arena_create_array(scratch, net->layers[i]->n_bottom, sizeof(int), err);
        wiring->layers[i].tops = arena_create_array(scratch, net->layers[i]->n_top, sizeof(int), err);
        if (wiring->layers[i].bottoms == NULL || wiring->layers[i].tops == NULL ||
            resolve_bottoms(wiring, i, err) < 0 || resolve_tops(wiring, i, request, scratch, err) < 0)
            return -1;
    }
    return 0;
}

void caffe_wiring_fini(struct caffe_wiring *wiring)
{
    tdestroy(wiring->names, keep);
    free(wiring->blobs);
    wiring->names = NULL;
    wiring->blobs = NULL;
}

/* ---- Selecting */

static int requested_outputs(struct caffe_wiring *wiring, const struct model_request *request, int *outputs,
                             struct error *err)
{
    for (size_t i = 0; i < request->n_outputs; i++) {
        int blob = caffe_wiring_find(wiring, request->outputs[i]);

        if (blob == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "the requested output \"%s\" is the top of no layer",
                             request->outputs[i]);
        if (wiring->blobs[blob].kind != CAFFE_BLOB_VALUE)
            return error_set(err, EX_DATAERR, "the requested output \"%s\" is %s", request->outputs[i],
                             wiring->blobs[blob].kind == CAFFE_BLOB_LABEL ? "a label"
                                                                          : "the result of a layer that is left out");
        outputs[i] = blob;
    }
    return 0;
}

static size_t unread_blobs(const struct caffe_wiring *wiring, int *outputs)
{
    size_t n = 0;

    for (size_t i = 0; i < wiring->n_blobs; i++)
        if (wiring->blobs[i].kind == CAFFE_BLOB_VALUE && !wiring->blobs[i].is_read && !wiring->blobs[i].is_input)
            outputs[n++] = (int)i;
    return n;
}

static int need_layer(struct caffe_wiring *wiring, size_t index, struct error *err)
{
    const Caffe__LayerParameter *layer = wiring->net->layers[index];
    size_t n = role_of(layer) == CAFFE_LOSS_HEAD && layer->n_bottom > 1 ? 1 : layer->n_bottom;

    wiring->layers[index].is_needed = true;
    for (size_t i = 0; i < n; i++) {
        struct caffe_blob *blob = &wiring->blobs[wiring->layers[index].bottoms[i]];

        blob->is_needed = true;
        if (blob->kind != CAFFE_BLOB_VALUE) {
            error_set(err, EX_DATAERR,
                      "bottom \"%s\" is %s of layer \"%s\", which does not exist in calibration: choose model.outputs "
                      "that do not need it",
                      blob->name, blob->kind == CAFFE_BLOB_LABEL ? "a label" : "the result",
                      wiring->net->layers[blob->writer]->name);
            return layer_error(layer, err);
        }
    }
    return 0;
}

static bool writes_needed_blob(const struct caffe_wiring *wiring, size_t index)
{
    for (size_t i = 0; i < wiring->net->layers[index]->n_top; i++) {
        const struct caffe_blob *blob = &wiring->blobs[wiring->layers[index].tops[i]];

        if (blob->is_needed && blob->writer == index)
            return true;
    }
    return false;
}

int caffe_wiring_select(struct caffe_wiring *wiring, const struct model_request *request, int **outputs,
                        size_t *n_outputs, struct arena *scratch, struct error *err)
{
    size_t room = request->n_outputs > wiring->n_blobs ? request->n_outputs : wiring->n_blobs;

    *outputs = arena_create_array(scratch, room, sizeof **outputs, err);
    if (*outputs == NULL)
        return -1;
    if (request->n_outputs > 0 && requested_outputs(wiring, request, *outputs, err) < 0)
        return -1;
    *n_outputs = request->n_outputs > 0 ? request->n_outputs : unread_blobs(wiring, *outputs);
    if (*n_outputs == 0)
        return error_set(err, EX_DATAERR, "no layer that runs at test time computes an output");
    for (size_t i = 0; i < *n_outputs; i++)
        wiring->blobs[(*outputs)[i]].is_needed = true;
    for (size_t i = wiring->net->n_layers; i-- > 0;)
        if (writes_needed_blob(wiring, i) && need_layer(wiring, i, err) < 0)
            return -1;
    return 0;
}
