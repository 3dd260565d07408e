/* tf_input.c — graph inputs: their shapes, and which of their axes carries channels. */
#include "formats/tensorflow/tf_import.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_UINT8 = 4, TYPE_BOOL = 10 };

static int32_t type_of(const Tensorflow__NodeDef *proto)
{
    const Tensorflow__AttrValue *attribute = tf_attribute(proto, "dtype");

    return attribute != NULL && attribute->value_case == TENSORFLOW__ATTR_VALUE__VALUE_TYPE ? attribute->type : 0;
}

bool tf_is_input(const struct tf_import *in, size_t node)
{
    const Tensorflow__NodeDef *proto = in->proto->node[node];

    return in->sources[node].is_cut ||
           ((strcmp(proto->op, "Placeholder") == 0 || strcmp(proto->op, "PlaceholderV2") == 0) &&
            type_of(proto) != TYPE_BOOL);
}

/* --- channels --- */

/* A tensor on the way down from an input: axis i of it is axis axes[i] of the input. */
struct path {
    size_t node;
    uint8_t axes[TENSOR_MAX_RANK];
};

/* The permutation of a Transpose, where it is written out. */
static bool read_permutation(struct tf_import *in, const Tensorflow__NodeDef *proto, size_t rank, struct tensor *out)
{
    const Tensorflow__AttrValue *value;
    struct tf_edge edge;

    if (proto->n_input < 2 || !tf_names_find(&in->names, proto->input[1], &edge))
        return false;
    value =
        strcmp(in->proto->node[edge.node]->op, "Const") == 0 ? tf_attribute(in->proto->node[edge.node], "value") : NULL;
    if (value == NULL || value->value_case != TENSORFLOW__ATTR_VALUE__VALUE_TENSOR ||
        tf_tensor_read(in, value->tensor, out, NULL) != 0 || shape_elements(&out->shape) != (int64_t)rank)
        return false;
    for (size_t i = 0; i < rank; i++)
        if (tensor_integer(out, i) < 0 || tensor_integer(out, i) >= (int64_t)rank)
            return false;
    return true;
}

/* Takes `path` past a reader of its node. 1: *axis is where that one wants channels; 0: *next goes on; -1: a dead end.
 */
static int step(struct tf_import *in, const struct path *path, size_t reader, size_t rank, struct path *next, int *axis)
{
    const Tensorflow__NodeDef *proto = in->proto->node[reader];
    const struct tf_operator *row = tf_operator_find(proto->op);
    struct tensor perm;
    bool is_last;

    if (row == NULL)
        return -1;
    if ((row->flags & TF_HAS_CHANNELS) != 0) {
        if (tf_is_channels_last(proto, &is_last, NULL) != 0)
            return -1;
        *axis = path->axes[is_last ? rank - 1 : 1];
        return 1;
    }
    *next = *path;
    next->node = reader;
    if ((row->flags & TF_KEEPS_AXES) != 0)
        return 0;
    if (strcmp(proto->op, "Transpose") != 0 || !read_permutation(in, proto, rank, &perm))
        return -1;
    for (size_t i = 0; i < rank; i++)
        next->axes[i] = path->axes[tensor_integer(&perm, i)];
    return 0;
}

/* The nearest reader that speaks of channels decides. -1 in *axis: none does. */
static int find_channels(struct tf_import *in, size_t node, size_t rank, int *axis, struct error *err)
{
    struct path *queue = memory_create(in->proto->n_node + 2, sizeof *queue, "the readers of an input", err);
    bool *is_seen = memory_create(in->proto->n_node, sizeof *is_seen, "the readers of an input", err);
    size_t n = 1;
    int rc = queue == NULL || is_seen == NULL ? -1 : 0;

    *axis = -1;
    if (rc == 0)
        queue[0] = (struct path){node, {0, 1, 2, 3, 4, 5, 6, 7}};
    for (size_t at = 0; rc == 0 && at < n && *axis < 0; at++)
        for (size_t k = in->readers_begin[queue[at].node]; k < in->readers_begin[queue[at].node + 1]; k++) {
            size_t reader = in->readers[k];
            int found = is_seen[reader] ? -1 : step(in, &queue[at], reader, rank, &queue[n], axis);

            is_seen[reader] = true;
            if (found > 0)
                break;
            n += found == 0; /* each node once, and room for one more */
        }
    free(queue);
    free(is_seen);
    return rc;
}

/* Channels first, the other axes behind them as the file has them. TensorFlow's images have channels last. */
static int choose_order(struct tf_import *in, size_t node, const struct shape *shape, struct tf_order *order,
                        struct error *err)
{
    uint8_t next = 2;
    int channels;

    *order = tf_plain_order();
    if (shape->rank < 3)
        return 0;
    if (find_channels(in, node, shape->rank, &channels, err) != 0)
        return -1;
    if (channels < 0 && shape->rank == 4)
        channels = 3;
    if (channels < 1)
        return 0;
    for (size_t i = 1; i < shape->rank; i++)
        order->axis[i] = (int)i == channels ? 1 : next++;
    return 0;
}

/* --- the input --- */

static bool is_placeholder(const Tensorflow__NodeDef *proto)
{
    return strncmp(proto->op, "Placeholder", strlen("Placeholder")) == 0; /* V2, WithDefault */
}

/* The shape that the file declares; false where it leaves even the number of axes open. Old writers left the shape
 * away, or wrote that of a scalar. */
static bool declared_shape(const Tensorflow__NodeDef *proto, const Tensorflow__TensorShapeProto **out)
{
    const Tensorflow__AttrValue *attribute = tf_attribute(proto, "shape");

    *out = attribute != NULL && is_placeholder(proto) && attribute->value_case == TENSORFLOW__ATTR_VALUE__VALUE_SHAPE
               ? attribute->shape
               : NULL;
    return *out != NULL && !(*out)->unknown_rank && (*out)->n_dim > 0;
}

/* The batch is 1; other open axes come from the request. In the file's axes. */
static int read_shape(struct tf_import *in, const Tensorflow__NodeDef *proto, const struct shape *given,
                      struct shape *out, struct error *err)
{
    const Tensorflow__TensorShapeProto *declared;
    bool is_declared = declared_shape(proto, &declared);

    if (!is_declared && given == NULL)
        return error_set(err, EX_DATAERR, "the file does not say its shape: give it under model.inputs");
    if (is_declared && given != NULL && declared->n_dim != given->rank)
        return error_set(err, EX_DATAERR, "model.inputs gives %zu axes, the file %zu", given->rank, declared->n_dim);
    out->rank = given != NULL ? given->rank : declared->n_dim;
    if (out->rank == 0 || out->rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected 1 to %d axes, the first one the batch, found %zu",
                         TENSOR_MAX_RANK, out->rank);
    if (is_declared && declared->dim[0]->size > 1) {
        in->batch = declared->dim[0]->size;
        log_warning("input \"%s\": the file fixes a batch of %lld; one record at a time is run instead", proto->name,
                    (long long)in->batch);
    } else if (is_declared && declared->dim[0]->size == 1) {
        in->batch = 1;
    }
    out->dims[0] = 1;
    for (size_t i = 1; i < out->rank; i++) {
        out->dims[i] = given != NULL ? given->dims[i] : declared->dim[i]->size;
        if (out->dims[i] < 1)
            return error_set(err, EX_DATAERR, "the length of axis %zu is open: give the shape under model.inputs", i);
    }
    return 0;
}

/* Pixels come as float32, whatever the file's own preprocessing starts from. What else is made an input is taken on the
 * user's word. */
static int check_type(const Tensorflow__NodeDef *proto, struct error *err)
{
    int32_t type = type_of(proto);
    enum dtype dtype;

    if (!is_placeholder(proto))
        return 0;
    if (tf_dtype(type, &dtype, err) != 0)
        return -1;
    if (dtype != DTYPE_FLOAT32 && type != TYPE_UINT8)
        return error_set(err, EX_UNAVAILABLE, "expected float32, found %s", tf_dtype_name(type));
    return 0;
}

int tf_add_input(struct tf_import *in, size_t node, size_t port, const struct shape *given, struct error *err)
{
    const Tensorflow__NodeDef *proto = in->proto->node[node];
    struct tf_source *source = &in->sources[node];
    struct tf_node outputs = {0};
    struct shape shape = {0}, arranged = {0};
    struct tf_order order;
    const char *name = port == 0 ? proto->name : arena_format(in->graph->arena, err, "%s:%zu", proto->name, port);
    int value;

    if (name == NULL || check_type(proto, err) != 0 || read_shape(in, proto, given, &shape, err) != 0 ||
        choose_order(in, node, &shape, &order, err) != 0)
        return -1;
    arranged.rank = shape.rank;
    for (size_t i = 0; i < shape.rank; i++)
        arranged.dims[order.axis[i]] = shape.dims[i];
    value = graph_add_value(in->graph, name, DTYPE_FLOAT32, &arranged, err);
    if (value < 0 || graph_add_input(in->graph, value, err) < 0 ||
        tf_create_outputs(in, &outputs, port >= source->n_outputs ? port + 1 : source->n_outputs, err) != 0)
        return -1;
    for (size_t i = 0; i < source->n_outputs; i++) /* another one may be an input already */
        outputs.outputs[i] = source->outputs[i];
    outputs.outputs[port] = (struct tf_tensor){.value = value, .order = order};
    source->n_outputs = outputs.n_outputs;
    source->outputs = outputs.outputs;
    return 0;
}
