/* weights_hdf5.c — see weights_hdf5.h. */
#include "formats/caffe/weights_hdf5.h"

#include "common/memory.h"
#include "common/tensor.h"

#include <caffe.pb-c.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BLOBS = 16, MAX_DEPTH = 64, BUDGET_FACTOR = 64, BUDGET_BYTES = 64 << 20 };

/* One conversion under way. */
struct snapshot {
    struct arena *arena;
    Caffe__NetParameter net;
    size_t capacity; /* of net.layer */
    uint64_t budget; /* bytes that may still be read */
    struct error *err;
};

/* ---- Blobs */

/* Values that lie in other files are somebody else's. */
static bool is_self_contained(hid_t dataset)
{
    hid_t properties = H5Dget_create_plist(dataset);
    bool is = properties >= 0 && H5Pget_external_count(properties) == 0 && H5Pget_layout(properties) != H5D_VIRTUAL;

    if (properties >= 0)
        H5Pclose(properties);
    return is;
}

static int read_dims(hid_t dataset, hsize_t dims[TENSOR_MAX_RANK], int *rank)
{
    hid_t space = H5Dget_space(dataset);

    *rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (*rank >= 0 && *rank <= TENSOR_MAX_RANK)
        *rank = H5Sget_simple_extent_dims(space, dims, NULL);
    if (space >= 0)
        H5Sclose(space);
    return *rank < 0 || *rank > TENSOR_MAX_RANK ? -1 : 0;
}

static bool holds_floats(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    bool holds = type >= 0 && H5Tget_class(type) == H5T_FLOAT;

    if (type >= 0)
        H5Tclose(type);
    return holds;
}

static Caffe__BlobProto *new_blob(struct snapshot *s, const hsize_t *dims, int rank, size_t n)
{
    Caffe__BlobProto *blob = arena_create_array(s->arena, 1, sizeof *blob, s->err);
    Caffe__BlobShape *shape = blob == NULL ? NULL : arena_create_array(s->arena, 1, sizeof *shape, s->err);

    if (shape == NULL)
        return NULL;
    caffe__blob_proto__init(blob);
    caffe__blob_shape__init(shape);
    shape->dim = arena_create_array(s->arena, (size_t)rank, sizeof *shape->dim, s->err);
    blob->data = arena_create_array(s->arena, n, sizeof *blob->data, s->err);
    if (shape->dim == NULL || blob->data == NULL)
        return NULL;
    for (int i = 0; i < rank; i++)
        shape->dim[shape->n_dim++] = (int64_t)dims[i];
    blob->shape = shape;
    blob->n_data = n;
    return blob;
}

static Caffe__BlobProto *read_blob(struct snapshot *s, hid_t dataset)
{
    hsize_t dims[TENSOR_MAX_RANK];
    Caffe__BlobProto *blob;
    uint64_t n = 1;
    int rank;

    if (!is_self_contained(dataset) || !holds_floats(dataset) || read_dims(dataset, dims, &rank) < 0) {
        error_set(s->err, EX_DATAERR, "expected floats of at most %d axes in the file itself", TENSOR_MAX_RANK);
        return NULL;
    }
    for (int i = 0; i < rank && n > 0; i++)
        n = dims[i] > s->budget / sizeof(float) / n ? s->budget : n * dims[i];
    if (n > s->budget / sizeof(float)) {
        error_set(s->err, EX_DATAERR, "it claims more numbers than a file of this size may hold");
        return NULL;
    }
    s->budget -= n * sizeof(float);
    blob = new_blob(s, dims, rank, (size_t)n);
    if (blob != NULL && H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, blob->data) < 0) {
        error_set(s->err, EX_DATAERR, "its numbers cannot be read");
        return NULL;
    }
    return blob;
}

/* ---- Layers */

/* Objects come sorted by path, so a layer's blobs come one after the other. */
static Caffe__LayerParameter *take_layer(struct snapshot *s, const char *name, size_t length)
{
    Caffe__LayerParameter *layer = s->net.n_layer > 0 ? s->net.layer[s->net.n_layer - 1] : NULL;

    if (layer != NULL && strlen(layer->name) == length && memcmp(layer->name, name, length) == 0)
        return layer;
    layer = arena_create_array(s->arena, 1, sizeof *layer, s->err);
    if (layer == NULL || memory_grow((void **)&s->net.layer, &s->capacity, s->net.n_layer, sizeof(void *),
                                     "the layers of a snapshot", s->err) < 0)
        return NULL;
    caffe__layer_parameter__init(layer);
    layer->name = arena_format(s->arena, s->err, "%.*s", (int)length, name);
    layer->blobs = arena_create_array(s->arena, MAX_BLOBS, sizeof *layer->blobs, s->err);
    if (layer->name == NULL || layer->blobs == NULL)
        return NULL;
    return s->net.layer[s->net.n_layer++] = layer;
}

/* "conv1/0": the last part is the blob's number, what stands before it the layer's name, which may hold slashes. */
static int take_dataset(struct snapshot *s, hid_t dataset, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *end;
    unsigned long index = slash == NULL ? MAX_BLOBS : strtoul(slash + 1, &end, 10);
    Caffe__LayerParameter *layer;

    if (slash == NULL || end == slash + 1 || *end != '\0' || index >= MAX_BLOBS)
        return error_set(s->err, EX_DATAERR, "expected a name such as conv1/0");
    layer = take_layer(s, path, (size_t)(slash - path));
    if (layer == NULL || (layer->blobs[index] = read_blob(s, dataset)) == NULL)
        return -1;
    layer->n_blobs = index >= layer->n_blobs ? index + 1 : layer->n_blobs;
    return 0;
}

static size_t count_slashes(const char *path)
{
    size_t n = 0;

    for (; *path != '\0'; path++)
        n += *path == '/';
    return n;
}

/* Links to other places are not followed. The library descends into a group after it has called us, and copies the
 * whole path at each step: without a limit a small file of nested groups would take hours. */
static herr_t visit(hid_t group, const char *path, const H5L_info_t *info, void *context)
{
    struct snapshot *s = context;
    hid_t object;
    int rc = 0;

    if (count_slashes(path) >= MAX_DEPTH)
        return error_set(s->err, EX_DATAERR, "groups are nested deeper than %d", MAX_DEPTH);
    object = info->type == H5L_TYPE_HARD ? H5Oopen(group, path, H5P_DEFAULT) : H5I_INVALID_HID;
    if (object < 0)
        return 0;
    if (H5Iget_type(object) == H5I_DATASET && take_dataset(s, object, path) < 0)
        rc = error_in(s->err, "data/%s", path);
    H5Oclose(object);
    return rc;
}

static int check_layers(const struct snapshot *s)
{
    if (s->net.n_layer == 0)
        return error_set(s->err, EX_DATAERR, "its group \"data\" holds no blob");
    for (size_t i = 0; i < s->net.n_layer; i++)
        for (size_t k = 0; k < s->net.layer[i]->n_blobs; k++)
            if (s->net.layer[i]->blobs[k] == NULL)
                return error_set(s->err, EX_DATAERR, "data/%s has %zu blobs, but none called %zu",
                                 s->net.layer[i]->name, s->net.layer[i]->n_blobs, k);
    return 0;
}

static int read_layers(struct snapshot *s, const char *path)
{
    hid_t file, data;
    H5L_info_t link;
    int rc;

    H5dont_atexit(); /* as in formats/archive */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return error_set(s->err, EX_DATAERR, "it is no HDF5 file, or a damaged one");
    data = H5Lget_info(file, "data", &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD
               ? H5Gopen2(file, "data", H5P_DEFAULT)
               : H5I_INVALID_HID; /* nor is a link to another file's followed, which no fingerprint would know */
    if (data < 0) {
        rc = error_set(s->err, EX_DATAERR, "it has no group \"data\": it is no snapshot of Caffe's");
    } else {
        rc = H5Lvisit(data, H5_INDEX_NAME, H5_ITER_INC, visit, s) < 0 ? -1 : check_layers(s);
        if (rc < 0 && s->err->code == 0)
            error_set(s->err, EX_DATAERR, "its group \"data\" cannot be read");
        H5Gclose(data);
    }
    H5Fclose(file);
    return rc;
}

int caffe_weights_from_hdf5(const char *path, uint64_t file_size, uint8_t **bytes, size_t *size, struct error *err)
{
    struct error why = {0};
    struct snapshot s = {.arena = arena_create(err),
                         .net = CAFFE__NET_PARAMETER__INIT,
                         .budget = file_size * BUDGET_FACTOR + BUDGET_BYTES,
                         .err = &why};
    int rc = -1;

    if (s.arena == NULL)
        return -1;
    if (read_layers(&s, path) == 0) {
        *size = caffe__net_parameter__get_packed_size(&s.net);
        *bytes = memory_create(*size, 1, "weights", &why);
        if (*bytes != NULL) {
            caffe__net_parameter__pack(&s.net, *bytes);
            rc = 0;
        }
    }
    free(s.net.layer);
    arena_destroy(s.arena);
    return rc == 0 ? 0 : error_set(err, why.code, "%s", why.text);
}
