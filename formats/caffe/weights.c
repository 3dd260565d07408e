/* weights.c — the layers of a file; see weights.h. Field numbers: caffe.proto. */
#define _GNU_SOURCE /* tdestroy */
#include "formats/caffe/weights_hdf5.h"
#include "formats/caffe/weights_private.h"
#include "formats/model.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* NetParameter, LayerParameter, V1LayerParameter. */
enum {
    NET_LAYERS_V1 = 2,
    NET_LAYER = 100,
    LAYER_NAME = 1,
    LAYER_BLOBS = 7,
    V1_NAME = 4,
    V1_BLOBS = 6,
};

static int compare_layers(const void *a, const void *b)
{
    return strcmp(((const struct caffe_layer_weights *)a)->name, ((const struct caffe_layer_weights *)b)->name);
}

static void keep(void *layer)
{
    (void)layer;
}

static int take_name(struct caffe_layer_weights *layer, const struct wire *text, struct error *err)
{
    free(layer->name); /* a field given twice: the last one holds */
    layer->name = strndup((const char *)text->at, (size_t)(text->end - text->at));
    return layer->name != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate memory for the name of a layer");
}

static int read_layer(struct caffe_layer_weights *layer, struct wire wire, bool is_v1, struct error *err)
{
    const uint32_t name_number = is_v1 ? V1_NAME : LAYER_NAME, blobs_number = is_v1 ? V1_BLOBS : LAYER_BLOBS;
    struct wire_field field;
    int rc;

    while ((rc = wire_next(&wire, &field, err)) > 0) {
        if (field.type != WIRE_LENGTH)
            continue;
        if (field.number == name_number && take_name(layer, &field.contents, err) < 0)
            return -1;
        if (field.number == blobs_number) {
            if (memory_grow((void **)&layer->blobs, &layer->capacity, layer->n_blobs, sizeof *layer->blobs, "blobs",
                            err) < 0)
                return -1;
            layer->blobs[layer->n_blobs++] = field.contents;
        }
    }
    if (rc == 0 && layer->name == NULL) {
        layer->name = calloc(1, 1);
        rc = layer->name != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate memory for the name of a layer");
    }
    return rc;
}

static int read_layers(struct caffe_weights *weights, struct error *err)
{
    const uint8_t *begin = weights->file.data;
    struct wire wire = {begin, begin, begin + weights->file.size};
    struct wire_field field;
    int rc;

    while ((rc = wire_next(&wire, &field, err)) > 0) {
        if ((field.number != NET_LAYER && field.number != NET_LAYERS_V1) || field.type != WIRE_LENGTH)
            continue;
        if (memory_grow((void **)&weights->layers, &weights->capacity, weights->n_layers, sizeof *weights->layers,
                        "layers", err) < 0)
            return -1;
        if (field.number == NET_LAYER)
            weights->layers[weights->n_layers].message = field.contents;
        weights->n_layers++;
        if (read_layer(&weights->layers[weights->n_layers - 1], field.contents, field.number == NET_LAYERS_V1, err) < 0)
            return error_in(err, "layer %zu of the file", weights->n_layers);
    }
    if (weights->n_layers == 0) /* whatever else it may be */
        return error_set(err, EX_DATAERR, "it holds no layer, so it is no .caffemodel");
    return rc < 0 ? error_in(err, "after %zu layers (is the file complete?)", weights->n_layers) : 0;
}

static int index_layers(struct caffe_weights *weights, struct error *err)
{
    for (size_t i = 0; i < weights->n_layers; i++) /* tsearch keeps the first of equal names */
        if (tsearch(&weights->layers[i], &weights->names, compare_layers) == NULL)
            return error_set(err, EX_OSERR, "cannot allocate memory for the names of %zu layers", weights->n_layers);
    return 0;
}

static bool is_hdf5(const struct bytes *file)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

    return file->size >= sizeof signature && memcmp(file->data, signature, sizeof signature) == 0;
}

static int convert_hdf5(struct caffe_weights *weights, struct error *err)
{
    size_t size;

    if (!is_hdf5(&weights->file))
        return 0;
    if (caffe_weights_from_hdf5(weights->path, weights->file.size, &weights->converted, &size, err) < 0)
        return -1;
    bytes_free(&weights->file);
    weights->file = (struct bytes){.data = weights->converted, .size = size};
    return 0;
}

struct caffe_weights *caffe_weights_open(const char *path, struct error *err)
{
    struct caffe_weights *weights = memory_create(1, sizeof *weights, "weights", err);
    int rc = -1;

    if (weights == NULL)
        return NULL;
    if (bytes_read(path, MODEL_MAX_BYTES, &weights->file, err) < 0) { /* its message names the path */
        caffe_weights_close(weights);
        return NULL;
    }
    weights->path = strdup(path);
    if (weights->path == NULL)
        error_set(err, EX_OSERR, "cannot allocate memory for a path");
    else if (convert_hdf5(weights, err) == 0 && read_layers(weights, err) == 0 && index_layers(weights, err) == 0)
        rc = 0;
    if (rc < 0) {
        error_in(err, "%s", path);
        caffe_weights_close(weights);
        return NULL;
    }
    return weights;
}

void caffe_weights_close(struct caffe_weights *weights)
{
    if (weights == NULL)
        return;
    tdestroy(weights->names, keep);
    for (size_t i = 0; i < weights->n_layers; i++) {
        free(weights->layers[i].name);
        free(weights->layers[i].blobs);
    }
    free(weights->layers);
    free(weights->path);
    bytes_free(&weights->file);
    free(weights->converted);
    free(weights);
}

struct caffe_layer_weights *caffe_weights_lookup(const struct caffe_weights *weights, const char *layer)
{
    struct caffe_layer_weights key = {.name = (char *)layer};
    void *const *found = tfind(&key, &weights->names, compare_layers);

    return found == NULL ? NULL : *found;
}

static struct caffe_layer_weights *find_layer(const struct caffe_weights *weights, const char *layer, struct error *err)
{
    struct caffe_layer_weights *found = caffe_weights_lookup(weights, layer);

    if (found == NULL)
        error_set(err, EX_DATAERR, "%s: expected weights for it, found none among %zu layers", weights->path,
                  weights->n_layers);
    return found;
}

int caffe_weights_find(const struct caffe_weights *weights, const char *layer, const struct caffe_layer_weights **out,
                       struct error *err)
{
    const struct caffe_layer_weights *found = find_layer(weights, layer, err);

    if (found == NULL)
        return -1;
    *out = found;
    return 0;
}

int caffe_weights_claim(struct caffe_weights *weights, const char *layer, struct error *err)
{
    struct caffe_layer_weights *found = find_layer(weights, layer, err);

    if (found == NULL)
        return -1;
    if (found->is_claimed)
        return error_set(err, EX_DATAERR, "another layer of this name has taken the weights: rename one in both files");
    found->is_claimed = true;
    return 0;
}

const char *caffe_weights_next(const struct caffe_weights *weights, size_t *cursor)
{
    while (*cursor < weights->n_layers) {
        const struct caffe_layer_weights *layer = &weights->layers[(*cursor)++];

        if (layer->n_blobs > 0)
            return layer->name;
    }
    return NULL;
}

size_t caffe_weights_count(const struct caffe_layer_weights *layer)
{
    return layer->n_blobs;
}
