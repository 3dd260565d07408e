/* exported_files.h — a graph written by an exporter into a folder of its own, and read back from there. */
#ifndef ETALON_TESTS_EXPORTED_FILES_H
#define ETALON_TESTS_EXPORTED_FILES_H

#include "../common/build_graph.h"

#include "formats/exporter.h"
#include "formats/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct written {
    char folder[64];
    size_t n;
    char paths[4][128];
};

static inline void read_list(struct written *w, const struct output *output)
{
    const struct output_file *files;

    w->n = output_files(output, &files);
    assert_in_range(w->n, 1, 4);
    for (size_t i = 0; i < w->n; i++)
        snprintf(w->paths[i], sizeof w->paths[i], "%s/%s", w->folder, files[i].name);
}

/* false: the format cannot express it, and says where. */
static inline bool write_graph(const struct exporter *exporter, const struct graph *graph, struct written *w)
{
    struct output *output;
    struct error err = {0};
    int rc;

    *w = (struct written){.folder = "/tmp/etalon-export-XXXXXX"};
    assert_non_null(mkdtemp(w->folder));
    output = output_open(w->folder, &err);
    assert_non_null(output);
    rc = exporter->write(graph, "net", output, &err);
    if (rc != 0 && err.code != EX_UNAVAILABLE) {
        graph_print(graph, stderr);
        fail_msg("%s: %s", exporter->name, err.text);
    }
    if (rc == 0)
        read_list(w, output);
    else
        assert_non_null(strstr(err.text, "node \""));
    if (rc != 0 && getenv("VERBOSE") != NULL)
        fprintf(stderr, "%s\n", err.text);
    output_close(output);
    return rc == 0;
}

static inline void remove_written(struct written *w)
{
    for (size_t i = 0; i < w->n; i++)
        unlink(w->paths[i]);
    rmdir(w->folder);
}

/* Whichever of the files is the graph; another one may be its weights. */
static inline struct graph *read_back(const struct written *w, struct error *err)
{
    struct error first = {0};

    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->n; k++) {
            struct model_request request = {.file = w->paths[i], .weights = k == i ? NULL : w->paths[k]};
            struct graph *graph = w->n > 1 && k == i ? NULL : model_import(&request, err);

            if (graph != NULL)
                return graph;
            if (first.code == 0 && err->code != 0)
                first = *err;
        }
    *err = first;
    return NULL;
}

#endif
