/* mean.c — see mean.h. */
#include "formats/caffe/mean.h"

#include "formats/proto_guard.h"

#include <caffe.pb-c.h>

/* dims[4]: one picture. Negative numbers fail the count that is made of them. */
static int find_dims(const Caffe__BlobProto *blob, int64_t dims[4], struct error *err)
{
    if (blob->has_num || blob->has_channels || blob->has_height || blob->has_width) {
        dims[0] = blob->num;
        dims[1] = blob->channels;
        dims[2] = blob->height;
        dims[3] = blob->width;
    } else {
        size_t rank = blob->shape == NULL ? 0 : blob->shape->n_dim;

        if (rank == 0 || rank > 4)
            return error_set(err, EX_DATAERR, "expected a mean of 1 to 4 dims, found %zu", rank);
        for (size_t i = 0; i < 4; i++)
            dims[i] = i < 4 - rank ? 1 : blob->shape->dim[i - (4 - rank)];
    }
    return dims[0] == 1 ? 0 : error_set(err, EX_DATAERR, "expected one mean picture, found %lld", (long long)dims[0]);
}

static int check_count(const int64_t dims[4], size_t n_values, struct error *err)
{
    size_t n = 1;

    for (int i = 1; i < 4; i++)
        if (dims[i] <= 0 || !size_multiply(n, (size_t)dims[i], &n) || n > n_values)
            n = SIZE_MAX / 2;
    if (n == n_values)
        return 0;
    return error_set(err, EX_DATAERR, "expected a mean of %lldx%lldx%lld values, found %zu values", (long long)dims[1],
                     (long long)dims[2], (long long)dims[3], n_values);
}

static int take_blob(const Caffe__BlobProto *blob, struct step_file *file, struct arena *arena, struct error *err)
{
    size_t n = blob->n_data > 0 ? blob->n_data : blob->n_double_data;
    int64_t dims[4];
    float *values;

    if (find_dims(blob, dims, err) < 0 || check_count(dims, n, err) < 0)
        return -1;
    values = arena_create_array(arena, n, sizeof *values, err);
    if (values == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        values[i] = blob->n_data > 0 ? blob->data[i] : (float)blob->double_data[i];
    file->channels = (size_t)dims[1];
    file->height = (size_t)dims[2];
    file->width = (size_t)dims[3];
    file->values = values;
    return 0;
}

int caffe_mean_parse(const uint8_t *bytes, size_t size, struct step_file *file, struct arena *arena, struct error *err)
{
    ProtobufCMessage *message = proto_unpack(&caffe__blob_proto__descriptor, bytes, size, proto_budget(size), err);
    int rc = message == NULL ? -1 : take_blob((const Caffe__BlobProto *)message, file, arena, err);

    proto_free(message);
    return rc;
}
