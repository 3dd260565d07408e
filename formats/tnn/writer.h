/* writer.h — the two files of a TNN model in memory, while they grow.
 *
 * The first failure is kept and every later call does nothing, so that writing reads as a list of what is written;
 * tnn_writer_finish tells. Version 2 throughout; resources created here have no dimensions unless they matter, as TNN's
 * own tool writes them.
 */
#ifndef ETALON_TNN_WRITER_H
#define ETALON_TNN_WRITER_H

#include "common/memory.h"
#include "common/tensor.h"
#include "formats/tnn/tnn.h"

struct tnn_writer {
    struct buffer layers;    /* what follows the header of the .tnnproto */
    struct buffer resources; /* the .tnnmodel, whose count of resources is put in at the end */
    size_t n_layers, n_resources;
    size_t record_start; /* of the layer being written */
    char **blobs;        /* names of all blobs, in order of appearance, owned */
    size_t n_blobs, blobs_capacity;
    bool has_failed;
    struct error *err;
};

void tnn_writer_init(struct tnn_writer *writer, struct error *err);
void tnn_writer_fini(struct tnn_writer *writer);
/* Latches an error; returns -1. */
int tnn_writer_fail(struct tnn_writer *writer, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One layer: begin, parameters in order, end (EX_UNAVAILABLE where TNN would cut the record). */
void tnn_layer_begin(struct tnn_writer *writer, bool is_quantized, const char *type, const char *name,
                     const char *const *inputs, size_t n_inputs, const char *const *outputs, size_t n_outputs);
void tnn_param(struct tnn_writer *writer, int64_t value);
void tnn_param_real(struct tnn_writer *writer, float value); /* shortest text that reads back to the same bits */
void tnn_layer_end(struct tnn_writer *writer);

/* A resource's header; the buffers of its kind follow. */
void tnn_resource_begin(struct tnn_writer *writer, const char *type, const char *name);
void tnn_put_string(struct tnn_writer *writer, const char *text);
void tnn_put_int(struct tnn_writer *writer, int32_t value);
/* One buffer of n elements; shape_or_null goes into the file where TNN goes by it. n == 0: an empty buffer. */
void tnn_put_raw(struct tnn_writer *writer, enum tnn_dtype dtype, const void *data, size_t n,
                 const struct shape *shape_or_null);
void tnn_put_zeros(struct tnn_writer *writer, enum tnn_dtype dtype, size_t n);

/* A blob appears; known names are remembered once. */
void tnn_add_blob(struct tnn_writer *writer, const char *name);

/* The finished files, to be freed with free(); the writer is good for nothing else afterwards. `inputs` and `outputs`
 * are records without quotes and commas. */
int tnn_writer_finish(struct tnn_writer *writer, const char *inputs, const char *outputs, struct buffer *proto,
                      struct buffer *model);

#endif
