/* import.c — frozen TensorFlow graphs into our graph.
 *
 * A file is one GraphDef, serialized without magic or length, or in protobuf's text format. Whatever holds weights in
 * variables beside the graph (a SavedModel, a checkpoint) must be frozen first: it is recognised, and refused by name.
 */
#include "formats/tensorflow/tf_import.h"

#include "common/log.h"
#include "formats/proto_guard.h"
#include "formats/proto_text.h"
#include "formats/proto_wire.h"

#include <string.h>

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* Field types of a message by number, from 1; 0: there is no such field. WIRE_VARINT is 0, so +1. */
static bool is_field(const struct wire_field *field, const uint8_t *types, size_t n)
{
    return field->number < n && types[field->number] == field->type + 1;
}

static bool is_node(struct wire wire)
{
    static const uint8_t types[] = {
        [1] = WIRE_LENGTH + 1, [2] = WIRE_LENGTH + 1, [3] = WIRE_LENGTH + 1, [4] = WIRE_LENGTH + 1,
        [5] = WIRE_LENGTH + 1, [6] = WIRE_LENGTH + 1, [7] = WIRE_LENGTH + 1,
    };
    bool has_name = false, has_op = false;
    struct wire_field field;
    int rc;

    while ((rc = wire_next(&wire, &field, NULL)) == 1) {
        if (!is_field(&field, types, sizeof types))
            return false;
        has_name = has_name || field.number == 1;
        has_op = has_op || field.number == 2;
    }
    return rc == 0 && has_name && has_op;
}

/* Nothing but fields of GraphDef as far as the bytes go, and each node is one. */
static bool is_graph(struct wire wire)
{
    static const uint8_t types[] = {
        [1] = WIRE_LENGTH + 1, [2] = WIRE_LENGTH + 1, [3] = WIRE_VARINT + 1,
        [4] = WIRE_LENGTH + 1, [5] = WIRE_LENGTH + 1,
    };
    struct wire_field field;
    size_t n_nodes = 0;

    while (wire_next(&wire, &field, NULL) == 1) {
        if (!is_field(&field, types, sizeof types) || (field.number == 1 && !is_node(field.contents)))
            return false;
        n_nodes += field.number == 1;
    }
    return n_nodes > 0;
}

/* SavedModel: schema version (1), MetaGraphDefs (2), each with a GraphDef (2). */
static bool is_saved_model(struct wire wire)
{
    struct wire_field field, inner;

    while (wire_next(&wire, &field, NULL) == 1) {
        if (field.number == 1 && field.type == WIRE_VARINT)
            continue;
        if (field.number != 2 || field.type != WIRE_LENGTH)
            return false;
        while (wire_next(&field.contents, &inner, NULL) == 1)
            if (inner.number == 2 && inner.type == WIRE_LENGTH)
                return is_graph(inner.contents);
        return false;
    }
    return false;
}

static struct wire wire_of(const struct bytes *file)
{
    return (struct wire){file->data, file->data, file->data + file->size};
}

bool tf_is_graph_def(const struct bytes *file)
{
    return is_graph(wire_of(file));
}

/* As TensorFlow writes it: the first field, after comments, is a node. What else is text has no bytes below the blanks.
 */
static bool is_text_graph(const struct bytes *file)
{
    const char *at = (const char *)file->data, *end = at + file->size;

    while (at < end && (*at == '#' || strchr(" \t\r\n", *at) != NULL) && *at != '\0') {
        const char *newline = *at == '#' ? memchr(at, '\n', (size_t)(end - at)) : at;

        at = newline == NULL ? end : newline + 1;
    }
    if ((size_t)(end - at) < strlen("node {") || strncmp(at, "node", 4) != 0)
        return false;
    for (at += 4; at < end && (*at == ' ' || *at == ':'); at++)
        ;
    return at < end && *at == '{';
}

static int recognise(const char *path, const struct bytes *file)
{
    if (is_text_graph(file) || is_graph(wire_of(file)) || is_saved_model(wire_of(file)))
        return 2;
    return has_suffix(path, ".pb") || has_suffix(path, ".pbtxt");
}

struct text_warnings {
    struct proto_text_listener listener;
    const char *path;
};

static void warn(struct proto_text_listener *self, const char *text)
{
    log_warning("%s: %s", ((struct text_warnings *)self)->path, text);
}

/* NULL with EX_DATAERR, EX_OSERR; freed with proto_free. */
static Tensorflow__GraphDef *parse_text(const char *path, const struct bytes *file, struct error *err)
{
    struct text_warnings warnings = {{warn}, path};

    return (Tensorflow__GraphDef *)proto_text_parse(&tensorflow__graph_def__descriptor, file->data, file->size,
                                                    &warnings.listener, err);
}

/* NULL with EX_DATAERR, EX_UNAVAILABLE, EX_OSERR; freed with proto_free_unpacked. */
static Tensorflow__GraphDef *unpack(const struct bytes *file, struct error *err)
{
    if (!is_saved_model(wire_of(file)))
        return (Tensorflow__GraphDef *)proto_unpack(&tensorflow__graph_def__descriptor, file->data, file->size,
                                                    proto_budget(file->size), err);
    error_set(err, EX_UNAVAILABLE,
              "this is a SavedModel, whose weights are in variables beside it: freeze it into one GraphDef");
    return NULL;
}

static int read_graph(const struct model_request *request, const struct bytes *file, struct graph *graph,
                      struct error *err)
{
    struct tf_import in = {.graph = graph,
                           .request = request,
                           .file = file,
                           .batch = INT32_MAX,
                           .budget = {.limit = proto_budget(file->size)}};
    bool is_text = is_text_graph(file) || has_suffix(request->file, ".pbtxt");
    Tensorflow__GraphDef *proto = is_text ? parse_text(request->file, file, err) : unpack(file, err);
    int rc;

    if (proto == NULL)
        return -1;
    in.proto = proto;
    rc = tf_read_graph(&in, err);
    (is_text ? proto_free : proto_free_unpacked)(&proto->base);
    return rc;
}

static int import(const struct model_request *request, struct graph *graph, struct error *err)
{
    struct bytes file;
    int rc;

    if (bytes_read(request->file, MODEL_MAX_BYTES, &file, err) != 0)
        return -1; /* the message starts with the path */
    rc = read_graph(request, &file, graph, err);
    bytes_free(&file);
    return rc == 0 ? 0 : error_in(err, "%s", request->file);
}

const struct importer importer_tensorflow = {
    .name = "tensorflow",
    .summary = "frozen TensorFlow graphs (.pb, .pbtxt)",
    .recognise = recognise,
    .import = import,
};
