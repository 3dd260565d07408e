/* export_data.c — data layers and accuracies of a test prototxt; see export_data.h. */
#include "formats/caffe/export_data.h"

#include <string.h>

/* What the writer kept of a failure goes to the caller. */
static int give_error(const struct caffe_writer *w, struct error *err)
{
    return error_set(err, w->err.code, "%s", w->err.text);
}

/* ---- Data layers */

static Caffe__NetStateRule *put_test_rule(struct caffe_writer *w, Caffe__LayerParameter *layer)
{
    Caffe__NetStateRule *rule = caffe_put_message(w, &caffe__net_state_rule__descriptor);

    if (rule == NULL || (layer->include = arena_create_array(w->arena, 1, sizeof *layer->include, &w->err)) == NULL)
        return NULL;
    rule->has_phase = true;
    rule->phase = CAFFE__PHASE__TEST;
    layer->include[layer->n_include++] = rule;
    return rule;
}

/* A batch that the network was written for holds before the one that its source names. */
static int use_data_layer(struct caffe_writer *w, Caffe__LayerParameter *layer, const struct dataset_request *records,
                          uint64_t batch, struct error *err)
{
    Caffe__DataParameter *param = caffe_put_message(w, &caffe__data_parameter__descriptor);
    int64_t written = layer->input_param->shape[0]->dim[0];

    if (records->kind != NULL && strcmp(records->kind, "lmdb") != 0 && strcmp(records->kind, "leveldb") != 0)
        return error_set(err, EX_UNAVAILABLE, "a Data layer reads an LMDB or LevelDB, no dataset of kind \"%s\"",
                         records->kind);
    if (param == NULL || put_test_rule(w, layer) == NULL)
        return give_error(w, err);
    param->source = records->path != NULL ? arena_copy_string(w->arena, records->path, err)
                                          : arena_format(w->arena, err, "%s_lmdb", layer->top[0]);
    if (param->source == NULL)
        return -1;
    param->has_batch_size = param->has_backend = true;
    param->batch_size = written == 1 && batch > 0 && batch < UINT32_MAX ? (uint32_t)batch : (uint32_t)written;
    param->backend = records->kind != NULL && strcmp(records->kind, "leveldb") == 0 ? CAFFE__DATA_PARAMETER__DB__LEVELDB
                                                                                    : CAFFE__DATA_PARAMETER__DB__LMDB;
    layer->type = "Data";
    layer->input_param = NULL;
    layer->data_param = param;
    return 0;
}

int caffe_use_data_layers(struct caffe_writer *w, const struct model_data *data, struct error *err)
{
    static const struct dataset_request nothing = {0};
    bool is_first = true;

    for (size_t i = 0; i < w->net.n_layer; i++) {
        Caffe__LayerParameter *layer = w->net.layer[i];

        if (layer->input_param == NULL)
            continue;
        if (use_data_layer(w, layer, is_first ? &data->records : &nothing, is_first ? data->batch : 0, err) < 0)
            return -1;
        if (is_first && data->has_preprocess && data->preprocess.n_steps > 0 &&
            (layer->transform_param = caffe_put_transform(w, &data->preprocess, err)) == NULL)
            return -1;
        is_first = false;
    }
    return 0;
}

/* ---- Accuracies */

static Caffe__LayerParameter *first_data_layer(const struct caffe_writer *w)
{
    for (size_t i = 0; i < w->net.n_layer; i++)
        if (w->net.layer[i]->data_param != NULL)
            return w->net.layer[i];
    return NULL;
}

static const char *free_name(struct caffe_writer *w, const char *name)
{
    return graph_find_value(w->graph, name) == GRAPH_NONE && graph_find_node(w->graph, name) == GRAPH_NONE
               ? name
               : caffe_fresh_name(w, w->graph->name, name);
}

/* The second top of a Data layer. */
static const char *put_label(struct caffe_writer *w)
{
    Caffe__LayerParameter *layer = first_data_layer(w);
    char **tops = arena_create_array(w->arena, 2, sizeof *tops, &w->err);
    char *label = arena_copy_string(w->arena, free_name(w, "label"), &w->err);

    if (tops == NULL || label == NULL || layer == NULL)
        return NULL;
    tops[0] = layer->top[0];
    tops[1] = label;
    layer->top = tops;
    layer->n_top = 2;
    return label;
}

static void put_accuracy(struct caffe_writer *w, const char *name, const char *scores, const char *label, uint32_t k)
{
    const char *bottoms[] = {scores, label}, *top = free_name(w, name);
    Caffe__LayerParameter *layer = caffe_put_layer(w, "Accuracy", top, bottoms, 2, &top, 1);
    Caffe__AccuracyParameter *param = caffe_put_message(w, &caffe__accuracy_parameter__descriptor);

    if (layer == NULL || param == NULL || put_test_rule(w, layer) == NULL)
        return;
    param->has_top_k = true;
    param->top_k = k;
    layer->accuracy_param = param;
}

int caffe_put_accuracy(struct caffe_writer *w, struct error *err)
{
    const struct value *output = &w->graph->values[w->graph->outputs[0]];
    int64_t n_classes = output->shape.rank > 1 ? output->shape.dims[1] : 0;
    char text[SHAPE_TEXT_BYTES];
    const char *label;

    if (n_classes < 2 || shape_elements(&output->shape) != n_classes)
        return error_set(err, EX_UNAVAILABLE, "output \"%s\" is %s: accuracies are of one number a class", output->name,
                         shape_text(&output->shape, text));
    label = put_label(w);
    if (label != NULL)
        put_accuracy(w, "accuracy_top1", output->name, label, 1);
    if (label != NULL && n_classes >= 5)
        put_accuracy(w, "accuracy_top5", output->name, label, 5);
    return w->err.code != 0 ? give_error(w, err) : 0;
}
