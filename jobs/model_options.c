/* model_options.c — see model_options.h. */
#include "jobs/model_options.h"

#include "common/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check_types(const struct option_list *types, struct error *err)
{
    size_t n = 0;

    while (edge_node_types[n] != NULL)
        n++;
    for (size_t i = 0; i < types->n; i++) {
        bool is_known = false;

        for (size_t k = 0; k < n; k++)
            is_known = is_known || strcmp(types->items[i], edge_node_types[k]) == 0;
        if (!is_known)
            return error_set(err, EX_USAGE,
                             "--remove-type takes Quantize, Dequantize, Cast, Transpose, Reshape or Softmax, found "
                             "\"%s\"; the nearest is \"%s\"",
                             types->items[i],
                             suggest_nearest(types->items[i], edge_node_types, n, sizeof *edge_node_types));
    }
    return 0;
}

/* "data=1x3x224x224" */
static int read_input(const char *text, struct arena *arena, struct model_request *request, struct error *err)
{
    const char *equals = strrchr(text, '=');
    struct shape shape;

    if (equals == NULL || equals == text || !options_shape(equals + 1, &shape))
        return error_set(err, EX_USAGE, "--input takes a name and a shape, such as data=1x3x224x224, found \"%s\"",
                         text);
    if (request->n_inputs == MODEL_MAX_INPUTS)
        return error_set(err, EX_USAGE, "--input may be given %d times", MODEL_MAX_INPUTS);
    request->inputs[request->n_inputs].name = arena_format(arena, err, "%.*s", (int)(equals - text), text);
    request->inputs[request->n_inputs].shape = shape;
    return request->inputs[request->n_inputs++].name == NULL ? -1 : 0;
}

static int read_batch(const char *text, int64_t *size, struct error *err)
{
    char *end;

    errno = 0;
    *size = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *size > 0
               ? 0
               : error_set(err, EX_USAGE, "--batch takes a number of records, found \"%s\"", text);
}

int model_options_request(const struct model_options *options, const char *file, struct arena *arena,
                          struct model_request *request, struct error *err)
{
    *request = (struct model_request){.file = file};
    for (size_t i = 0; i < options->inputs.n; i++)
        if (read_input(options->inputs.items[i], arena, request, err) != 0)
            return -1;
    if ((options->is_separate || options->separate.n > 0) && options->batch == NULL)
        return error_set(err, EX_USAGE, "--separate and --separate-batch need --batch: how many records they split");
    request->weights = options->weights;
    request->n_outputs = options->ends.n;
    request->outputs = options->ends.items;
    request->remove = (struct edge_nodes){options->removed_names.n, options->removed_types.n,
                                          options->removed_names.items, options->removed_types.items};
    request->n_kept = options->kept.n;
    request->kept = options->kept.items;
    request->batch = (struct batch_request){
        .is_separate = options->is_separate, .n_separate = options->separate.n, .separate = options->separate.items};
    if (options->batch != NULL && read_batch(options->batch, &request->batch.size, err) != 0)
        return -1;
    return check_types(&options->removed_types, err);
}

/* Messages of the floors below advise in the words of a job file; here the same are options. A word after a blank is
 * advice, others belong to paths. */
static void say_options(struct error *err)
{
    static const struct {
        const char *key, *option;
    } words[] = {{" model.weights", " --weights"},
                 {" model.inputs", " --input"},
                 {" model.outputs", " --end"},
                 {" model.keep", " --keep"},
                 {" model.remove_nodes", " --remove-node"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (char *at = err->text; (at = strstr(at, words[i].key)) != NULL; at++) {
            size_t from = strlen(words[i].key), to = strlen(words[i].option);

            memcpy(at, words[i].option, to); /* none is longer than its key */
            memmove(at + to, at + from, strlen(at + from) + 1);
        }
}

struct graph *model_options_import(const struct model_options *options, const char *file, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct model_request request;
    struct graph *graph = NULL;

    if (arena != NULL && model_options_request(options, file, arena, &request, err) == 0)
        graph = model_import(&request, err);
    if (graph == NULL)
        say_options(err);
    arena_destroy(arena);
    if (graph != NULL && options->is_normalised && graph_normalise(graph, err) != 0) {
        graph_destroy(graph);
        return NULL;
    }
    return graph;
}
