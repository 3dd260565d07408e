/* onnx_graph.c — the walk through a graph of the file: who defines what, which nodes the outputs need, inputs, nodes.
 *
 * Only what the wanted outputs need is looked at: an unknown operator in a detection head does not keep anyone from
 * calibrating the backbone.
 */
#define _GNU_SOURCE /* tdestroy */
#include "formats/onnx/onnx_import.h"

#include "common/log.h"
#include "formats/proto_guard.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct onnx_import *in;
    const Onnx__GraphProto *proto;
    const struct model_request *request;
    struct onnx_definition *definitions;
    size_t n_definitions;
    bool *needs_node, *needs_input; /* [n_node], [n_input] */
    size_t *stack;                  /* nodes whose inputs are still to be followed */
};

/* --- who defines what --- */

static int compare_definitions(const void *a, const void *b)
{
    return strcmp(((const struct onnx_definition *)a)->name, ((const struct onnx_definition *)b)->name);
}

const struct onnx_definition *onnx_definition_find(const struct onnx_import *in, const char *name)
{
    struct onnx_definition key = {.name = name};
    struct onnx_definition *const *slot = tfind(&key, &in->definitions, compare_definitions);

    return slot == NULL ? NULL : *slot;
}

static const char *describe(const struct walk *walk, enum onnx_definer by, size_t index)
{
    if (by != ONNX_BY_NODE)
        return by == ONNX_BY_INPUT ? "a graph input" : "an initializer";
    return onnx_text(walk->proto->node[index]->name)[0] != '\0' ? walk->proto->node[index]->name
                                                                : onnx_text(walk->proto->node[index]->op_type);
}

static int define(struct walk *walk, const char *name, enum onnx_definer by, size_t index, struct error *err)
{
    struct onnx_definition *definition = &walk->definitions[walk->n_definitions++];
    struct onnx_definition *const *slot;

    *definition = (struct onnx_definition){name, by, index};
    slot = tsearch(definition, &walk->in->definitions, compare_definitions);
    if (slot == NULL)
        return error_set(err, EX_OSERR, "cannot allocate memory for the name \"%s\"", name);
    if (*slot == definition ||
        (by == ONNX_BY_INPUT && (*slot)->by < ONNX_BY_INPUT)) /* IR 3 lists initializers as inputs */
        return 0;
    return error_set(err, EX_DATAERR, "value \"%s\" is defined twice: by %s and by %s", name,
                     describe(walk, (*slot)->by, (*slot)->index), describe(walk, by, index));
}

static size_t count_definitions(const Onnx__GraphProto *proto)
{
    size_t n = proto->n_initializer + proto->n_sparse_initializer + proto->n_input;

    for (size_t i = 0; i < proto->n_node; i++)
        n += proto->node[i]->n_output;
    return n;
}

static int define_all(struct walk *walk, struct error *err)
{
    const Onnx__GraphProto *proto = walk->proto;

    for (size_t i = 0; i < proto->n_initializer; i++)
        if (define(walk, onnx_text(proto->initializer[i]->name), ONNX_BY_INITIALIZER, i, err) != 0)
            return -1;
    for (size_t i = 0; i < proto->n_sparse_initializer; i++) {
        const Onnx__TensorProto *values = proto->sparse_initializer[i]->values;

        if (values != NULL && define(walk, onnx_text(values->name), ONNX_BY_SPARSE_INITIALIZER, i, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < proto->n_input; i++)
        if (define(walk, onnx_text(proto->input[i]->name), ONNX_BY_INPUT, i, err) != 0)
            return -1;
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t j = 0; j < proto->node[i]->n_output; j++)
            if (proto->node[i]->output[j][0] != '\0' &&
                define(walk, proto->node[i]->output[j], ONNX_BY_NODE, i, err) != 0)
                return -1;
    return 0;
}

/* --- what the outputs need --- */

static size_t count_outputs(const struct walk *walk)
{
    return walk->request->n_outputs > 0 ? walk->request->n_outputs : walk->proto->n_output;
}

static const char *output_name(const struct walk *walk, size_t i)
{
    return walk->request->n_outputs > 0 ? walk->request->outputs[i] : onnx_text(walk->proto->output[i]->name);
}

static void need(struct walk *walk, const char *name, size_t *depth)
{
    const struct onnx_definition *definition = onnx_definition_find(walk->in, name);

    if (definition == NULL)
        return; /* the walk says who misses it */
    if (definition->by == ONNX_BY_INPUT)
        walk->needs_input[definition->index] = true;
    if (definition->by == ONNX_BY_NODE && !walk->needs_node[definition->index]) {
        walk->needs_node[definition->index] = true;
        walk->stack[(*depth)++] = definition->index;
    }
}

static int mark_needed(struct walk *walk, struct error *err)
{
    size_t depth = 0;

    if (count_outputs(walk) == 0)
        return error_set(err, EX_DATAERR, "the graph has no outputs");
    for (size_t i = 0; i < count_outputs(walk); i++) {
        if (onnx_definition_find(walk->in, output_name(walk, i)) == NULL)
            return error_set(err, EX_DATAERR, "output \"%s\": the model has no value of that name",
                             output_name(walk, i));
        need(walk, output_name(walk, i), &depth);
    }
    while (depth > 0) {
        const Onnx__NodeProto *node = walk->proto->node[walk->stack[--depth]];

        for (size_t i = 0; i < node->n_input; i++)
            need(walk, node->input[i], &depth);
    }
    return 0;
}

/* --- graph inputs --- */

static const struct shape *find_override(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->request->n_inputs; i++)
        if (strcmp(walk->request->inputs[i].name, name) == 0)
            return &walk->request->inputs[i].shape;
    return NULL;
}

/* One record at a time, whatever batch the file was exported with. */
static void note_batch(struct onnx_import *in, const Onnx__TensorShapeProto__Dimension *dim, const char *name)
{
    if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE || dim->dim_value < 1)
        return;
    in->batch = dim->dim_value;
    if (in->batch > 1)
        log_warning("input \"%s\": the file fixes a batch of %lld; one record at a time is run instead", name,
                    (long long)in->batch);
}

/* The batch is 1 (an unbatched graph has none); other open axes come from the request. */
static int read_input_shape(const Onnx__TensorShapeProto *proto, const struct shape *given, bool is_unbatched,
                            struct shape *out, struct error *err)
{
    if (proto == NULL && given == NULL)
        return error_set(err, EX_DATAERR, "it has no shape: give one under model.inputs");
    if (proto != NULL && given != NULL && proto->n_dim != given->rank)
        return error_set(err, EX_DATAERR, "model.inputs gives %zu axes, the file %zu", given->rank, proto->n_dim);
    out->rank = proto != NULL ? proto->n_dim : given->rank;
    if ((out->rank == 0 && !is_unbatched) || out->rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected 1 to %d axes, the first one the batch, found %zu",
                         TENSOR_MAX_RANK, out->rank);
    out->dims[0] = 1;
    for (size_t i = is_unbatched ? 0 : 1; i < out->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = proto != NULL ? proto->dim[i] : NULL;
        bool is_open = dim == NULL || dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;

        if (given == NULL && (is_open || dim->dim_value < 1))
            return error_set(err, EX_DATAERR, "the length of axis %zu is open: give the shape under model.inputs", i);
        out->dims[i] = given != NULL ? given->dims[i] : dim->dim_value;
        if (out->dims[i] < 1)
            return error_set(err, EX_DATAERR, "axis %zu: expected a positive length, found %lld", i,
                             (long long)out->dims[i]);
    }
    return 0;
}

static int add_input(struct walk *walk, const Onnx__ValueInfoProto *proto, struct error *err)
{
    struct graph *graph = walk->in->graph;
    const char *name = onnx_text(proto->name);
    const Onnx__TypeProto__Tensor *type;
    struct shape shape = {0};
    enum dtype dtype;
    bool is_bytes;
    int value;

    if (proto->type == NULL || proto->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return error_set(err, EX_UNAVAILABLE, "expected a tensor");
    type = proto->type->tensor_type;
    if (onnx_dtype(type->elem_type, &dtype, err) != 0)
        return -1;
    is_bytes = type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ||
               type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8; /* stay so until the Cast is removed */
    if ((dtype != DTYPE_FLOAT32 && !is_bytes) || type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
        return error_set(err, EX_UNAVAILABLE, "expected float32, found %s", onnx_dtype_name(type->elem_type));
    if (is_bytes)
        dtype = type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ? DTYPE_UINT8 : DTYPE_INT8;
    else if (type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        log_warning("input \"%s\" is %s in the file; here everything is computed in float32", name,
                    onnx_dtype_name(type->elem_type));
    if (read_input_shape(type->shape, find_override(walk, name), graph->is_unbatched, &shape, err) != 0)
        return -1;
    if (type->shape != NULL && !graph->is_unbatched)
        note_batch(walk->in, type->shape->dim[0], name);
    value = graph_add_value(graph, name, dtype, &shape, err);
    return value < 0 || graph_add_input(graph, value, err) < 0 ? -1 : 0;
}

static int add_inputs(struct walk *walk, struct error *err)
{
    const Onnx__GraphProto *proto = walk->proto;

    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = onnx_text(proto->input[i]->name);

        if (onnx_definition_find(walk->in, name)->by != ONNX_BY_INPUT)
            continue;
        /* Where outputs were chosen, what they do not need is left out; else graph_validate speaks of it. */
        if ((walk->needs_input[i] || walk->request->n_outputs == 0) && add_input(walk, proto->input[i], err) != 0)
            return error_in(err, "input \"%s\"", name);
    }
    return 0;
}

/* --- nodes --- */

static int add_initializer(struct walk *walk, const struct onnx_definition *definition, const char *reader,
                           struct error *err)
{
    struct tensor tensor;
    int value = -1;

    if (onnx_tensor_read(walk->in, walk->proto->initializer[definition->index], &tensor, err) == 0 &&
        onnx_weights_replace(walk->in, definition->name, reader, &tensor, err) == 0)
        value = graph_add_constant(walk->in->graph, definition->name, &tensor, err);
    if (value < 0) {
        walk->in->is_located = true;
        return error_in(err, "initializer \"%s\"", definition->name);
    }
    onnx_note_type(walk->in, value, walk->proto->initializer[definition->index]->data_type);
    return value;
}

/* The value behind a name that a node of type `reader` or the list of outputs ("") mentions; initializers are read when
 * first used. */
static int find_value(struct walk *walk, const char *name, const char *reader, struct error *err)
{
    const struct onnx_definition *definition = onnx_definition_find(walk->in, name);
    int value;

    if (definition == NULL)
        return error_set(err, EX_DATAERR, "it reads \"%s\", which nothing produces", name);
    value = graph_find_value(walk->in->graph, name);
    if (value != GRAPH_NONE)
        return value;
    if (definition->by == ONNX_BY_INITIALIZER)
        return add_initializer(walk, definition, reader, err);
    if (definition->by == ONNX_BY_SPARSE_INITIALIZER)
        return error_set(err, EX_UNAVAILABLE, "\"%s\" is a sparse tensor, which is not supported", name);
    return error_set(err, EX_DATAERR,
                     "it reads \"%s\" before node \"%s\" produces it: the nodes are on a cycle or out of order", name,
                     describe(walk, definition->by, definition->index));
}

/* The same for an earlier node's output that we do not compute (the indices of a MaxPool, the mask of a Dropout). */
static int find_input(struct walk *walk, const char *name, size_t reader, struct error *err)
{
    const struct onnx_definition *definition = onnx_definition_find(walk->in, name);

    if (definition != NULL && definition->by == ONNX_BY_NODE && definition->index < reader &&
        graph_find_value(walk->in->graph, name) == GRAPH_NONE)
        return error_set(err, EX_UNAVAILABLE, "\"%s\", an optional output of node \"%s\", is not supported", name,
                         describe(walk, ONNX_BY_NODE, definition->index));
    return find_value(walk, name, reader < walk->proto->n_node ? onnx_text(walk->proto->node[reader]->op_type) : "",
                      err);
}

static int find_inputs(struct walk *walk, size_t reader, int *inputs, size_t n, struct error *err)
{
    const Onnx__NodeProto *proto = walk->proto->node[reader];

    for (size_t i = 0; i < n; i++) {
        inputs[i] = GRAPH_NONE;
        if (proto->input[i][0] != '\0' && (inputs[i] = find_input(walk, proto->input[i], reader, err)) < 0)
            return -1;
    }
    return 0;
}

static int build_node(struct walk *walk, size_t index, const char *name, struct error *err)
{
    const Onnx__NodeProto *proto = walk->proto->node[index];
    struct onnx_node node = {.proto = proto, .name = name, .n_inputs = proto->n_input};
    int rc = -1, *inputs;

    if (onnx_text(proto->domain)[0] != '\0' && strcmp(proto->domain, "ai.onnx") != 0)
        return error_set(err, EX_UNAVAILABLE, "operators of domain \"%s\" are not known to the onnx importer",
                         proto->domain);
    node.operator= onnx_operator_find(onnx_text(proto->op_type), walk->in->opset, err);
    if (node.operator== NULL || onnx_operator_check(node.operator, proto, err) != 0)
        return -1;
    while (node.n_inputs > 0 && proto->input[node.n_inputs - 1][0] == '\0')
        node.n_inputs--;
    inputs = memory_create(node.n_inputs, sizeof *inputs, "the inputs of a node", err);
    if (inputs == NULL)
        return -1;
    node.inputs = inputs;
    if (find_inputs(walk, index, inputs, node.n_inputs, err) == 0)
        rc = node.operator->build(walk->in, &node, err);
    free(inputs);
    return rc;
}

static int build_nodes(struct walk *walk, struct error *err)
{
    for (size_t i = 0; i < walk->proto->n_node; i++) {
        const Onnx__NodeProto *proto = walk->proto->node[i];
        const char *name = onnx_text(proto->name), *type = onnx_text(proto->op_type);

        if (!walk->needs_node[i])
            continue;
        if (name[0] == '\0')
            name = arena_format(walk->in->graph->arena, err, "%s_%zu", type, i);
        if (name == NULL)
            return -1;
        if (build_node(walk, i, name, err) != 0)
            return walk->in->is_located ? -1 : error_in(err, "node \"%s\" (%s)", name, type);
    }
    return 0;
}

static int add_outputs(struct walk *walk, struct error *err)
{
    for (size_t i = 0; i < count_outputs(walk); i++) {
        int value = find_input(walk, output_name(walk, i), walk->proto->n_node, err);

        if (value < 0 || graph_add_output(walk->in->graph, value, err) < 0)
            return error_in(err, "output \"%s\"", output_name(walk, i));
    }
    return 0;
}

static void keep_definition(void *definition)
{
    (void)definition; /* it belongs to the array */
}

int onnx_read_graph(struct onnx_import *in, const Onnx__GraphProto *proto, const struct model_request *request,
                    struct error *err)
{
    struct walk walk = {.in = in, .proto = proto, .request = request};
    int rc = -1;

    in->graph->name = arena_copy_string(in->graph->arena, onnx_text(proto->name), err);
    if (in->graph->name == NULL)
        return -1;
    walk.definitions = memory_create(count_definitions(proto), sizeof *walk.definitions, "the names of a graph", err);
    walk.needs_node = memory_create(proto->n_node, sizeof *walk.needs_node, "the nodes of a graph", err);
    walk.needs_input = memory_create(proto->n_input, sizeof *walk.needs_input, "the inputs of a graph", err);
    walk.stack = memory_create(proto->n_node, sizeof *walk.stack, "the nodes of a graph", err);
    if (walk.definitions != NULL && walk.needs_node != NULL && walk.needs_input != NULL && walk.stack != NULL &&
        define_all(&walk, err) == 0 && mark_needed(&walk, err) == 0 && add_inputs(&walk, err) == 0 &&
        build_nodes(&walk, err) == 0 && add_outputs(&walk, err) == 0)
        rc = 0;
    tdestroy(in->definitions, keep_definition);
    in->definitions = NULL;
    free(walk.definitions);
    free(walk.needs_node);
    free(walk.needs_input);
    free(walk.stack);
    return rc;
}
