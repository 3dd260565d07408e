/* run_network.c — what our engine makes of a model, as raw floats, for comparison with other software.
 *
 *   run-network MODEL imported|normalised OUTPUT INPUT...
 *
 * INPUT is a file of float32 for each of the graph's inputs, in their order: one record. The outputs go to OUTPUT.0,
 * OUTPUT.1, ... in the graph's order, as float32 too; stdout gets a line a file with the output's name.
 */
#include "common/passes.h"
#include "formats/model.h"
#include "worker/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT_BYTES = 1 << 28 };

static int read_input(const struct graph *graph, size_t i, const char *path, struct bytes *file, struct error *err)
{
    const struct value *input = &graph->values[graph->inputs[i]];
    size_t expected = (size_t)shape_elements(&input->shape) * sizeof(float);

    if (bytes_read(path, MAX_INPUT_BYTES, file, err) != 0)
        return -1;
    return file->size == expected ? 0
                                  : error_set(err, EX_DATAERR, "%s: input \"%s\" has %zu bytes, the file %zu", path,
                                              input->name, expected, file->size);
}

static int write_output(struct engine *engine, const struct graph *graph, size_t i, const char *base, struct error *err)
{
    const struct value *output = &graph->values[graph->outputs[i]];
    size_t n = (size_t)shape_elements(&output->shape), written;
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s.%zu", base, i);
    file = fopen(path, "wb");
    if (file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    written = fwrite(engine_output(engine, i), sizeof(float), n, file);
    if (fclose(file) != 0 || written != n)
        return error_set(err, EX_IOERR, "%s: cannot be written", path);
    printf("%s\n", output->name);
    return 0;
}

static int run(struct graph *graph, const char *output, char *const *paths, struct error *err)
{
    struct bytes files[MODEL_MAX_INPUTS] = {0};
    const float *inputs[MODEL_MAX_INPUTS];
    struct engine *engine = engine_create(graph, 1, NULL, err);
    int rc = engine == NULL ? -1 : 0;

    for (size_t i = 0; i < graph->n_inputs && rc == 0; i++) {
        rc = read_input(graph, i, paths[i], &files[i], err);
        inputs[i] = (const float *)(const void *)files[i].data;
    }
    if (rc == 0)
        rc = engine_run(engine, inputs, 1, NULL, NULL, err);
    for (size_t i = 0; i < graph->n_outputs && rc == 0; i++)
        rc = write_output(engine, graph, i, output, err);
    for (size_t i = 0; i < MODEL_MAX_INPUTS; i++)
        bytes_free(&files[i]);
    engine_destroy(engine);
    return rc;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct graph *graph;
    int rc = -1;

    if (argc < 5) {
        fprintf(stderr, "usage: run-network MODEL imported|normalised OUTPUT INPUT...\n");
        return EX_USAGE;
    }
    graph = model_import(&(struct model_request){.file = argv[1]}, &err);
    if (graph != NULL && (strcmp(argv[2], "normalised") != 0 || graph_normalise(graph, &err) == 0))
        rc = graph->n_inputs == (size_t)argc - 4 && graph->n_inputs <= MODEL_MAX_INPUTS
                 ? run(graph, argv[3], argv + 4, &err)
                 : error_set(&err, EX_USAGE, "the network has %zu inputs", graph->n_inputs);
    graph_destroy(graph);
    if (rc != 0)
        fprintf(stderr, "run-network: %s: %s\n", argv[1], err.text);
    return rc == 0 ? 0 : err.code;
}
