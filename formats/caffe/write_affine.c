/* write_affine.c — y = W x + b in its forms: InnerProduct, Scale. */
#include "formats/caffe/write.h"

static void put_inner_product(struct caffe_writer *w, const struct shape *shape, const float *weights, int bias)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "InnerProduct", w->node->name, w->from, w->to);
    Caffe__InnerProductParameter *param = caffe_put_message(w, &caffe__inner_product_parameter__descriptor);

    if (param == NULL)
        return;
    layer->inner_product_param = param;
    param->has_num_output = true;
    param->num_output = (uint32_t)shape->dims[0];
    param->has_bias_term = bias == GRAPH_NONE;
    param->bias_term = bias != GRAPH_NONE;
    caffe_put_blob(w, layer, shape, weights);
    if (bias != GRAPH_NONE)
        caffe_put_constant(w, layer, bias);
}

void caffe_write_dense(struct caffe_writer *w)
{
    const struct value *weights = &w->graph->values[w->node->inputs[1]];

    put_inner_product(w, &weights->shape, weights->data, w->node->n_inputs > 2 ? w->node->inputs[2] : GRAPH_NONE);
}

/* A vector times a constant matrix, K x O there, O x K here. `transpose` would say so, but not to every Caffe. */
void caffe_write_matmul(struct caffe_writer *w)
{
    const struct value *x = &w->graph->values[w->node->inputs[0]], *m = &w->graph->values[w->node->inputs[1]];
    const float *from = m->data;
    struct shape shape = {2, {m->shape.dims[1], m->shape.dims[0]}};
    float *weights;

    if (!m->is_constant || m->shape.rank != 2 || x->shape.rank != 2) {
        caffe_cannot(w, "only a product of vectors and a constant matrix has a form in Caffe");
        return;
    }
    weights = caffe_put_floats(w, (size_t)shape_elements(&shape));
    for (int64_t o = 0; weights != NULL && o < shape.dims[0]; o++)
        for (int64_t k = 0; k < shape.dims[1]; k++)
            weights[o * shape.dims[1] + k] = from[k * shape.dims[0] + o];
    put_inner_product(w, &shape, weights, GRAPH_NONE);
}

static bool are_zeros(const float *numbers, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (numbers[i] != 0)
            return false;
    return true;
}

void caffe_write_normalize(struct caffe_writer *w)
{
    const struct value *shift = &w->graph->values[w->node->inputs[2]];
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Scale", w->node->name, w->from, w->to);
    Caffe__ScaleParameter *param = caffe_put_message(w, &caffe__scale_parameter__descriptor);

    if (param == NULL)
        return;
    layer->scale_param = param;
    param->has_bias_term = param->bias_term = !are_zeros(shift->data, shape_elements(&shift->shape));
    caffe_put_constant(w, layer, w->node->inputs[1]);
    if (param->bias_term)
        caffe_put_constant(w, layer, w->node->inputs[2]);
}
