/* sharing.c — see sharing.h. */
#define _GNU_SOURCE /* tdestroy */
#include "formats/caffe/sharing.h"

#include <search.h>
#include <string.h>

struct shared_blob {
    const char *name;
    struct caffe_stored_blob blob;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct shared_blob *)a)->name, ((const struct shared_blob *)b)->name);
}

static void keep(void *entry)
{
    (void)entry; /* it belongs to the arena */
}

/* NULL: blob `index` is not shared. */
static const char *shared_name(const Caffe__LayerParameter *layer, size_t index)
{
    const char *name = index < layer->n_param ? layer->param[index]->name : NULL;

    return name == NULL || *name == '\0' ? NULL : name;
}

static int add_layer(struct caffe_sharing *sharing, const Caffe__LayerParameter *layer,
                     const struct caffe_layer_weights *stored, struct arena *scratch, struct error *err)
{
    for (size_t i = 0; i < layer->n_param; i++) {
        struct shared_blob *entry;

        if (shared_name(layer, i) == NULL)
            continue;
        entry = arena_create_array(scratch, 1, sizeof *entry, err);
        if (entry == NULL)
            return -1;
        *entry = (struct shared_blob){shared_name(layer, i), {stored, i}};
        if (tsearch(entry, &sharing->names, compare_names) == NULL)
            return error_set(err, EX_OSERR, "cannot allocate memory for the name \"%s\"", entry->name);
    }
    return 0;
}

int caffe_sharing_init(struct caffe_sharing *sharing, const struct caffe_net *net, const struct caffe_weights *weights,
                       struct arena *scratch, struct error *err)
{
    const struct caffe_layer_weights *stored;
    struct error unused;

    for (size_t i = 0; weights != NULL && i < net->n_layers; i++)
        if (net->layers[i]->n_param > 0 && caffe_weights_find(weights, net->layers[i]->name, &stored, &unused) == 0 &&
            add_layer(sharing, net->layers[i], stored, scratch, err) < 0)
            return -1;
    return 0;
}

void caffe_sharing_fini(struct caffe_sharing *sharing)
{
    tdestroy(sharing->names, keep);
    sharing->names = NULL;
}

bool caffe_sharing_find(const struct caffe_sharing *sharing, const Caffe__LayerParameter *layer, size_t index,
                        struct caffe_stored_blob *out)
{
    struct shared_blob key = {.name = shared_name(layer, index)};
    struct shared_blob *const *slot = key.name == NULL ? NULL : tfind(&key, &sharing->names, compare_names);

    if (slot == NULL)
        return false;
    *out = (*slot)->blob;
    return true;
}
