/* ops_control.c — what passes values on: constants, identities, and the branches that training has left behind. */
#include "formats/tensorflow/tf_import.h"

#include "common/log.h"

int tf_build_const(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const Tensorflow__AttrValue *attribute = tf_attribute(node->proto, "value");
    struct tensor tensor;
    int value;

    if (attribute == NULL || attribute->value_case != TENSORFLOW__ATTR_VALUE__VALUE_TENSOR)
        return error_set(err, EX_DATAERR, "attribute \"value\" holds no tensor");
    if (tf_tensor_read(in, attribute->tensor, &tensor, err) != 0 ||
        (value = graph_add_constant(in->graph, node->proto->name, &tensor, err)) < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = value, .order = tf_plain_order()};
    return 0;
}

/* Input `slot` under the name of output `port`. A constant needs no second name. */
static int pass_on(struct tf_import *in, struct tf_node *node, size_t slot, size_t port, struct error *err)
{
    int x = node->inputs[slot].value;
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};

    node->outputs[port] = node->inputs[slot];
    if (tf_is_constant(in, node, slot))
        return 0;
    x = tf_add(in, node, &draft, &(struct tf_result){.port = port}, err);
    if (x < 0)
        return -1;
    node->outputs[port].value = x;
    return 0;
}

/* Also of operators that check or stop a gradient; a PlaceholderWithDefault that is no input has its default. */
int tf_build_identity(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return pass_on(in, node, 0, 0, err);
}

/* IdentityN: what layers with a gradient of their own are wrapped in. */
int tf_build_identities(struct tf_import *in, struct tf_node *node, struct error *err)
{
    if (tf_create_outputs(in, node, node->n_inputs, err) != 0)
        return -1;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (pass_on(in, node, i, i, err) != 0)
            return -1;
    return 0;
}

/* What training with simulated quantization leaves: the ranges are found anew here. */
int tf_build_fake_quant(struct tf_import *in, struct tf_node *node, struct error *err)
{
    if (!in->has_warned_of_fake_quant)
        log_warning("node \"%s\" (%s): the file's own quantization ranges are not used", node->proto->name,
                    node->proto->op);
    in->has_warned_of_fake_quant = true;
    return pass_on(in, node, 0, 0, err);
}

/* A Placeholder of a flag, which is no input: whether this is training, and it is not. */
static int add_false(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return tf_finish_ints(in, node, &(struct shape){0}, &(int64_t){0}, err);
}

int tf_build_nothing(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return node->row->variant == 0 ? 0 : add_false(in, node, err);
}

/* data, flag: output 0 has the data where the flag is false, output 1 where it is true. */
int tf_build_switch(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct tensor flag;
    size_t taken;

    if (tf_constant(in, node, 1, &flag, err) != 0)
        return -1;
    if (shape_elements(&flag.shape) != 1)
        return error_set(err, EX_DATAERR, "expected one flag, found %lld", (long long)shape_elements(&flag.shape));
    taken = tensor_integer(&flag, 0) != 0;
    if (tf_create_outputs(in, node, 2, err) != 0)
        return -1;
    node->outputs[1 - taken].value = GRAPH_NONE;
    return pass_on(in, node, 0, taken, err);
}

/* The one input that is there, and which one it is. */
int tf_build_merge(struct tf_import *in, struct tf_node *node, struct error *err)
{
    size_t live = node->n_inputs;

    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i].value == GRAPH_NONE)
            continue;
        if (live < node->n_inputs)
            return error_set(err, EX_UNAVAILABLE,
                             "inputs %zu and %zu are both there: which one is taken is not known "
                             "before run time",
                             live, i);
        live = i;
    }
    return pass_on(in, node, live, 0, err);
}
