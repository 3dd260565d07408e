/* caffe_files.h — small Caffe networks for tests: written to a folder of their own, then imported.
 *
 * Weights are given as "layer:shape,shape;layer:shape", a shape as "8x3x3x3" ("s": a scalar). Their values are
 * caffe_value(blob, i).
 */
#ifndef ETALON_TESTS_CAFFE_FILES_H
#define ETALON_TESTS_CAFFE_FILES_H

#include "formats/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <caffe.pb-c.h>

/* Positive, so that they also serve as variances. */
static inline float caffe_value(size_t blob, size_t i)
{
    return (float)((i * 7 + blob * 3) % 13 + 1) / 8.0f;
}

struct caffe_files {
    char folder[64], prototxt[128], weights[128];
};

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline int make_files(void **state)
{
    struct caffe_files *files = calloc(1, sizeof *files);

    assert_non_null(files);
    strcpy(files->folder, "/tmp/etalon-caffe-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->prototxt, sizeof files->prototxt, "%s/net.prototxt", files->folder);
    snprintf(files->weights, sizeof files->weights, "%s/net.caffemodel", files->folder);
    *state = files;
    return 0;
}

static inline int remove_files(void **state)
{
    struct caffe_files *files = *state;

    unlink(files->prototxt);
    unlink(files->weights);
    rmdir(files->folder);
    free(files);
    return 0;
}

static inline Caffe__BlobProto *new_blob(const char *shape, size_t index)
{
    Caffe__BlobProto *blob = malloc(sizeof *blob);
    char *end = (char *)shape;
    size_t n = 1;

    assert_non_null(blob);
    caffe__blob_proto__init(blob);
    blob->shape = malloc(sizeof *blob->shape);
    assert_non_null(blob->shape);
    caffe__blob_shape__init(blob->shape);
    blob->shape->dim = calloc(8, sizeof *blob->shape->dim);
    while (*end >= '0' && *end <= '9') {
        long dim = strtol(end, &end, 10);

        blob->shape->dim[blob->shape->n_dim++] = dim;
        n *= (size_t)dim;
        end += *end == 'x';
    }
    blob->n_data = n;
    blob->data = malloc(n * sizeof *blob->data + 1);
    assert_non_null(blob->data);
    for (size_t i = 0; i < n; i++)
        blob->data[i] = caffe_value(index, i);
    return blob;
}

/* The network behind a weights string, to be changed before packing; freed with the ordinary free_unpacked. */
static inline Caffe__NetParameter *new_weights(const char *spec)
{
    Caffe__NetParameter *net = malloc(sizeof *net);
    char *copy = strdup(spec), *layers_left = copy;

    assert_non_null(net);
    caffe__net_parameter__init(net);
    net->layer = calloc(64, sizeof *net->layer);
    for (char *text; (text = strsep(&layers_left, ";")) != NULL && *text != '\0';) {
        Caffe__LayerParameter *layer = malloc(sizeof *layer);
        char *shapes = strchr(text, ':');

        assert_true(layer != NULL && shapes != NULL);
        caffe__layer_parameter__init(layer);
        layer->name = strndup(text, (size_t)(shapes - text));
        layer->blobs = calloc(8, sizeof *layer->blobs);
        shapes++;
        for (char *shape; (shape = strsep(&shapes, ",")) != NULL && *shape != '\0'; layer->n_blobs++)
            layer->blobs[layer->n_blobs] = new_blob(shape, layer->n_blobs);
        net->layer[net->n_layer++] = layer;
    }
    free(copy);
    return net;
}

static inline void write_weights(const char *path, const Caffe__NetParameter *net)
{
    size_t size = caffe__net_parameter__get_packed_size(net);
    uint8_t *bytes = malloc(size + 1);

    assert_non_null(bytes);
    caffe__net_parameter__pack(net, bytes);
    write_file(path, bytes, size);
    free(bytes);
}

/* weights NULL: none are named. request may carry inputs and outputs. */
static inline struct graph *import_net(const struct caffe_files *files, const char *prototxt, const char *weights,
                                       struct model_request *request, struct error *err)
{
    struct model_request plain = {0};

    request = request != NULL ? request : &plain;
    write_file(files->prototxt, prototxt, strlen(prototxt));
    if (weights != NULL) {
        Caffe__NetParameter *net = new_weights(weights);

        write_weights(files->weights, net);
        caffe__net_parameter__free_unpacked(net, NULL);
    }
    request->file = files->prototxt;
    request->weights = weights != NULL ? files->weights : NULL;
    return model_import(request, err);
}

/* The same for networks that must import. */
static inline struct graph *must_import(const struct caffe_files *files, const char *prototxt, const char *weights,
                                        struct model_request *request)
{
    struct error err = {0};
    struct graph *graph = import_net(files, prototxt, weights, request, &err);

    if (graph == NULL)
        fail_msg("%s\n%d: %s", prototxt, err.code, err.text);
    return graph;
}

#define INPUT(dims) "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [" dims "] } } }\n"

#endif
