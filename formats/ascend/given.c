/* given.c — a quantized graph from scales that somebody wrote down: the way of the vendor's convert_model.
 *
 * A record names nodes of a TensorFlow graph, and its scales are of weights into which all normalisation was folded.
 * Where the graph is folded already, quantization is put into it as it is: all other nodes and names stay the user's.
 * Else it is folded first, as for a calibration; layers keep their names in that. */
#include "formats/ascend/ascend.h"
#include "formats/exporter.h"
#include "formats/proto_guard.h"

#include <string.h>

/* The two forms of the model, either of which may be missing. */
struct source {
    struct bytes file;
    Tensorflow__GraphDef *proto; /* as it is */
    struct graph *graph;         /* folded */
    bool takes_proto;
};

static int open_form(struct tf_writer *w, const struct source *source, bool takes_proto, struct error *err)
{
    return takes_proto ? tf_writer_adopt(w, source->proto, err) : tf_write_graph(w, source->graph, NULL, err);
}

/* ---- which form ---- */

/* The weights of a node written by tf_write_graph; NULL: it has none. */
static const Tensorflow__TensorProto *weights_of(const struct tf_writer *w, const struct tf_names *names,
                                                 const Tensorflow__NodeDef *node)
{
    const struct ascend_operator *kind = ascend_operator_find(node->op);
    struct tf_edge edge;

    if (kind == NULL || kind->weights == ASCEND_NO_WEIGHTS ||
        !tf_names_find(names, node->input[kind->weights], &edge) || strcmp(w->nodes[edge.node]->op, "Const") != 0)
        return NULL;
    return tf_attribute(w->nodes[edge.node], "value")->tensor;
}

static bool is_among(const struct ascend_layer *layer, const struct tf_writer *folded, const struct tf_names *names)
{
    size_t bytes = (size_t)shape_elements(&layer->shape) * sizeof(float);

    for (size_t i = 0; i < folded->n_nodes; i++) {
        const Tensorflow__TensorProto *weights = weights_of(folded, names, folded->nodes[i]);

        if (weights != NULL && ascend_operator_find(folded->nodes[i]->op) == layer->kind &&
            weights->tensor_content.len == bytes && memcmp(weights->tensor_content.data, layer->weights, bytes) == 0)
            return true;
    }
    return false;
}

/* Does folding leave the weights of the record's layers as they are? Their names may differ: groups become one. */
static bool is_folded(const struct ascend_layers *found, const struct tf_writer *folded)
{
    Tensorflow__GraphDef file = TENSORFLOW__GRAPH_DEF__INIT;
    struct tf_names names = {0};
    struct error ignored = {0};
    bool is_same;

    file.n_node = folded->n_nodes;
    file.node = folded->nodes;
    is_same = tf_names_create(&file, &names, &ignored) == 0;
    for (size_t i = 0; i < found->n && is_same; i++)
        is_same = found->layers[i].kind->weights == ASCEND_NO_WEIGHTS || is_among(&found->layers[i], folded, &names);
    tf_names_free(&names);
    return is_same;
}

/* Of a model that has operators we do not know. */
static bool has_no_normalisation(const Tensorflow__GraphDef *proto)
{
    for (size_t i = 0; i < proto->n_node; i++)
        if (strncmp(tf_text(proto->node[i]->op), "FusedBatchNorm", strlen("FusedBatchNorm")) == 0)
            return false;
    return true;
}

static bool takes_proto(const struct source *source, const Ascend__ScaleOffsetRecord *record)
{
    struct tf_writer as_is = {0}, folded = {0};
    struct ascend_layers found = {0};
    struct error ignored = {0};
    bool takes =
        open_form(&as_is, source, true, &ignored) == 0 && ascend_layers_find(&as_is, record, &found, &ignored) == 0;

    if (takes && source->graph == NULL)
        takes = has_no_normalisation(source->proto);
    else if (takes)
        takes = open_form(&folded, source, false, &ignored) == 0 && is_folded(&found, &folded);
    ascend_layers_fini(&found);
    tf_writer_fini(&as_is);
    tf_writer_fini(&folded);
    return takes;
}

/* Does the user want more of the model than that it be read? */
static bool is_edited(const struct model_request *model)
{
    return model->n_outputs > 0 || model->remove.n_names > 0 || model->remove.n_types > 0;
}

static int open_source(struct source *source, const struct model_request *model,
                       const Ascend__ScaleOffsetRecord *record, struct error *err)
{
    struct error why = {0}; /* it is not read into a graph */

    if (bytes_read(model->file, MODEL_MAX_BYTES, &source->file, err) != 0)
        return -1;
    source->graph = model_import(model, &why);
    if (source->graph != NULL && graph_normalise(source->graph, err) != 0)
        return -1;
    if (tf_is_graph_def(&source->file) && !is_edited(model)) {
        source->proto = (Tensorflow__GraphDef *)proto_unpack(&tensorflow__graph_def__descriptor, source->file.data,
                                                             source->file.size, proto_budget(source->file.size), err);
        if (source->proto == NULL)
            return error_in(err, "%s", model->file);
    }
    source->takes_proto = source->proto != NULL && takes_proto(source, record);
    if (source->takes_proto || source->graph != NULL)
        return 0;
    *err = why;
    return -1;
}

static void close_source(struct source *source)
{
    proto_free_unpacked(source->proto == NULL ? NULL : &source->proto->base);
    graph_destroy(source->graph);
    bytes_free(&source->file);
}

/* ---- the files ---- */

static int write_style(const struct source *source, const Ascend__ScaleOffsetRecord *record, enum ascend_style style,
                       const char *base, struct output *output, struct error *err)
{
    const char *ending = style == ASCEND_PLAIN ? "_fake_quant.pb" : "_quantized.pb";
    const ProtobufCMessage *file = NULL;
    struct tf_writer w;
    int rc = open_form(&w, source, source->takes_proto, err);

    if (rc == 0)
        rc = ascend_quantize(&w, record, style, err);
    if (rc == 0 && (file = tf_writer_finish(&w, err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = exporter_write_message(output, base, ending, file, err);
    if (rc == 0 && style == ASCEND_OPERATORS)
        rc = ascend_write_map(&w, output, NULL, base, err);
    tf_writer_fini(&w);
    return rc;
}

int ascend_emit_given(const struct model_request *model, const char *scales, const char *base, struct output *output,
                      struct error *err)
{
    Ascend__ScaleOffsetRecord *record = ascend_record_read(scales, err);
    struct source source = {0};
    int rc = record == NULL ? -1 : 0;

    if (rc == 0)
        rc = open_source(&source, model, record, err);
    for (int style = ASCEND_OPERATORS; style <= ASCEND_PLAIN && rc == 0; style++)
        if (write_style(&source, record, style, base, output, err) != 0)
            rc = error_in(err, "%s", scales);
    close_source(&source);
    proto_free(record == NULL ? NULL : &record->base);
    return rc;
}
