/* import.c — Caffe: a prototxt and a caffemodel into a graph.
 *
 * The prototxt alone decides topology and parameters; of the caffemodel only the weights are read, matched by layer
 * name. The network is the one that runs at test time. Steps: parse the text, upgrade and filter the layers (net),
 * resolve who writes and reads which blob (wiring), choose the outputs and what they need, then turn layer after layer
 * into nodes.
 */
#include "common/log.h"
#include "formats/caffe/build.h"
#include "formats/caffe/codes.h"
#include "formats/caffe/data.h"
#include "formats/caffe/integers.h"
#include "formats/caffe/sharing.h"
#include "formats/caffe/wiring.h"
#include "formats/proto_guard.h"

#include <stdlib.h>
#include <string.h>

/* ---- Recognising */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A word of the text format in the first kilobytes: `word` followed by blanks and then `mark`. */
static bool mentions(const struct bytes *file, const char *word, char mark)
{
    const char *text = (const char *)file->data;
    size_t n = file->size < 16384 ? file->size : 16384, length = strlen(word);

    for (size_t i = 0; i + length < n; i++) {
        size_t j = i + length;

        if (memcmp(text + i, word, length) != 0 || (i > 0 && is_word_byte(text[i - 1])))
            continue;
        while (j < n && (text[j] == ' ' || text[j] == '\t' || text[j] == '\r' || text[j] == '\n'))
            j++;
        if (j < n && text[j] == mark)
            return true;
    }
    return false;
}

static int recognise(const char *path, const struct bytes *file)
{
    bool is_text = memchr(file->data, '\0', file->size < 16384 ? file->size : 16384) == NULL;

    if (is_text && (mentions(file, "layer", '{') || mentions(file, "layers", '{') || mentions(file, "input_dim", ':')))
        return 2;
    return caffe_is_text_name(path) || caffe_is_weights_name(path);
}

/* ---- Importing */

static int refuse(const struct caffe_layer *layer, const struct caffe_kind *kind, struct error *err)
{
    if (kind != NULL && kind->reason != NULL)
        return caffe_error(layer, err, EX_UNAVAILABLE, "it is not supported: %s; choose model.outputs above it",
                           kind->reason);
    return caffe_error(layer, err, EX_UNAVAILABLE,
                       "the caffe importer does not know this type of layer: choose model.outputs above it, replace "
                       "it, or add it to formats/caffe/layers.c");
}

/* Of two bottoms the second is the label, of two tops the first the loss. */
static void keep_prediction(struct caffe_layer *layer)
{
    if (layer->n_bottoms > 1)
        layer->n_bottoms = 1;
    if (layer->n_tops > 1) {
        layer->tops += layer->n_tops - 1;
        layer->n_tops = 1;
    }
}

static int import_layer(struct caffe_import *in, size_t index, struct arena *scratch, struct error *err)
{
    const Caffe__LayerParameter *param = in->wiring->net->layers[index];
    const struct caffe_kind *kind = caffe_kind_find(param->type);
    struct caffe_layer layer = {
        param, param->name, param->type, param->n_bottom, param->n_top, NULL, in->wiring->layers[index].tops};
    size_t first = in->graph->n_nodes;
    int *bottoms;

    if (kind == NULL || kind->import == NULL)
        return refuse(&layer, kind, err);
    bottoms = arena_create_array(scratch, param->n_bottom, sizeof *bottoms, err);
    if (bottoms == NULL)
        return -1;
    for (size_t i = 0; i < param->n_bottom; i++)
        bottoms[i] = in->wiring->blobs[in->wiring->layers[index].bottoms[i]].value;
    layer.bottoms = bottoms;
    if (kind->role == CAFFE_LOSS_HEAD)
        keep_prediction(&layer);
    return kind->import(in, &layer, err) < 0 ? -1 : caffe_note_codes(in, &layer, first, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Weights that no layer of the network bears the name of: harmless after a cut, telling after a slip of a name. */
static int mention_unused_weights(const struct caffe_import *in, struct arena *scratch, struct error *err)
{
    const struct caffe_net *net = in->wiring->net;
    const char **names = arena_create_array(scratch, net->n_layers, sizeof *names, err), *name, *first = NULL;
    size_t cursor = 0, n_unused = 0;

    if (names == NULL)
        return -1;
    for (size_t i = 0; i < net->n_layers; i++)
        names[i] = net->layers[i]->name;
    qsort(names, net->n_layers, sizeof *names, compare_names);
    while (in->weights != NULL && (name = caffe_weights_next(in->weights, &cursor)) != NULL)
        if (bsearch(&name, names, net->n_layers, sizeof *names, compare_names) == NULL) {
            first = first == NULL ? name : first;
            n_unused++;
        }
    if (n_unused > 0)
        log_info("%s: weights of %zu layers are not in the network, the first is \"%s\"", in->request->weights,
                 n_unused, first);
    return 0;
}

/* What runs behind the network on its results is not quantized: its bottoms are the outputs then. */
static void mention_decoders(const struct caffe_import *in)
{
    const struct caffe_net *net = in->wiring->net;

    for (size_t i = 0; i < net->n_layers; i++) {
        const struct caffe_kind *kind = caffe_kind_find(net->layers[i]->type);

        if (kind != NULL && kind->role == CAFFE_DECODES)
            log_warning("%s: layer \"%s\" (%s) stays outside: it works in float on the network's outputs",
                        in->request->file, net->layers[i]->name, net->layers[i]->type);
    }
}

/* A constant (the boxes of a detector) needs no calibration and is no output of ours, unless the job asks for it: then
 * graph_validate says what is wrong with it. */
static int add_outputs(struct caffe_import *in, const int *outputs, size_t n_outputs, struct error *err)
{
    for (size_t i = 0; i < n_outputs; i++) {
        const struct caffe_blob *blob = &in->wiring->blobs[outputs[i]];

        if (in->graph->values[blob->value].is_constant && in->request->n_outputs == 0)
            log_info("%s: \"%s\" does not depend on the input: it is no output", in->request->file, blob->name);
        else if (graph_add_output(in->graph, blob->value, err) < 0)
            return -1;
    }
    return in->graph->n_outputs > 0 ? 0 : error_set(err, EX_DATAERR, "its outputs do not depend on its inputs");
}

static int import_layers(struct caffe_import *in, struct arena *scratch, struct error *err)
{
    int *outputs;
    size_t n_outputs;

    if (caffe_wiring_select(in->wiring, in->request, &outputs, &n_outputs, scratch, err) < 0)
        return -1;
    if (in->request->n_outputs == 0)
        mention_decoders(in);
    for (size_t i = 0; i < in->wiring->net->n_layers; i++)
        if (in->wiring->layers[i].is_needed && import_layer(in, i, scratch, err) < 0)
            return -1;
    return add_outputs(in, outputs, n_outputs, err) < 0 || caffe_join_activations(in, err) < 0
               ? -1
               : mention_unused_weights(in, scratch, err);
}

/* A nameless network is called by its file's name, without folder and extension. */
static char *net_name(struct graph *graph, const char *name, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/'), *stem = slash != NULL ? slash + 1 : path;

    return *name != '\0' ? arena_copy_string(graph->arena, name, err)
                         : arena_format(graph->arena, err, "%.*s", (int)strcspn(stem, "."), stem);
}

static int import_net(struct caffe_import *in, const Caffe__NetParameter *message, struct error *err)
{
    struct arena *scratch = arena_create(err);
    struct caffe_sharing sharing = {0};
    struct caffe_wiring wiring = {0};
    struct caffe_net net;
    int rc = -1;

    if (scratch == NULL)
        return -1;
    in->has_integers = in->weights != NULL && caffe_weights_hold_integers(in->weights);
    in->int8_scale = message->has_int8_scale ? message->int8_scale : 0;
    in->wiring = &wiring;
    in->sharing = &sharing;
    if (caffe_net_init(&net, message, scratch, err) == 0 &&
        (in->graph->name = net_name(in->graph, net.name, in->request->file, err)) != NULL &&
        caffe_wiring_init(&wiring, &net, in->request, scratch, err) == 0 &&
        caffe_sharing_init(&sharing, &net, in->weights, scratch, err) == 0)
        rc = import_layers(in, scratch, err);
    caffe_sharing_fini(&sharing);
    caffe_wiring_fini(&wiring);
    arena_destroy(scratch);
    return rc;
}

static int open_weights(struct caffe_import *in, struct error *err)
{
    const char *path = in->request->weights;

    if (torch_weights_recognise(path))
        in->checkpoint = torch_weights_open(path, err);
    else
        in->weights = caffe_weights_open(path, err);
    return in->checkpoint == NULL && in->weights == NULL ? -1 : 0;
}

/* A checkpoint is of this network, or of another. Chosen outputs need a part of it. */
static int finish_weights(const struct caffe_import *in, struct error *err)
{
    return in->checkpoint == NULL || in->request->n_outputs > 0 ? 0 : torch_weights_finish(in->checkpoint, err);
}

static int import(const struct model_request *request, struct graph *graph, struct error *err)
{
    struct caffe_import in = {.request = request, .graph = graph, .declared_batch = 1};
    Caffe__NetParameter *message = NULL;
    struct bytes file = {0};
    int rc = -1;

    if (bytes_read(request->file, MODEL_MAX_BYTES, &file, err) < 0)
        return -1; /* the message starts with the path */
    if (request->weights != NULL && open_weights(&in, err) < 0) {
        bytes_free(&file);
        return -1; /* likewise */
    }
    message = caffe_net_parse(request->file, &file, true, err);
    if (message == NULL || import_net(&in, message, err) < 0 || finish_weights(&in, err) < 0)
        error_in(err, "%s", request->file);
    else
        rc = 0;
    proto_free((ProtobufCMessage *)message);
    caffe_weights_close(in.weights);
    torch_weights_close(in.checkpoint);
    bytes_free(&file);
    return rc;
}

const struct importer importer_caffe = {
    .name = "caffe",
    .summary = "Caffe: .prototxt, with .caffemodel, its HDF5 form or a PyTorch checkpoint as weights",
    .recognise = recognise,
    .import = import,
    .describe_data = caffe_describe_data,
};
