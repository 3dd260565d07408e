/* fuzz_caffe_weights.c — caffemodels: every blob of every layer is read in the shape that it claims. */
#include "fuzz.h"

#include "formats/caffe/weights.h"

static int read_layer(const struct caffe_weights *weights, const char *name, struct arena *arena, struct error *err)
{
    const struct caffe_layer_weights *layer;
    const float *values;
    struct shape shape;

    if (caffe_weights_find(weights, name, &layer, err) < 0)
        return -1;
    for (size_t i = 0; i < caffe_weights_count(layer); i++)
        if (caffe_weights_shape(weights, layer, i, &shape, err) < 0 ||
            caffe_weights_read(weights, layer, i, &shape, arena, &values, err) < 0)
            return -1;
    return 0;
}

int fuzz_parse(const uint8_t *data, size_t size, struct error *err)
{
    struct caffe_weights *weights = caffe_weights_open(fuzz_file("input.caffemodel", data, size), err);
    struct arena *arena = arena_create(err);
    const char *name;
    size_t cursor = 0;
    int rc = weights != NULL && arena != NULL ? 0 : -1;

    while (rc == 0 && (name = caffe_weights_next(weights, &cursor)) != NULL)
        rc = read_layer(weights, name, arena, err);
    arena_destroy(arena);
    caffe_weights_close(weights);
    return rc;
}
