/* onnx_ops.h — for tests of single ONNX operators: a model with one input, the one node that is made of it. */
#ifndef ETALON_TESTS_ONNX_OPS_H
#define ETALON_TESTS_ONNX_OPS_H

#include "onnx_files.h"

#define MODEL(opset, ...) model_with_input(opset, DIMS(__VA_ARGS__))

static inline struct onnx_file *model_with_input(int64_t opset, const int64_t *dims, size_t n)
{
    struct onnx_file *f = new_model(opset);

    add_input_shape(f, "x", dims, n);
    add_output(f, "y");
    return f;
}

static inline const struct node *only_node(const struct graph *graph)
{
    assert_int_equal(graph->n_nodes, 1);
    return &graph->nodes[0];
}

static inline const float *constant_floats(const struct graph *graph, int value, size_t n)
{
    struct tensor tensor;

    assert_true(graph_constant(graph, value, &tensor));
    assert_int_equal(tensor.dtype, DTYPE_FLOAT32);
    assert_int_equal(shape_elements(&tensor.shape), n);
    return tensor.data;
}

#endif
