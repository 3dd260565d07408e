/* schema_dataset.c — the keys under `dataset:` of a job file. */
#include "formats/records/elements.h"
#include "jobs/dataset/dataset.h"
#include "jobs/schema.h"

#include <string.h>

const char *const dataset_layouts[DATASET_LAYOUTS] = {"chw", "hwc"};
const char *const dataset_orders[DATASET_ORDERS] = {"gray", "rgb", "bgr"};
const enum pixel_order dataset_order_values[DATASET_ORDERS] = {PIXELS_GRAY, PIXELS_RGB, PIXELS_BGR};

static int read_kind(struct schema *r, const struct yaml *node, void *target)
{
    const char *names[64];
    size_t n = 0, index;

    for (; record_kinds[n] != NULL && n < COUNT(names); n++)
        names[n] = record_kinds[n]->name;
    if (schema_word(r, node, "dataset kind", names, n, &index) != 0)
        return -1;
    *(const char **)target = names[index];
    return 0;
}

static int read_dtype(struct schema *r, const struct yaml *node, void *target)
{
    char where[64];

    if (node->kind != YAML_SCALAR)
        return schema_wrong(r, node, "a type of elements");
    *(const struct element_type **)target = element_type_find(node->text, r->err);
    return *(const struct element_type **)target != NULL ? 0 : error_in(r->err, "%s", yaml_where(node, where));
}

static int read_layout(struct schema *r, const struct yaml *node, void *target)
{
    size_t index;

    if (schema_word(r, node, "layout", dataset_layouts, DATASET_LAYOUTS, &index) != 0)
        return -1;
    *(bool *)target = index == 1;
    return 0;
}

static int read_orientation(struct schema *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"stored", "exif"};
    size_t index;

    if (schema_word(r, node, "orientation", words, COUNT(words), &index) != 0)
        return -1;
    *(bool *)target = index == 1;
    return 0;
}

static int read_channels(struct schema *r, const struct yaml *node, void *target)
{
    size_t index;

    if (schema_word(r, node, "channel order", dataset_orders, DATASET_ORDERS, &index) != 0)
        return -1;
    *(enum pixel_order *)target = dataset_order_values[index];
    return 0;
}

/* The keys of one dataset; what is under `inputs`, where that may be, goes to *inputs. */
static int read_keys(struct schema *r, const struct yaml *node, struct dataset_request *dataset,
                     const struct yaml **inputs)
{
    const struct schema_field fields[] = {
        {"kind", read_kind, &dataset->kind},
        {"path", schema_path, &dataset->path},
        {"list", schema_path, &dataset->list},
        {"limit", schema_count, &dataset->limit},
        {"labels", schema_path, &dataset->labels},
        {"shape", schema_shape, &dataset->shape},
        {"dtype", read_dtype, &dataset->dtype},
        {"layout", read_layout, &dataset->is_interleaved},
        {"channels", read_channels, &dataset->order},
        {"member", schema_text, &dataset->member},
        {"orientation", read_orientation, &dataset->is_oriented},
        {"inputs", schema_later, inputs}, /* the last: some readers leave it out */
    };

    return schema_map(r, node, fields, COUNT(fields) - (inputs == NULL));
}

/* `inputs: {left: {path: l}, right: {path: r, kind: npy}}`: each has the keys of the dataset, but for its own. Or
 * `inputs: [left, right]`: folders of these names below the path. */
static int read_input(struct schema *r, const struct yaml *inputs, size_t i, const struct dataset_request *common,
                      struct dataset_input *list)
{
    struct dataset_input *input = &list[i];
    char where[64];

    input->request = *common;
    if (inputs->kind == YAML_MAP) {
        input->name = inputs->keys[i]->text;
        if (read_keys(r, inputs->items[i], &input->request, NULL) != 0)
            return -1;
    } else {
        if (schema_text(r, inputs->items[i], &input->name) != 0)
            return -1;
        if (common->path != NULL &&
            (input->request.path = arena_format(r->arena, r->err, "%s/%s", common->path, input->name)) == NULL)
            return -1;
    }
    for (size_t j = 0; j < i; j++) /* keys of a map differ anyway */
        if (strcmp(list[j].name, input->name) == 0)
            return error_set(r->err, EX_CONFIG, "%s: input \"%s\" is listed twice", yaml_where(inputs->items[i], where),
                             input->name);
    if (input->request.kind == NULL || input->request.path == NULL)
        return error_set(r->err, EX_CONFIG, "%s: input \"%s\" needs \"kind\" and \"path\"",
                         yaml_where(inputs->items[i], where), input->name);
    return 0;
}

static int read_inputs(struct schema *r, const struct yaml *inputs, struct dataset_request *dataset)
{
    struct dataset_request common = *dataset;
    struct dataset_input *list = arena_create_array(r->arena, DATASET_MAX_INPUTS, sizeof *list, r->err);

    if (list == NULL)
        return -1;
    if (inputs->kind == YAML_SCALAR || inputs->n == 0 || inputs->n > DATASET_MAX_INPUTS)
        return schema_wrong(r, inputs, "at most 16 inputs' names, with a dataset each or as a list");
    common.limit = 0; /* of matched records, not of an input's */
    for (size_t i = 0; i < inputs->n; i++)
        if (read_input(r, inputs, i, &common, list) != 0)
            return -1;
    *dataset = (struct dataset_request){.limit = dataset->limit, .n_inputs = inputs->n, .inputs = list};
    return 0;
}

static int read_dataset(struct schema *r, const struct yaml *node, struct dataset_request *dataset, bool may_be_open)
{
    const struct yaml *inputs = NULL;
    char where[64];

    if (read_keys(r, node, dataset, &inputs) != 0)
        return -1;
    if (inputs != NULL)
        return read_inputs(r, inputs, dataset);
    if (may_be_open && dataset->kind == NULL && dataset->path == NULL && dataset->list == NULL)
        return 0;
    if (dataset->kind == NULL || dataset->path == NULL)
        return error_set(r->err, EX_CONFIG, "%s: a dataset needs \"kind\" and \"path\"", yaml_where(node, where));
    return 0;
}

int schema_dataset(struct schema *r, const struct yaml *node, void *target)
{
    return read_dataset(r, node, target, false);
}

int schema_calibration_set(struct schema *r, const struct yaml *node, void *target)
{
    return read_dataset(r, node, target, true);
}
