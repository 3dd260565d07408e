/* net.c — a network as the vendor's tools write one; see sophon.h. */
#include "formats/sophon/sophon.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A blob by the name that Caffe's writer gave it; layers that work in place write it several times. */
struct blob {
    const char *name; /* first: what entries are compared by */
    const char *base; /* of what tops are called; NULL: not yet written */
    const char *latest;
    size_t n_writes;
    int value, held; /* what it is to hold, and what its latest layer has put there */
};

struct dresser {
    struct sophon_net *net;
    struct caffe_writer *w;
    void *blobs; /* tree of struct blob, which live in the writer's arena */
};

static int compare_blobs(const void *a, const void *b)
{
    return strcmp(((const struct blob *)a)->name, ((const struct blob *)b)->name);
}

static struct blob *find_blob(const struct dresser *d, const char *name)
{
    const struct blob key = {.name = name};
    void *found = tfind(&key, &d->blobs, compare_blobs);

    return found == NULL ? NULL : *(struct blob **)found;
}

/* NULL after a failure. */
static struct blob *add_blob(struct dresser *d, const char *name, int value)
{
    struct blob *blob = arena_create_array(d->w->arena, 1, sizeof *blob, &d->w->err);

    if (blob == NULL)
        return NULL;
    *blob = (struct blob){.name = name, .latest = name, .value = value, .held = value};
    if (tsearch(blob, &d->blobs, compare_blobs) == NULL) {
        error_set(&d->w->err, EX_OSERR, "cannot allocate memory for the blobs of a network");
        return NULL;
    }
    return blob;
}

static void add_values(struct dresser *d)
{
    for (size_t v = 0; v < d->net->plan->graph->n_values && d->w->err.code == 0; v++)
        if (!d->net->plan->graph->values[v].is_constant)
            add_blob(d, d->w->blobs[v], (int)v);
}

/* ---- Tops */

/* The tables separate by blanks: a name without any that nobody has. NULL after a failure. */
static const char *without_blanks(struct dresser *d, const struct blob *blob)
{
    static const char blanks[] = " \t\r\n\v\f";
    char *copy;
    const char *name;

    if (strpbrk(blob->name, blanks) == NULL)
        return blob->name;
    name = copy = arena_format(d->w->arena, &d->w->err, "%s", blob->name);
    for (char *c = copy; c != NULL && (c = strpbrk(c, blanks)) != NULL;)
        *c = '_';
    for (size_t k = 1; name != NULL && find_blob(d, name) != NULL; k++)
        name = arena_format(d->w->arena, &d->w->err, "%s_%zu", copy, k);
    return name != NULL && add_blob(d, name, blob->value) != NULL ? name : NULL;
}

/* "conv1", "conv1_1", "conv1_2": the k-th layer that writes it. */
static const char *unique_top(struct dresser *d, struct blob *blob)
{
    const char *name = blob->base != NULL ? blob->base : (blob->base = without_blanks(d, blob));

    for (bool is_taken = blob->n_writes > 0; is_taken; is_taken = name != NULL && find_blob(d, name) != NULL)
        name = arena_format(d->w->arena, &d->w->err, "%s_%zu", blob->base, blob->n_writes++);
    blob->n_writes += blob->n_writes == 0;
    return name;
}

static bool moves_codes(const char *type)
{
    return strcmp(type, "Reshape") == 0 || strcmp(type, "Permute") == 0 || strcmp(type, "Split") == 0;
}

/* What a blob inside of a node holds: what the layer moved there, or, at its own scale, what the node makes. Reals
 * where the node computes in float. */
static int inner_value(const struct dresser *d, const struct sophon_layer *layer, const Caffe__LayerParameter *written)
{
    const struct graph *graph = d->w->graph;
    bool moves = moves_codes(written->type) || (written->convolution_param != NULL && layer->node != GRAPH_NONE &&
                                                strcmp(written->name, graph->nodes[layer->node].name) != 0);

    if (sophon_is_float(d->net->plan, layer))
        return GRAPH_NONE;
    if (layer->node == GRAPH_NONE || (moves && layer->bottoms[0] != GRAPH_NONE))
        return layer->bottoms[0];
    return graph->nodes[layer->node].outputs[0];
}

/* What a new blob holds: beside a part of a slice that is one of the graph's values, the same, for steps are given for
 * all parts or for none. */
static int new_value(const struct dresser *d, const struct sophon_layer *to, const Caffe__LayerParameter *layer)
{
    for (size_t i = 0; i < layer->n_top && layer->n_top > 1; i++) {
        const struct blob *part = find_blob(d, layer->top[i]);

        if (part != NULL)
            return part->value;
    }
    return layer->n_bottom > 0 ? inner_value(d, to, layer) : GRAPH_NONE;
}

/* Is this blob still to be written again by layers of the same node, which computes in float? */
static bool is_unfinished(const struct dresser *d, size_t i, const struct sophon_layer *layer, const char *name)
{
    const struct caffe_writer *w = d->w;

    if (!sophon_is_float(d->net->plan, layer))
        return false;
    for (size_t next = i + 1; next < w->net.n_layer && w->sources[next] == w->sources[i]; next++)
        for (size_t k = 0; k < w->net.layer[next]->n_top; k++)
            if (strcmp(w->net.layer[next]->top[k], name) == 0)
                return true;
    return false;
}

static void rename_tops(struct dresser *d, size_t index, struct sophon_layer *to)
{
    const Caffe__LayerParameter *layer = d->w->net.layer[index];

    for (size_t i = 0; i < layer->n_bottom && d->w->err.code == 0; i++) {
        const struct blob *blob = find_blob(d, layer->bottom[i]);

        to->bottoms[i] = blob == NULL ? GRAPH_NONE : blob->held;
        layer->bottom[i] = blob == NULL ? layer->bottom[i] : (char *)(uintptr_t)blob->latest;
    }
    for (size_t i = 0; i < layer->n_top && d->w->err.code == 0; i++) {
        struct blob *blob = find_blob(d, layer->top[i]);

        if (blob == NULL)
            blob = add_blob(d, layer->top[i], new_value(d, to, layer));
        if (blob == NULL || (blob->latest = unique_top(d, blob)) == NULL)
            return;
        blob->held = is_unfinished(d, index, to, blob->name) ? GRAPH_NONE : blob->value;
        to->tops[i] = blob->held;
        layer->top[i] = (char *)(uintptr_t)blob->latest;
    }
}

/* ---- Layers */

/* Clip from 0 upward is what the vendor calls a ReLU with an upper limit. */
static void write_relu6(struct caffe_writer *w, Caffe__LayerParameter *layer)
{
    const Caffe__ClipParameter *clip = layer->clip_param;
    Caffe__ReLUParameter *param;

    if (clip == NULL || clip->min != 0 || !(clip->max > 0))
        return;
    param = caffe_put_message(w, &caffe__re_luparameter__descriptor);
    if (param == NULL)
        return;
    param->has_upper_limit = true;
    param->upper_limit = clip->max;
    layer->type = (char *)(uintptr_t) "ReLU";
    layer->clip_param = NULL;
    layer->relu_param = param;
}

static void dress_layer(struct dresser *d, size_t i)
{
    Caffe__LayerParameter *layer = d->w->net.layer[i];
    struct sophon_layer *to = &d->net->layers[i];

    to->node = d->w->sources[i] == NULL ? GRAPH_NONE : (int)(d->w->sources[i] - d->w->graph->nodes);
    to->bottoms = arena_create_array(d->w->arena, layer->n_bottom, sizeof *to->bottoms, &d->w->err);
    to->tops = arena_create_array(d->w->arena, layer->n_top, sizeof *to->tops, &d->w->err);
    if (to->bottoms == NULL || to->tops == NULL)
        return;
    rename_tops(d, i, to);
    write_relu6(d->w, layer);
    layer->has_phase = layer->input_param == NULL; /* an Input has none in the vendor's files */
    layer->phase = CAFFE__PHASE__TEST;
}

static void dress_net(struct caffe_writer *w)
{
    Caffe__NetState *state = caffe_put_message(w, &caffe__net_state__descriptor);

    if (state == NULL)
        return;
    state->has_phase = true;
    state->phase = CAFFE__PHASE__TEST;
    w->net.state = state;
    w->net.has_model_type = true;
    w->net.model_type = CAFFE__NET_PARAMETER__MODEL_TYPE__BMNETC2UModel; /* whatever it was: it is Caffe's now */
}

int sophon_net_init(struct sophon_net *net, const struct plan *plan, const struct graph *graph, struct error *err)
{
    struct dresser d = {.net = net, .w = &net->writer};

    *net = (struct sophon_net){.plan = plan};
    if (caffe_write_net(&net->writer, graph, err) != 0)
        return -1;
    net->layers = arena_create_array(net->writer.arena, net->writer.net.n_layer, sizeof *net->layers, &net->writer.err);
    if (net->layers != NULL)
        add_values(&d);
    for (size_t i = 0; i < net->writer.net.n_layer && net->writer.err.code == 0; i++)
        dress_layer(&d, i);
    while (d.blobs != NULL) /* entries are the arena's */
        tdelete(*(struct blob **)d.blobs, &d.blobs, compare_blobs);
    if (net->writer.err.code == 0)
        dress_net(&net->writer);
    return net->writer.err.code == 0 ? 0 : error_set(err, net->writer.err.code, "%s", net->writer.err.text);
}

void sophon_net_fini(struct sophon_net *net)
{
    caffe_writer_fini(&net->writer);
}

float sophon_threshold(const struct plan *plan, int value)
{
    return value != GRAPH_NONE && plan->values[value].is_quantized ? plan->values[value].threshold[0] : 0;
}

/* An input, or a copy of an output, is what its neighbours make of it. */
bool sophon_is_float(const struct plan *plan, const struct sophon_layer *layer)
{
    return layer->node != GRAPH_NONE && !plan->nodes[layer->node].is_quantized;
}
