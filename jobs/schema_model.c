/* schema_model.c — what is under `model:`; see schema.h. */
#include "jobs/schema.h"

static int read_inputs(struct schema *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;

    if (node->kind != YAML_MAP || node->n > MODEL_MAX_INPUTS)
        return schema_wrong(r, node, "at most 16 keys: the inputs' names");
    for (size_t i = 0; i < node->n; i++) {
        model->inputs[i].name = node->keys[i]->text;
        if (schema_shape(r, node->items[i], &model->inputs[i].shape) != 0)
            return -1;
    }
    model->n_inputs = node->n;
    return 0;
}

/* The list and its length go to *list and *n. */
static int read_names(struct schema *r, const struct yaml *node, const char *const **list, size_t *n)
{
    const char **names;

    if (node->kind != YAML_LIST)
        return schema_wrong(r, node, "a list of names");
    names = arena_create_array(r->arena, node->n, sizeof *names, r->err);
    for (size_t i = 0; names != NULL && i < node->n; i++)
        if (schema_text(r, node->items[i], &names[i]) != 0)
            return -1;
    *list = names;
    *n = node->n;
    return names == NULL ? -1 : 0;
}

static int read_outputs(struct schema *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;

    return read_names(r, node, &model->outputs, &model->n_outputs);
}

static int read_kept(struct schema *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;

    return read_names(r, node, &model->kept, &model->n_kept);
}

static int read_removed_names(struct schema *r, const struct yaml *node, void *target)
{
    struct edge_nodes *remove = target;

    return read_names(r, node, &remove->names, &remove->n_names);
}

static int read_removed_types(struct schema *r, const struct yaml *node, void *target)
{
    struct edge_nodes *remove = target;
    size_t n = 0, index;

    while (edge_node_types[n] != NULL)
        n++;
    if (read_names(r, node, &remove->types, &remove->n_types) != 0)
        return -1;
    for (size_t i = 0; i < node->n; i++)
        if (schema_word(r, node->items[i], "type of node", edge_node_types, n, &index) != 0)
            return -1;
    return 0;
}

static int read_removed(struct schema *r, const struct yaml *node, void *target)
{
    const struct schema_field fields[] = {
        {"names", read_removed_names, target},
        {"types", read_removed_types, target},
    };

    return schema_map(r, node, fields, COUNT(fields));
}

static int read_batch(struct schema *r, const struct yaml *node, void *target)
{
    size_t size = 0;

    if (schema_size(r, node, &size) != 0)
        return -1;
    *(int64_t *)target = (int64_t)size;
    return 0;
}

static int read_separate(struct schema *r, const struct yaml *node, void *target)
{
    struct batch_request *batch = target;

    return read_names(r, node, &batch->separate, &batch->n_separate);
}

int schema_model(struct schema *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;
    const struct schema_field fields[] = {
        {"file", schema_path, &model->file},
        {"weights", schema_path, &model->weights},
        {"inputs", read_inputs, model},
        {"outputs", read_outputs, model},
        {"remove_nodes", read_removed, &model->remove},
        {"keep", read_kept, model},
        {"input_batch", read_batch, &model->batch.size},
        {"separate_batch", schema_truth, &model->batch.is_separate},
        {"separate_name", read_separate, &model->batch},
    };

    return schema_map(r, node, fields, COUNT(fields));
}
