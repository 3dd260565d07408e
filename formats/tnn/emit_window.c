/* emit_window.c — convolutions, inner and matrix products; windows over one axis as those of an image. */
#include "formats/even_pads.h"
#include "formats/tnn/emit.h"

#include <stdlib.h>
#include <string.h>

static const struct value *input_value(const struct tnn_emit *e, const struct node *node, size_t slot)
{
    return slot >= node->n_inputs || node->inputs[slot] == GRAPH_NONE ? NULL : &e->graph->values[node->inputs[slot]];
}

static bool is_symmetric(const struct window *w)
{
    return w->pad_begin[0] == w->pad_end[0] && w->pad_begin[1] == w->pad_end[1];
}

void tnn_put_pair(struct tnn_emit *e, const int64_t pair[2])
{
    tnn_param(&e->writer, pair[0]);
    tnn_param(&e->writer, pair[1]);
}

/* ---- Windows over one axis */

struct shape tnn_as_image(const struct shape *x)
{
    return x->rank == 3 ? (struct shape){4, {x->dims[0], x->dims[1], 1, x->dims[2]}} : *x;
}

const char *tnn_image_input(struct tnn_emit *e, const struct node *node)
{
    const struct shape *x = tnn_value_shape(e, node->inputs[0]), image = tnn_as_image(x);
    const char *from = e->blobs[node->inputs[0]], *to;

    if (x->rank == 4)
        return from;
    to = tnn_fresh_name(e, tnn_layer_name(e, node), "as_image");
    if (to != NULL)
        tnn_put_reshape(e, to, from, to, &image);
    return to;
}

const char *tnn_image_output(struct tnn_emit *e, const struct node *node, const char *to)
{
    return tnn_value_shape(e, node->inputs[0])->rank == 4 ? to : tnn_fresh_name(e, tnn_layer_name(e, node), "of_image");
}

void tnn_finish_image(struct tnn_emit *e, const struct node *node, const char *from, const char *to)
{
    if (from != to)
        tnn_put_reshape(e, tnn_fresh_name(e, tnn_layer_name(e, node), "as_signal"), from, to,
                        tnn_value_shape(e, node->outputs[0]));
}

/* ---- Weights */

/* The biases with the zero points that they hide: TNN's arithmetic knows none. */
static void put_bias_codes(struct tnn_emit *e, const struct node *node, size_t n)
{
    int index = (int)tnn_index(e, node);
    struct error err = {0};
    int32_t *bias = arena_create_array(e->arena, n, sizeof *bias, &err);

    if (bias == NULL) {
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
        return;
    }
    for (size_t c = 0; c < n; c++) {
        int64_t all = e->plan->nodes[index].bias_codes[c] + plan_output_offset(e->plan, index, c) +
                      plan_input_offset(e->plan, index, c);

        bias[c] = (int32_t)all;
        if (bias[c] != all)
            tnn_cannot(e, "the bias of output channel %zu is %lld steps, more than int32 holds", c, (long long)all);
    }
    tnn_put_raw(&e->writer, TNN_INT32, bias, n, NULL);
}

static void put_weight_codes(struct tnn_emit *e, const struct plan_node *codes, size_t n)
{
    struct error err = {0};
    int8_t *bytes = memory_create(n, 1, "the codes of weights", &err);

    if (bytes == NULL) {
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
        return;
    }
    plan_weight_bytes(codes, n, bytes);
    tnn_put_raw(&e->writer, TNN_INT8, bytes, n, NULL);
    free(bytes);
}

/* int8 weights: codes, bias in steps of the accumulator, and the accumulator's steps (the input's scale times the
 * weights'). Float ones: as they are given. An inner product has a bias buffer even when there is none. */
static void put_weights(struct tnn_emit *e, const struct node *node, const char *type, bool is_integer,
                        const struct shape *shape, const float *weights)
{
    const struct plan_node *codes = &e->plan->nodes[tnn_index(e, node)];
    const struct value *b = input_value(e, node, 2);
    const char *name = tnn_layer_name(e, node);
    size_t n = (size_t)shape_elements(shape), n_bias = b == NULL ? 0 : (size_t)shape_elements(&b->shape);
    bool is_dense = node->op == OP_DENSE;

    tnn_resource_begin(&e->writer, type, name);
    tnn_put_string(&e->writer, name);
    if (!is_dense)
        tnn_put_int(&e->writer, b != NULL);
    if (is_integer)
        put_weight_codes(e, codes, n);
    else
        tnn_put_raw(&e->writer, TNN_FLOAT32, weights, n, shape);
    if (is_integer && b != NULL)
        put_bias_codes(e, node, n_bias);
    else if (b != NULL)
        tnn_put_raw(&e->writer, TNN_FLOAT32, b->data, n_bias, &b->shape);
    else if (is_dense)
        tnn_put_zeros(&e->writer, TNN_FLOAT32, 0);
    if (is_integer) {
        tnn_put_zeros(&e->writer, TNN_INT8, codes->n_weight_scales);
        tnn_put_raw(&e->writer, TNN_FLOAT32, codes->acc_scale, codes->n_weight_scales, NULL);
    }
}

/* What the coordinator owes to an integer node with weights. */
static bool has_codes(struct tnn_emit *e, const struct node *node)
{
    const struct plan_node *codes = &e->plan->nodes[tnn_index(e, node)];

    if (codes->weight_codes != NULL && codes->acc_scale != NULL && codes->n_weight_scales > 0 &&
        (codes->bias_codes != NULL) == (input_value(e, node, 2) != NULL))
        return true;
    tnn_writer_fail(&e->writer, EX_SOFTWARE, "it is quantized, but the plan has no codes of its weights");
    return false;
}

/* ---- Convolution */

/* Saturation is the activation of what hides its zero point. */
static bool hides_zero_point(const struct tnn_emit *e, const struct node *node)
{
    return tnn_is_integer(e, node) && e->plan->values[node->outputs[0]].hides_zero_point;
}

static bool fused_code(const struct activation *fused, bool is_integer, enum tnn_fused *code)
{
    *code = TNN_FUSED_NONE;
    if (fused->kind == ACTIVATION_RELU)
        *code = TNN_FUSED_RELU;
    else if (fused->kind == ACTIVATION_CLIP && fused->alpha == 0 && fused->beta == 6)
        *code = TNN_FUSED_RELU6;
    else if (fused->kind == ACTIVATION_SWISH && fused->alpha == 1 && !is_integer)
        *code = TNN_FUSED_SILU;
    return *code != TNN_FUSED_NONE || fused->kind == ACTIVATION_NONE;
}

/* The blob that the convolution reads: its input, or a padded copy where the pads are not symmetric. */
static const char *padded_input(struct tnn_emit *e, const struct node *node, struct window *w)
{
    const char *blob = tnn_image_input(e, node), *padded;

    if (is_symmetric(w))
        return blob;
    padded = tnn_fresh_name(e, tnn_layer_name(e, node), "padded");
    tnn_put_image_pad(e, tnn_fresh_name(e, tnn_layer_name(e, node), "pad"), blob, padded, w, 0);
    memset(w->pad_begin, 0, sizeof w->pad_begin);
    memset(w->pad_end, 0, sizeof w->pad_end);
    return padded;
}

/* The weights of a transposed convolution, with zeros where its pads are not symmetric: it is never an integer one. */
static const float *even_weights(struct tnn_emit *e, const struct node *node, struct window *w, struct shape *shape)
{
    const struct value *weights = input_value(e, node, 1);
    struct error err = {0};
    struct even_convolution even;
    const struct shape own = *shape;
    const char *reason = even_convolution_init(&even, w, node->attr.conv.output_padding, shape);
    float *grown;

    if (reason != NULL) {
        tnn_cannot(e, "%s", reason);
        return weights->data;
    }
    *w = even.window;
    *shape = even.shape;
    if (shape_equal(shape, &own))
        return weights->data;
    grown = arena_create_array(e->arena, (size_t)shape_elements(shape), sizeof *grown, &err);
    if (grown == NULL)
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
    else
        even_convolution_fill(&even, &own, weights->data, grown);
    return grown;
}

void tnn_emit_conv(struct tnn_emit *e, const struct node *node)
{
    const char *type = node->op == OP_DECONV ? "Deconvolution" : "Convolution", *from, *to, *made;
    const struct value *x = input_value(e, node, 0);
    const struct value *y = &e->graph->values[node->outputs[0]];
    struct window window = node->attr.conv.window;
    struct shape shape = tnn_as_image(&input_value(e, node, 1)->shape);
    const float *weights = input_value(e, node, 1)->data;
    bool is_integer = tnn_is_integer(e, node), is_expressed;
    enum tnn_fused code;

    if (x->shape.rank != 4 && (x->shape.rank != 3 || is_integer)) {
        tnn_cannot(e, "convolutions over %zu axes%s have no form in TNN", x->shape.rank - 2,
                   is_integer ? " of codes" : "");
        return;
    }
    if (is_integer && !has_codes(e, node))
        return;
    is_expressed = fused_code(hides_zero_point(e, node) ? &(struct activation){0} : &node->fused, is_integer, &code);
    if (node->op == OP_DECONV)
        weights = even_weights(e, node, &window, &shape);
    from = padded_input(e, node, &window);
    to = tnn_output_before(e, node, is_expressed);
    made = tnn_image_output(e, node, to);
    if (is_integer)
        tnn_put_scale_as(e, node->inputs[0], from);
    tnn_layer_begin(&e->writer, is_integer, type, tnn_layer_name(e, node), &from, 1, &made, 1);
    tnn_param(&e->writer, node->attr.conv.group);
    tnn_param(&e->writer, x->shape.dims[1] / node->attr.conv.group);
    tnn_param(&e->writer, y->shape.dims[1]);
    tnn_put_pair(e, window.kernel);
    tnn_put_pair(e, window.stride);
    tnn_put_pair(e, window.pad_begin);
    tnn_param(&e->writer, input_value(e, node, 2) != NULL);
    tnn_param(&e->writer, TNN_PAD_EXPLICIT);
    tnn_put_pair(e, window.dilation);
    tnn_param(&e->writer, code);
    tnn_layer_end(&e->writer);
    put_weights(e, node, type, is_integer, &shape, weights);
    if (is_integer)
        tnn_put_scale_as(e, node->outputs[0], to);
    tnn_finish_image(e, node, made, to);
    tnn_finish_activation(e, node, to);
}

/* ---- Inner and matrix product */

void tnn_emit_dense(struct tnn_emit *e, const struct node *node)
{
    const char *from = e->blobs[node->inputs[0]], *to;
    bool is_integer = tnn_is_integer(e, node);

    if (input_value(e, node, 0)->shape.rank != 2) {
        tnn_cannot(e, "only inner products of vectors are written");
        return;
    }
    if (is_integer && !has_codes(e, node))
        return;
    to = tnn_output_before(e, node, hides_zero_point(e, node));
    if (is_integer)
        tnn_put_scale_as(e, node->inputs[0], from);
    tnn_layer_begin(&e->writer, is_integer, "InnerProduct", tnn_layer_name(e, node), &from, 1, &to, 1);
    tnn_param(&e->writer, e->graph->values[node->outputs[0]].shape.dims[1]);
    tnn_param(&e->writer, input_value(e, node, 2) != NULL);
    tnn_param(&e->writer, 0); /* transpose: not used */
    tnn_param(&e->writer, 1); /* axis */
    tnn_layer_end(&e->writer);
    put_weights(e, node, "InnerProduct", is_integer, &input_value(e, node, 1)->shape, input_value(e, node, 1)->data);
    if (is_integer)
        tnn_put_scale_as(e, node->outputs[0], to);
    tnn_finish_activation(e, node, to);
}

void tnn_emit_matmul(struct tnn_emit *e, const struct node *node)
{
    const char *inputs[2] = {e->blobs[node->inputs[0]], e->blobs[node->inputs[1]]};
    const char *output = e->blobs[node->outputs[0]], *name = tnn_layer_name(e, node);
    int constant = -1;

    for (int i = 0; i < 2; i++)
        if (e->graph->values[node->inputs[i]].is_constant)
            constant = i;
    if (constant == 0)
        inputs[0] = inputs[1];
    tnn_layer_begin(&e->writer, false, "MatMul", name, inputs, constant < 0 ? 2 : 1, &output, 1);
    tnn_param(&e->writer, constant);
    tnn_layer_end(&e->writer);
    if (constant >= 0) {
        const struct value *w = &e->graph->values[node->inputs[constant]];

        tnn_resource_begin(&e->writer, "MatMul", name);
        tnn_put_raw(&e->writer, TNN_FLOAT32, w->data, (size_t)shape_elements(&w->shape), &w->shape);
    }
}
