/* net.c — see net.h. Reference: Caffe's Net::FilterNet. */
#include "formats/caffe/net.h"

#include "common/log.h"
#include "formats/caffe/layers.h"
#include "formats/caffe/upgrade.h"
#include "formats/proto_text.h"

#include <string.h>

/* ---- The text */

static bool has_ending(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);

    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

bool caffe_is_text_name(const char *path)
{
    return has_ending(path, ".prototxt");
}

bool caffe_is_weights_name(const char *path)
{
    return has_ending(path, ".caffemodel") || has_ending(path, ".fp32umodel") || has_ending(path, ".caffemodel.h5");
}

struct text_warnings {
    struct proto_text_listener listener;
    const char *path;
};

static void warn(struct proto_text_listener *self, const char *text)
{
    log_warning("%s: %s", ((struct text_warnings *)self)->path, text);
}

Caffe__NetParameter *caffe_net_parse(const char *path, const struct bytes *file, bool with_warnings, struct error *err)
{
    struct text_warnings warnings = {{warn}, path};

    if (caffe_is_weights_name(path)) {
        error_set(err, EX_DATAERR,
                  "it holds weights: name the .prototxt under model.file, and this file under model.weights");
        return NULL;
    }
    return (Caffe__NetParameter *)proto_text_parse(&caffe__net_parameter__descriptor, file->data, file->size,
                                                   with_warnings ? &warnings.listener : NULL, err);
}

/* ---- Phases */

static bool has_stage(const Caffe__NetState *state, const char *stage)
{
    for (size_t i = 0; state != NULL && i < state->n_stage; i++)
        if (strcmp(state->stage[i], stage) == 0)
            return true;
    return false;
}

/* Every condition that is present holds. The phase is TEST whatever the file's state says: that is what we calibrate.
 */
static bool is_met(const Caffe__NetStateRule *rule, const Caffe__NetState *state)
{
    int32_t level = state != NULL ? state->level : 0;

    if ((rule->has_phase && rule->phase != CAFFE__PHASE__TEST) || (rule->has_min_level && level < rule->min_level) ||
        (rule->has_max_level && level > rule->max_level))
        return false;
    for (size_t i = 0; i < rule->n_stage; i++)
        if (!has_stage(state, rule->stage[i]))
            return false;
    for (size_t i = 0; i < rule->n_not_stage; i++)
        if (has_stage(state, rule->not_stage[i]))
            return false;
    return true;
}

static bool is_included(const Caffe__LayerParameter *layer, const Caffe__NetState *state)
{
    for (size_t i = 0; i < layer->n_include; i++)
        if (is_met(layer->include[i], state))
            return true;
    for (size_t i = 0; i < layer->n_exclude; i++)
        if (is_met(layer->exclude[i], state))
            return false;
    return layer->n_include == 0;
}

/* ---- The net */

static bool is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

/* A shallow copy: ours to complete, while the parser's message goes on owning every string and sub-message. */
static Caffe__LayerParameter *copy_layer(const Caffe__LayerParameter *from, struct arena *scratch, struct error *err)
{
    Caffe__LayerParameter *layer = arena_create_array(scratch, 1, sizeof *layer, err);

    if (layer != NULL)
        *layer = *from;
    return layer;
}

/* A loss without a top gets one, as Caffe gives it: its prediction is what we want of it. */
static int name_prediction(Caffe__LayerParameter *layer, struct arena *scratch, struct error *err)
{
    const struct caffe_kind *kind = caffe_kind_find(layer->type);

    if (kind == NULL || kind->role != CAFFE_LOSS_HEAD || layer->n_top > 0)
        return 0;
    layer->top = arena_create_array(scratch, 1, sizeof *layer->top, err);
    if (layer->top == NULL)
        return -1;
    layer->top[0] = layer->name;
    layer->n_top = 1;
    return 0;
}

static int add_layer(struct caffe_net *net, Caffe__LayerParameter *layer, const Caffe__NetState *state, size_t number,
                     struct arena *scratch, struct error *err)
{
    if (is_empty(layer->type))
        return error_set(err, EX_DATAERR, "layer %zu (\"%s\") has no type", number,
                         is_empty(layer->name) ? "no name" : layer->name);
    if (layer->n_include > 0 && layer->n_exclude > 0)
        return error_set(err, EX_DATAERR, "layer %zu (\"%s\") has both include and exclude rules", number,
                         is_empty(layer->name) ? "no name" : layer->name);
    if (is_empty(layer->name)) /* Caffe allows it; messages and nodes need one */
        layer->name = layer->n_top > 0 && !is_empty(layer->top[0]) ? layer->top[0] : layer->type;
    if (!is_included(layer, state))
        return 0;
    net->layers[net->n_layers++] = layer;
    return name_prediction(layer, scratch, err);
}

int caffe_net_init(struct caffe_net *net, const Caffe__NetParameter *message, struct arena *scratch, struct error *err)
{
    size_t n = message->n_layer + message->n_layers;
    Caffe__LayerParameter *layer;

    if (message->n_layer > 0 && message->n_layers > 0)
        return error_set(err, EX_DATAERR, "it holds both \"layer\" (%zu) and legacy \"layers\" (%zu)", message->n_layer,
                         message->n_layers);
    if (n == 0)
        return error_set(err, EX_DATAERR, "it holds no layer");
    *net = (struct caffe_net){.name = message->name != NULL ? message->name : ""};
    net->layers = arena_create_array(scratch, n + 1, sizeof *net->layers, err);
    if (net->layers == NULL)
        return -1;
    if (message->n_input > 0) {
        layer = caffe_upgrade_inputs(message, scratch, err);
        if (layer == NULL)
            return -1;
        net->layers[net->n_layers++] = layer;
    }
    for (size_t i = 0; i < n; i++) {
        layer = message->n_layer > 0 ? copy_layer(message->layer[i], scratch, err)
                                     : caffe_upgrade_layer(message->layers[i], scratch, err);
        if (layer == NULL || add_layer(net, layer, message->state, i + 1, scratch, err) < 0)
            return -1;
    }
    return 0;
}
