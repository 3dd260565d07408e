/* wiring.h — which layer writes and reads which blob, in single-assignment form. Private to formats/caffe.
 *
 * Caffe's layers may overwrite a blob in place, and readers bind to the latest writer in file order. Here every write
 * is a blob of its own. The last one carries the top's name; earlier ones are called "<top>#<n>", n counting from 1.
 * Inputs of the network are the exception: the first version keeps the name, because job files and datasets use it.
 */
#ifndef ETALON_CAFFE_WIRING_H
#define ETALON_CAFFE_WIRING_H

#include "formats/caffe/layers.h"
#include "formats/caffe/net.h"

enum caffe_blob_kind {
    CAFFE_BLOB_VALUE,
    CAFFE_BLOB_LABEL,    /* of a data layer: does not exist in calibration */
    CAFFE_BLOB_LEFT_OUT, /* written by a layer that is left out */
};

struct caffe_blob {
    const char *name;
    enum caffe_blob_kind kind;
    size_t writer;  /* layer */
    size_t version; /* of the name, from 1 */
    bool is_last;   /* of its name */
    bool is_input;
    bool name_is_input; /* version 1 of this name is an input of the network */
    bool is_read;
    bool is_needed;
    int value; /* in the graph, once the writer was imported; else GRAPH_NONE */
};

struct caffe_wiring {
    const struct caffe_net *net;
    struct caffe_blob *blobs;
    size_t n_blobs, capacity;
    struct {
        int *bottoms, *tops; /* blobs; a top equal to a bottom is the same blob (dropout in place) */
        bool is_needed;
    } * layers;
    void *names; /* search tree: name -> latest blob */
};

/* Resolves all names. `wiring` starts zeroed and is released with caffe_wiring_fini even on failure. EX_DATAERR: a
 * bottom that nothing above produces, a top that two layers produce. */
int caffe_wiring_init(struct caffe_wiring *wiring, const struct caffe_net *net, const struct model_request *request,
                      struct arena *scratch, struct error *err);
void caffe_wiring_fini(struct caffe_wiring *wiring);

/* The last version of `name`; GRAPH_NONE when there is none. */
int caffe_wiring_find(const struct caffe_wiring *wiring, const char *name);

/* Marks the outputs (the requested ones, or what no layer reads) and everything they need; lists the output blobs in
 * *outputs (in scratch). EX_DATAERR: no such blob, no output, a label is needed. */
int caffe_wiring_select(struct caffe_wiring *wiring, const struct model_request *request, int **outputs,
                        size_t *n_outputs, struct arena *scratch, struct error *err);

#endif
