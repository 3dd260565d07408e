/* exporter.h — writing a graph in fp32, as a model of any format we know.
 *
 * The way back from formats/model.h: what an exporter writes, an importer reads as the same graph. Emitters use them
 * for the float model that many vendors' tools want beside the quantized one. A new exporter is one folder with an
 * export.c and one word in formats/CMakeLists.txt.
 */
#ifndef ETALON_EXPORTER_H
#define ETALON_EXPORTER_H

#include "common/graph.h"
#include "common/output.h"

#include <protobuf-c/protobuf-c.h>

struct model_data; /* formats/model_data.h */

struct exporter {
    const char *name;    /* "onnx": what `etalon convert --to` takes */
    const char *summary; /* one line, names the files */
    bool takes_batch;    /* writes graph->batch; without it, a graph with a batch of several records is refused */
    /* Writes `graph`, imported or normalised, as <base> plus the format's endings. Values and nodes keep their names
     * where the format lets them. The same graph gives the same bytes. EX_UNAVAILABLE naming a node that the format
     * cannot express; EX_CANTCREAT, EX_IOERR, EX_OSERR. */
    int (*write)(const struct graph *graph, const char *base, struct output *output, struct error *err);
    /* Optional, of formats with a file that reads its own data: the same, with the dataset and preprocessing that
     * `data` tells of the first input, and, where asked for, the top-1 and top-5 accuracy of the first output.
     * EX_UNAVAILABLE, too, for what the format cannot express of them. */
    int (*write_with_data)(const struct graph *graph, const struct model_data *data, bool with_accuracy,
                           const char *base, struct output *output, struct error *err);
};

extern const struct exporter *const exporters[]; /* NULL-terminated */
const struct exporter *exporter_find(const char *name);

/* For exporters: data[0..size) as <base><ending>. */
int exporter_write_file(struct output *output, const char *base, const char *ending, const void *data, size_t size,
                        struct error *err);
/* `message` packed as <base><ending>, without a copy of it in memory. EX_UNAVAILABLE beyond the 2 GiB of protobuf. */
int exporter_write_message(struct output *output, const char *base, const char *ending, const ProtobufCMessage *message,
                           struct error *err);
/* The same of a message in n parts, of which not all need be in memory at once: packed one behind the other they are
 * it. part(context, i, err) lends part i until it is called again; NULL with err set ends in that error. */
typedef const ProtobufCMessage *exporter_part(void *context, size_t i, struct error *err);
int exporter_write_parts(struct output *output, const char *base, const char *ending, size_t n, exporter_part *part,
                         void *context, struct error *err);

#endif
