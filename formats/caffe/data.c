/* data.c — what a data layer says of its records; see data.h. What it does to them is in transform.c. */
#include "formats/caffe/data.h"

#include "formats/caffe/build.h"
#include "formats/caffe/net.h"
#include "formats/proto_guard.h"

#include <string.h>
#include <unistd.h>

/* ---- Paths */

const char *caffe_find_path(const char *prototxt, const char *name, struct arena *arena, struct error *err)
{
    const char *slash = strrchr(prototxt, '/'), *beside;

    if (name[0] == '/' || slash == NULL)
        return arena_copy_string(arena, name, err);
    beside = arena_format(arena, err, "%.*s/%s", (int)(slash - prototxt), prototxt, name);
    if (beside != NULL && access(beside, F_OK) != 0 && access(name, F_OK) == 0)
        return arena_copy_string(arena, name, err);
    return beside;
}

/* ---- Records */

static int use_database(const struct caffe_layer *layer, const char *prototxt, struct arena *arena,
                        struct model_data *data, struct error *err)
{
    const Caffe__DataParameter *param = layer->param->data_param;
    struct dataset_request *records = &data->records;
    const char *file;

    if (param == NULL || param->source == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it names no source: name a dataset in the job");
    records->path = caffe_find_path(prototxt, param->source, arena, err);
    file = records->path == NULL ? NULL : arena_format(arena, err, "%s/data.mdb", records->path);
    if (file == NULL)
        return -1;
    /* LevelDB is Caffe's default, which a file that was written for other readers may forget to change. */
    records->kind =
        param->backend == CAFFE__DATA_PARAMETER__DB__LMDB || (!param->has_backend && access(file, F_OK) == 0)
            ? "lmdb"
            : "leveldb";
    data->batch = param->batch_size;
    return 0;
}

/* Paths in the list are those of Caffe: behind root_folder, or from the current folder on. */
static int use_image_list(const struct caffe_layer *layer, const char *prototxt, struct arena *arena,
                          struct model_data *data, struct error *err)
{
    const Caffe__ImageDataParameter *param = layer->param->image_data_param;
    const char *folder;

    if (param == NULL || param->source == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it names no source: name a dataset in the job");
    folder = param->root_folder != NULL && param->root_folder[0] != '\0' ? param->root_folder : ".";
    data->records.kind = "images";
    data->records.list = caffe_find_path(prototxt, param->source, arena, err);
    data->records.path = caffe_find_path(prototxt, folder, arena, err);
    data->batch = param->batch_size;
    return data->records.list == NULL || data->records.path == NULL ? -1 : 0;
}

/* Layers whose records lie where we can read them. */
static const struct {
    const char *type;
    int (*use)(const struct caffe_layer *layer, const char *prototxt, struct arena *arena, struct model_data *data,
               struct error *err);
} sources[] = {{"Data", use_database}, {"AnnotatedData", use_database}, {"ImageData", use_image_list}};

static int describe_records(const struct caffe_layer *layer, const char *prototxt, struct arena *arena,
                            struct model_data *data, struct error *err)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strcmp(sources[i].type, layer->type) == 0)
            return sources[i].use(layer, prototxt, arena, data, err);
    return caffe_error(layer, err, EX_UNAVAILABLE, "its records are not read: name a dataset in the job");
}

static int read_first(const struct dataset_request *request, int64_t chw[3], struct error *err)
{
    struct dataset *dataset = dataset_open(request, err);
    struct dataset_cursor *cursor = dataset == NULL ? NULL : dataset_cursor_open(dataset, err);
    struct record record = {0};
    int rc = cursor == NULL ? -1 : dataset_read(cursor, 0, &record, err);

    chw[0] = (int64_t)record.channels;
    chw[1] = (int64_t)record.height;
    chw[2] = (int64_t)record.width;
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    return rc;
}

int caffe_peek_record(const struct caffe_layer *layer, const char *prototxt, int64_t chw[3], struct error *err)
{
    struct arena *scratch = arena_create(err);
    struct model_data data = {0};
    int rc = -1;

    if (scratch != NULL && describe_records(layer, prototxt, scratch, &data, err) == 0) {
        data.records.limit = 1;
        rc = read_first(&data.records, chw, err);
    }
    arena_destroy(scratch);
    return rc;
}

/* ---- The layer */

/* The data layer that feeds the network's first input; NULL: another kind of layer, or the network was cut behind it.
 */
static const Caffe__LayerParameter *find_layer(const struct caffe_net *net, const struct graph *graph)
{
    const char *input = graph->n_inputs > 0 ? graph->values[graph->inputs[0]].name : "";

    for (size_t i = 0; i < net->n_layers; i++) {
        const Caffe__LayerParameter *layer = net->layers[i];
        const struct caffe_kind *kind = caffe_kind_find(layer->type);

        if (kind != NULL && kind->role == CAFFE_DATA && layer->n_top > 0 && strcmp(layer->top[0], input) == 0)
            return layer;
    }
    return NULL;
}

static int describe(const struct model_request *request, const struct graph *graph, const struct caffe_net *net,
                    unsigned parts, struct model_data *data, struct error *err)
{
    const Caffe__LayerParameter *param = find_layer(net, graph);
    struct caffe_layer layer = {.param = param};
    const struct shape *shape;

    if (param == NULL)
        return 0;
    layer.name = param->name;
    layer.type = param->type;
    shape = &graph->values[graph->inputs[0]].shape;
    data->origin = arena_format(graph->arena, err, "layer \"%s\" (%s)", layer.name, layer.type);
    if (data->origin == NULL ||
        ((parts & MODEL_DATA_RECORDS) != 0 && describe_records(&layer, request->file, graph->arena, data, err) < 0))
        return -1;
    data->has_preprocess =
        (parts & MODEL_DATA_PREPROCESS) != 0 && (param->transform_param != NULL || param->image_data_param != NULL);
    return data->has_preprocess ? caffe_transform(&layer, request->file, shape->rank == 4 ? (size_t)shape->dims[1] : 0,
                                                  graph->arena, &data->preprocess, err)
                                : 0;
}

int caffe_describe_data(const struct model_request *request, const struct graph *graph, unsigned parts,
                        struct model_data *data, struct error *err)
{
    struct bytes file = {0};
    struct arena *scratch;
    Caffe__NetParameter *message;
    struct caffe_net net;
    int rc = -1;

    if (bytes_read(request->file, MODEL_MAX_BYTES, &file, err) < 0)
        return -1;
    scratch = arena_create(err);
    message = scratch == NULL ? NULL : caffe_net_parse(request->file, &file, false, err);
    if (message != NULL && caffe_net_init(&net, message, scratch, err) == 0)
        rc = describe(request, graph, &net, parts, data, err);
    if (rc < 0)
        error_in(err, "%s", request->file);
    proto_free((ProtobufCMessage *)message);
    arena_destroy(scratch);
    bytes_free(&file);
    return rc;
}
