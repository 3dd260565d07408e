/* show_model.c — see show_model.h. */
#include "jobs/show_model.h"

#include "common/preprocess_text.h"
#include "common/printable.h"
#include "formats/json_text.h"

#include <stdlib.h>

/* ---- passes, as a table ---- */

enum { SHOWN_NAMES = 4 }; /* of each list; JSON has them all */

struct table {
    FILE *out;
    const struct graph *graph;
    bool *was_active; /* [number of passes] */
};

static void print_names(const char *title, const char *const *names, size_t n, FILE *out)
{
    if (n == 0)
        return;
    fprintf(out, "; %s", title);
    for (size_t i = 0; i < n && i < SHOWN_NAMES; i++) {
        fputc(' ', out);
        printable_print(names[i], out);
    }
    if (n > SHOWN_NAMES)
        fprintf(out, " and %zu more", n - SHOWN_NAMES);
}

static int print_changes(void *context, const struct pass_changes *c, struct error *err)
{
    struct table *table = context;

    (void)err;
    for (size_t i = 0; passes[i] != NULL; i++)
        table->was_active[i] = table->was_active[i] || passes[i] == c->pass;
    fprintf(table->out, "pass %zu %-20s %4zu -> %4zu nodes", c->round, c->pass->name, c->nodes_before, c->nodes_after);
    print_names("gone", c->gone, c->n_gone, table->out);
    print_names("new", c->added, c->n_added, table->out);
    print_names("changed", c->changed, c->n_changed, table->out);
    fputc('\n', table->out);
    return 0;
}

static size_t count_passes(void)
{
    size_t n = 0;

    while (passes[n] != NULL)
        n++;
    return n;
}

int show_passes(struct graph *graph, FILE *out, struct error *err)
{
    struct table table = {out, graph, memory_create(count_passes(), sizeof(bool), "passes", err)};
    const char *before = "nothing to do for ";
    int rc = table.was_active == NULL ? -1 : graph_normalise_watched(graph, print_changes, &table, err);

    for (size_t i = 0; rc == 0 && passes[i] != NULL; i++)
        if (!table.was_active[i]) {
            fprintf(out, "%s%s", before, passes[i]->name);
            before = ", ";
        }
    if (rc == 0 && before[0] == ',')
        fputc('\n', out);
    free(table.was_active);
    return rc;
}

/* ---- JSON ---- */

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "cannot allocate memory for the JSON of a graph");
}

static json_t *json_names(const char *const *names, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_text(names[i]));
    return list;
}

static int keep_changes(void *context, const struct pass_changes *c, struct error *err)
{
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "pass", c->pass->name, "round",
                               (json_int_t)c->round, "nodes_before", (json_int_t)c->nodes_before, "nodes_after",
                               (json_int_t)c->nodes_after, "gone", json_names(c->gone, c->n_gone), "new",
                               json_names(c->added, c->n_added), "changed", json_names(c->changed, c->n_changed));

    return json_array_append_new(context, object) == 0 ? 0 : out_of_memory(err);
}

/* [{"name", "shape"}]; absent inputs are null. */
static json_t *json_values(const struct graph *graph, const int *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct value *value = values[i] == GRAPH_NONE ? NULL : &graph->values[values[i]];
        json_t *shape = value == NULL ? NULL : json_array();

        for (size_t k = 0; value != NULL && k < value->shape.rank; k++)
            json_array_append_new(shape, json_integer(value->shape.dims[k]));
        json_array_append_new(list, value == NULL ? json_null()
                                                  : json_pack("{s:o, s:o, s:b}", "name", json_text(value->name),
                                                              "shape", shape, "constant", value->is_constant));
    }
    return list;
}

/* As the table has them, without the blank in front. */
static json_t *json_attributes(const struct graph *graph, const struct node *node)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    json_t *string = NULL;

    if (stream != NULL) {
        graph_print_attributes(graph, node, stream);
        if (fclose(stream) == 0)
            string = json_string(text[0] == ' ' ? text + 1 : text);
    }
    free(text);
    return string;
}

static json_t *json_node(const struct graph *graph, const struct node *node)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:I, s:o, s:o}", "name", json_text(node->name), "op", op_name(node->op),
                     "type", json_text(node->type), "attributes", json_attributes(graph, node), "macs",
                     (json_int_t)node_macs(graph, node), "inputs", json_values(graph, node->inputs, node->n_inputs),
                     "outputs", json_values(graph, node->outputs, node->n_outputs));
}

static json_t *json_graph(const struct graph *graph)
{
    struct graph_totals totals = graph_totals(graph);
    json_t *nodes = json_array();

    for (size_t i = 0; i < graph->n_nodes; i++)
        if (json_array_append_new(nodes, json_node(graph, &graph->nodes[i])) != 0) {
            json_decref(nodes);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}}", "kind", "model", "name", json_text(graph->name),
                     "inputs", json_values(graph, graph->inputs, graph->n_inputs), "outputs",
                     json_values(graph, graph->outputs, graph->n_outputs), "nodes", nodes, "totals", "parameters",
                     (json_int_t)totals.parameters, "macs", (json_int_t)totals.macs, "activation_bytes",
                     (json_int_t)totals.activation_bytes);
}

/* The chain as it would stand in a job. */
static json_t *json_preprocess(const struct preprocess_plan *plan)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    json_t *string = NULL;

    if (stream != NULL) {
        preprocess_print_flow(plan, stream);
        if (fclose(stream) == 0)
            string = json_string(text);
    }
    free(text);
    return string;
}

static json_t *json_data(const struct model_data *data)
{
    const struct dataset_request *records = &data->records;
    json_t *dataset = records->kind == NULL
                          ? json_null()
                          : json_pack("{s:s, s:o, s:o, s:I}", "kind", records->kind, "path", json_text(records->path),
                                      "list", records->list == NULL ? json_null() : json_text(records->list), "batch",
                                      (json_int_t)data->batch);

    return json_pack("{s:o, s:o, s:o}", "origin", json_text(data->origin), "dataset", dataset, "preprocess",
                     data->has_preprocess ? json_preprocess(&data->preprocess) : json_null());
}

int show_json(struct graph *graph, const struct model_data *data, bool with_passes, FILE *out, struct error *err)
{
    json_t *changes = json_array(), *object = NULL;
    int rc = changes == NULL ? out_of_memory(err) : 0;

    if (rc == 0 && with_passes)
        rc = graph_normalise_watched(graph, keep_changes, changes, err);
    if (rc == 0 && (object = json_graph(graph)) == NULL)
        rc = out_of_memory(err);
    if (rc == 0 && data != NULL && json_object_set_new(object, "data", json_data(data)) != 0)
        rc = out_of_memory(err);
    if (rc == 0 && with_passes && json_object_set(object, "passes", changes) != 0)
        rc = out_of_memory(err);
    if (rc == 0) {
        rc = json_print(object, out, err);
        object = NULL;
    }
    json_decref(changes);
    json_decref(object);
    return rc;
}
