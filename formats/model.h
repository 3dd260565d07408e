/* model.h — reading a model of any format we know into a graph.
 *
 * The format follows from the content (and, where content cannot tell, from the extension). A new importer is one
 * folder with an import.c and one word in formats/CMakeLists.txt.
 */
#ifndef ETALON_MODEL_H
#define ETALON_MODEL_H

#include "common/passes.h"

enum { MODEL_MAX_INPUTS = 16 };

struct model_request {
    const char *file;    /* path of the graph */
    const char *weights; /* path of the weights where the format has two files; NULL otherwise */
    /* Overrides from the job file. */
    size_t n_inputs;
    struct {
        const char *name;
        struct shape shape; /* dims[0] is forced to 1, unless is_unbatched */
    } inputs[MODEL_MAX_INPUTS];
    /* The first axis is no batch but part of the record, of the length that the file gives: graph->is_unbatched. For
     * networks that mix that axis with others; onnx only, EX_UNAVAILABLE elsewhere. */
    bool is_unbatched;
    size_t n_outputs;
    const char *const *outputs; /* value names; none: the network's own outputs */
    struct edge_nodes remove;   /* nodes at its edges that are not wanted */
    size_t n_kept;
    const char *const *kept; /* patterns: nodes that no pass may touch */
    struct batch_request batch;
};

struct model_data; /* formats/model_data.h */

struct importer {
    const char *name;    /* "onnx" */
    const char *summary; /* one line */
    /* How sure the importer is that `file` (its first bytes, its path) is its own: 0 no, 1 by name only, 2 by content.
     */
    int (*recognise)(const char *path, const struct bytes *file);
    /* Reads into `graph` (created empty). EX_DATAERR, EX_UNAVAILABLE (operator: node, operator, importer), EX_NOINPUT.
     * Every message starts with the file's path. */
    int (*import)(const struct model_request *request, struct graph *graph, struct error *err);
    /* Optional: model_describe_data for its files. *data is {0}. */
    int (*describe_data)(const struct model_request *request, const struct graph *graph, unsigned parts,
                         struct model_data *data, struct error *err);
};

/* NULL-terminated. */
extern const struct importer *const importers[];

/* The importer that reads a file. NULL with err set: EX_NOINPUT, EX_DATAERR: nobody's. */
const struct importer *model_importer(const char *path, struct error *err);

/* Imports, keeps only what the requested outputs need, folds constants, infers shapes, removes nodes at the edges,
 * validates. Owned by the caller. NULL on failure. Does not run the normalising passes (common/passes.h). */
struct graph *model_import(const struct model_request *request, struct error *err);

enum { MODEL_MAX_BYTES = 0x7fffffff }; /* protobuf's own limit of 2 GiB */

#endif
