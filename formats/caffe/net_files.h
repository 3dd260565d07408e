/* net_files.h — a network that the writer put, as its two files.
 *
 * The text holds topology and parameters, the binary file what has the same numbers in every fork of Caffe: a reader
 * takes the rest from the text.
 */
#ifndef ETALON_CAFFE_NET_FILES_H
#define ETALON_CAFFE_NET_FILES_H

#include "common/output.h"
#include "formats/caffe/write.h"

/* <base><ending>, a prototxt: all but the blobs. EX_CANTCREAT, EX_IOERR, EX_OSERR. */
int caffe_write_text(const struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                     struct error *err);
/* <base><ending>, a caffemodel: layers without their parameters. */
int caffe_write_weights(const struct caffe_writer *w, const char *base, const char *ending, struct output *output,
                        struct error *err);
/* The same of layers that are completed one by one: fill(context, i, layer, err) is given a copy of layer i, without
 * its parameters; its blobs are the writer's own. What it puts there need only last until it is called again. */
typedef int caffe_fill(void *context, size_t i, Caffe__LayerParameter *layer, struct error *err);
int caffe_write_filled(const struct caffe_writer *w, caffe_fill *fill, void *context, const char *base,
                       const char *ending, struct output *output, struct error *err);

#endif
