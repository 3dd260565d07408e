/* net.h — the layers of a prototxt that run at test time, all in the current (V2) form. Private to formats/caffe.
 *
 * Two older spellings are upgraded as Caffe does it: `layers` with enumerated types, and top-level `input` fields,
 * which become a layer of type Input in front.
 */
#ifndef ETALON_CAFFE_NET_H
#define ETALON_CAFFE_NET_H

#include "common/bytes.h"
#include "common/memory.h"

#include <caffe.pb-c.h>

struct caffe_net {
    const char *name;
    size_t n_layers;
    Caffe__LayerParameter **layers; /* in file order; name and type are never NULL or empty */
};

bool caffe_is_text_name(const char *path);    /* .prototxt */
bool caffe_is_weights_name(const char *path); /* .caffemodel and its like */

/* The text of the prototxt `path`; fields that we do not know are warned of, or not. To be freed with proto_free. */
Caffe__NetParameter *caffe_net_parse(const char *path, const struct bytes *file, bool with_warnings, struct error *err);

/* The layers are shallow copies in `scratch`, which borrow strings and parameters from `message`: both must outlive the
 * net. EX_DATAERR, EX_UNAVAILABLE: written before 2013. */
int caffe_net_init(struct caffe_net *net, const Caffe__NetParameter *message, struct arena *scratch, struct error *err);

#endif
