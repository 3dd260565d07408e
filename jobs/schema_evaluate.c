/* schema_evaluate.c — the keys under `evaluate:` of a job file. */
#include "jobs/schema.h"

static int read_top_k(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;

    if (node->kind != YAML_LIST || node->n == 0 || node->n > METRICS_MAX_TOP)
        return schema_wrong(r, node, "a list of 1 to 4 numbers");
    for (size_t i = 0; i < node->n; i++)
        if (schema_size(r, node->items[i], &request->evaluate.top_k[i]) != 0)
            return -1;
    request->evaluate.n_top_k = node->n;
    return 0;
}

static int read_label(struct schema *r, const struct yaml *node, uint64_t *label)
{
    if (schema_count(r, node, label) != 0)
        return -1;
    return *label < CLASS_MAP_VALUES ? 0 : schema_wrong(r, node, "a label from 0 to 255");
}

/* {label: class, ...}: labels that are not listed have no class. */
static int read_classes(struct schema *r, const struct yaml *node, void *target)
{
    struct class_map *map = target;

    if (node->kind != YAML_MAP || node->n == 0)
        return schema_wrong(r, node, "a class for each label, such as {7: 0, 8: 1}");
    map->is_given = true;
    for (size_t i = 0; i < CLASS_MAP_VALUES; i++)
        map->of[i] = map->of[i] == CLASS_IGNORED ? CLASS_IGNORED : CLASS_UNKNOWN;
    for (size_t i = 0; i < node->n; i++) {
        uint64_t label, class;

        if (read_label(r, node->keys[i], &label) != 0 || schema_count(r, node->items[i], &class) != 0)
            return -1;
        if (class >= METRICS_MAX_CLASSES)
            return schema_wrong(r, node->items[i], "a class from 0 to 255");
        map->of[label] = (int16_t) class;
    }
    return 0;
}

/* Instead of 255. A label that has a class and is ignored is a contradiction. */
static int read_ignored(struct schema *r, const struct yaml *node, void *target)
{
    struct class_map *map = target;
    size_t n = node->kind == YAML_LIST ? node->n : 1;

    if (map->of[SEGMENTATION_IGNORED] == CLASS_IGNORED)
        map->of[SEGMENTATION_IGNORED] = map->is_given ? CLASS_UNKNOWN : SEGMENTATION_IGNORED;
    for (size_t i = 0; i < n; i++) {
        const struct yaml *item = node->kind == YAML_LIST ? node->items[i] : node;
        uint64_t label;

        if (read_label(r, item, &label) != 0)
            return -1;
        if (map->is_given && map->of[label] >= 0)
            return schema_wrong(r, item, "a label that has no class");
        map->of[label] = CLASS_IGNORED;
    }
    return 0;
}

/* What moves pixels and makes none up. */
static int read_label_steps(struct schema *r, const struct yaml *node, void *target)
{
    static const enum step_kind kinds[] = {STEP_RESIZE, STEP_CROP, STEP_CROP_FRACTION, STEP_PAD, STEP_TRANSPOSE};
    struct preprocess_plan *plan = target;

    if (schema_preprocess(r, node, plan) != 0)
        return -1;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct preprocess_step *step = &plan->steps[i];
        bool is_nearest = step->kind != STEP_RESIZE || step->resize.filter == FILTER_NEAREST ||
                          step->resize.filter == FILTER_OPENCV_NEAREST;
        size_t k = 0;

        while (k < COUNT(kinds) && kinds[k] != step->kind)
            k++;
        if (k == COUNT(kinds) || !is_nearest)
            return schema_wrong(
                r, node->kind == YAML_LIST ? node->items[i] : node,
                "a step that leaves labels as they are: resize with filter nearest or opencv-nearest, crop, "
                "crop_fraction, pad, transpose");
    }
    return 0;
}

static int read_segmentation(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct yaml *ignored = NULL;
    const struct schema_field fields[] = {
        {"labels", schema_dataset, &request->evaluate.segmentation.labels},
        {"preprocess", read_label_steps, &request->evaluate.segmentation.preprocess},
        {"classes", read_classes, &request->evaluate.segmentation.classes},
        {"ignore", schema_later, &ignored}, /* once the classes are known */
    };

    request->evaluate.segmentation.is_asked = true;
    if (schema_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if (request->evaluate.segmentation.labels.n_inputs > 0)
        return schema_wrong(r, yaml_get(node, "labels"), "the data set of the label pictures alone");
    return ignored == NULL ? 0 : read_ignored(r, ignored, &request->evaluate.segmentation.classes);
}

static int read_layers(struct schema *r, const struct yaml *node, void *target)
{
    bool is_wanted = true;

    if (schema_truth(r, node, &is_wanted) != 0)
        return -1;
    *(bool *)target = !is_wanted;
    return 0;
}

int schema_evaluate(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct schema_field fields[] = {
        {"top_k", read_top_k, request},
        {"dataset", schema_dataset, &request->evaluate.dataset},
        {"segmentation", read_segmentation, request},
        {"local_errors", schema_truth, &request->evaluate.with_local_errors},
        {"original", schema_truth, &request->evaluate.with_original},
        {"skip", schema_truth, &request->evaluate.is_skipped},
        {"layers", read_layers, &request->evaluate.skips_layers},
    };

    if (schema_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if (request->evaluate.skips_layers && request->evaluate.with_local_errors)
        return schema_wrong(r, node, "no local_errors where layers is false");
    return 0;
}
