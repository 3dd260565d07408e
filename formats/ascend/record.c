/* record.c — the record of scales and offsets: from a plan, to text and back; see ascend.h. */
#include "formats/ascend/ascend.h"

#include "formats/proto_guard.h"
#include "formats/proto_text.h"
#include "formats/proto_text_write.h"
#include "formats/text_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef Ascend__ScaleOffsetRecord record_message;
typedef Ascend__ScaleOffsetRecord__Entry record_entry;
typedef Ascend__SingleLayerRecord layer_message;

/* ---- from a plan ---- */

/* A record while it grows. */
struct maker {
    struct arena *arena;
    record_message *record;
    size_t capacity;
};

static int maker_init(struct maker *maker, struct arena *arena, size_t most, struct error *err)
{
    *maker = (struct maker){.arena = arena, .capacity = most};
    maker->record = arena_create_array(arena, 1, sizeof *maker->record, err);
    if (maker->record == NULL)
        return -1;
    ascend__scale_offset_record__init(maker->record);
    maker->record->record = arena_create_array(arena, most, sizeof *maker->record->record, err);
    return maker->record->record == NULL ? -1 : 0;
}

/* scales[0..n) of weights; n 0: it has none. */
static int add_layer(struct maker *maker, const char *name, const struct plan_value *input, const float *scales,
                     size_t n, struct error *err)
{
    record_entry *entry = arena_create_array(maker->arena, 1, sizeof *entry, err);
    layer_message *layer = arena_create_array(maker->arena, 1, sizeof *layer, err);

    if (entry == NULL || layer == NULL)
        return -1;
    ascend__scale_offset_record__entry__init(entry);
    ascend__single_layer_record__init(layer);
    entry->key = arena_copy_string(maker->arena, name, err);
    entry->value = layer;
    layer->has_scale_d = layer->has_offset_d = 1;
    layer->scale_d = input->scale[0];
    layer->offset_d = input->codes.zero_point;
    layer->scale_w = arena_create_array(maker->arena, n, sizeof *layer->scale_w, err);
    layer->offset_w = arena_create_array(maker->arena, n, sizeof *layer->offset_w, err);
    if (entry->key == NULL || layer->scale_w == NULL || layer->offset_w == NULL)
        return -1;
    layer->n_scale_w = layer->n_offset_w = n;
    if (n > 0)
        memcpy(layer->scale_w, scales, n * sizeof *scales);
    maker->record->record[maker->record->n_record++] = entry;
    return 0;
}

/* The layers that one node of the graph became: one, or one a group, which share out its scales. */
static int add_node(struct maker *maker, const struct tf_writer *w, const struct plan *plan, size_t n,
                    struct error *err)
{
    const struct plan_node *planned = &plan->nodes[n];
    const struct plan_value *input = &plan->values[w->graph->nodes[n].inputs[0]];
    size_t layers = 0, at = 0;

    for (size_t i = w->begin[n]; i < w->begin[n + 1]; i++)
        layers += ascend_operator_find(w->nodes[i]->op) != NULL;
    for (size_t i = w->begin[n]; i < w->begin[n + 1]; i++) {
        const struct ascend_operator *kind = ascend_operator_find(w->nodes[i]->op);
        bool has_weights = kind != NULL && kind->weights != ASCEND_NO_WEIGHTS;
        size_t scales = planned->n_weight_scales == 1 || !has_weights ? has_weights : planned->n_weight_scales / layers;

        if (kind == NULL)
            continue;
        if (add_layer(maker, w->nodes[i]->name, input, planned->weight_scale + at, scales, err) != 0)
            return -1;
        at += planned->n_weight_scales == 1 ? 0 : scales;
    }
    return 0;
}

record_message *ascend_record_of_plan(struct tf_writer *w, const struct plan *plan, struct error *err)
{
    struct maker maker;

    if (maker_init(&maker, w->arena, w->n_nodes, err) != 0)
        return NULL;
    for (size_t n = 0; n < w->graph->n_nodes; n++)
        if (plan->nodes[n].is_quantized && add_node(&maker, w, plan, n, err) != 0)
            return NULL;
    return maker.record;
}

record_message *ascend_record_of_nodes(const struct plan *plan, struct arena *arena, struct error *err)
{
    struct maker maker;

    if (maker_init(&maker, arena, plan->graph->n_nodes, err) != 0)
        return NULL;
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];
        const struct plan_node *planned = &plan->nodes[n];

        if (planned->is_quantized && add_layer(&maker, node->name, &plan->values[node->inputs[0]],
                                               planned->weight_scale, planned->n_weight_scales, err) != 0)
            return NULL;
    }
    return maker.record;
}

/* ---- text ---- */

int ascend_record_write(const record_message *record, struct output *output, const char *folder, struct error *err)
{
    char *text;
    size_t size;
    int rc;

    if (proto_text_write(&record->base, NULL, &text, &size, err) != 0)
        return -1;
    rc = text_file_write(output, folder, "record.txt", text, size, err);
    free(text);
    return rc;
}

static bool is_scale(float scale)
{
    return isfinite(scale) && scale > 0;
}

static int check_layer(const layer_message *layer, struct error *err)
{
    if (layer == NULL || !layer->has_scale_d || !layer->has_offset_d)
        return error_set(err, EX_DATAERR, "expected scale_d and offset_d");
    if (!is_scale(layer->scale_d))
        return error_set(err, EX_DATAERR, "scale_d: expected a positive number, found %g", (double)layer->scale_d);
    if (layer->offset_d < -128 || layer->offset_d > 127)
        return error_set(err, EX_DATAERR, "offset_d: expected -128 to 127, found %d", (int)layer->offset_d);
    if (layer->n_shift_bit > 0)
        return error_set(err, EX_UNAVAILABLE, "shift_bit is of an older edition, and not supported");
    if (layer->skip_fusion)
        return error_set(err, EX_UNAVAILABLE, "skip_fusion: scales of layers that are not folded are not supported");
    if (layer->n_scale_w != layer->n_offset_w)
        return error_set(err, EX_DATAERR, "expected as many offset_w as scale_w, found %zu and %zu", layer->n_offset_w,
                         layer->n_scale_w);
    for (size_t i = 0; i < layer->n_scale_w; i++) {
        if (!is_scale(layer->scale_w[i]) || !isnormal(layer->scale_w[i] * layer->scale_d))
            return error_set(err, EX_DATAERR, "scale_w %zu: expected a positive number, found %g", i,
                             (double)layer->scale_w[i]);
        if (layer->offset_w[i] != 0)
            return error_set(err, EX_DATAERR, "offset_w %zu: expected 0, found %d", i, (int)layer->offset_w[i]);
    }
    return 0;
}

static int check_record(const record_message *record, struct error *err)
{
    if (record->n_record == 0)
        return error_set(err, EX_DATAERR, "it holds no record");
    for (size_t i = 0; i < record->n_record; i++) {
        const char *key = record->record[i]->key;

        if (key == NULL || key[0] == '\0')
            return error_set(err, EX_DATAERR, "record %zu has no key", i);
        if (check_layer(record->record[i]->value, err) != 0)
            return error_in(err, "layer \"%s\"", key);
    }
    return 0;
}

record_message *ascend_record_read(const char *path, struct error *err)
{
    enum { MAX_BYTES = 1 << 28 };
    record_message *record;
    struct bytes file;

    if (bytes_read(path, MAX_BYTES, &file, err) != 0)
        return NULL; /* the message starts with the path */
    record =
        (record_message *)proto_text_parse(&ascend__scale_offset_record__descriptor, file.data, file.size, NULL, err);
    bytes_free(&file);
    if (record != NULL && check_record(record, err) != 0) {
        proto_free(&record->base);
        record = NULL;
    }
    if (record == NULL)
        error_in(err, "%s", path);
    return record;
}
