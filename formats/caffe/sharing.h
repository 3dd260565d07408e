/* sharing.h — where the blobs are that several layers share under a name (`param { name: "w" }`). Private to
 * formats/caffe.
 *
 * Caffe writes a shared blob with every layer that has it; other tools, with the first only.
 */
#ifndef ETALON_CAFFE_SHARING_H
#define ETALON_CAFFE_SHARING_H

#include "formats/caffe/net.h"
#include "formats/caffe/weights.h"

#include <stdbool.h>

/* A blob of a layer in the weights file. */
struct caffe_stored_blob {
    const struct caffe_layer_weights *layer;
    size_t index;
};

struct caffe_sharing {
    void *names; /* search tree: name -> stored blob */
};

/* Lists what `net` names and the file holds; of equal names the first counts. `sharing` starts zeroed and is released
 * with caffe_sharing_fini even on failure. `weights` may be NULL. EX_OSERR. */
int caffe_sharing_init(struct caffe_sharing *sharing, const struct caffe_net *net, const struct caffe_weights *weights,
                       struct arena *scratch, struct error *err);
void caffe_sharing_fini(struct caffe_sharing *sharing);

/* The blob under the name that `layer` gives its blob `index`. False: no name, or nobody's. */
bool caffe_sharing_find(const struct caffe_sharing *sharing, const Caffe__LayerParameter *layer, size_t index,
                        struct caffe_stored_blob *out);

#endif
