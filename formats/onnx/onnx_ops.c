/* onnx_ops.c — the table of operators: one row a meaning, for the opsets in which it holds.
 *
 * A new operator is a row, and where no build function fits, one in ops_*.c. Source: the operator list of the standard
 * (ONNX 1.17, opset 21). Bumps that only widen element types have no row of their own.
 */
#include "formats/onnx/onnx_import.h"

#include <string.h>

enum { LATEST = ONNX_OPSET_MAX, ANY = 1 << 16 };

#define WINDOW "auto_pad kernel_shape pads strides"

static const struct onnx_operator operators[] = {
    /* windows */
    {"Conv", 6, LATEST, 2, 3, WINDOW " dilations group", onnx_build_conv, 0},
    {"ConvTranspose", 6, LATEST, 2, 3, WINDOW " dilations group output_padding output_shape", onnx_build_deconv, 0},
    {"MaxPool", 6, LATEST, 1, 1, WINDOW " dilations ceil_mode storage_order", onnx_build_pool, POOL_MAX},
    {"AveragePool", 6, LATEST, 1, 1, WINDOW " dilations ceil_mode count_include_pad", onnx_build_pool, POOL_AVERAGE},
    {"GlobalMaxPool", 6, LATEST, 1, 1, "", onnx_build_global_pool, POOL_MAX},
    {"GlobalAveragePool", 6, LATEST, 1, 1, "", onnx_build_global_pool, POOL_AVERAGE},
    /* matrices, normalisation */
    {"Gemm", 6, LATEST, 2, 3, "alpha beta transA transB broadcast", onnx_build_gemm, 0},
    {"MatMul", 6, LATEST, 2, 2, "", onnx_build_matmul, 0},
    {"BatchNormalization", 6, LATEST, 5, 5, "epsilon momentum spatial is_test training_mode", onnx_build_normalize, 0},
    {"LRN", 6, LATEST, 1, 1, "alpha beta bias size", onnx_build_lrn, 0},
    /* activations */
    {"Relu", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_RELU},
    {"LeakyRelu", 6, LATEST, 1, 1, "alpha", onnx_build_activation, ACTIVATION_LEAKY_RELU},
    {"PRelu", 6, LATEST, 2, 2, "", onnx_build_prelu, 0},
    {"Clip", 6, 10, 1, 1, "min max", onnx_build_clip, 0},
    {"Clip", 11, LATEST, 1, 3, "", onnx_build_clip, 0},
    {"Sigmoid", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_SIGMOID},
    {"Tanh", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_TANH},
    {"Elu", 6, LATEST, 1, 1, "alpha", onnx_build_activation, ACTIVATION_ELU},
    {"HardSigmoid", 6, LATEST, 1, 1, "alpha beta", onnx_build_activation, ACTIVATION_HARD_SIGMOID},
    {"HardSwish", 14, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_HARD_SWISH},
    {"Softplus", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_SOFTPLUS},
    {"Erf", 9, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_ERF},
    {"Gelu", 20, LATEST, 1, 1, "approximate", onnx_build_gelu, 0},
    {"Mish", 18, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_MISH},
    {"Selu", 6, LATEST, 1, 1, "alpha gamma", onnx_build_scaled_elu, 1},
    {"Celu", 12, LATEST, 1, 1, "alpha", onnx_build_scaled_elu, 0},
    {"Softsign", 6, LATEST, 1, 1, "", onnx_build_softsign, 0},
    {"ThresholdedRelu", 10, LATEST, 1, 1, "alpha", onnx_build_activation, ACTIVATION_THRESHOLDED_RELU},
    {"Floor", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_FLOOR},
    {"Ceil", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_CEIL},
    {"Round", 11, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_ROUND},
    {"Sign", 9, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_SIGN},
    {"Reciprocal", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_POWER},
    {"Neg", 6, LATEST, 1, 1, "", onnx_build_negate, 0},
    {"Exp", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_EXP},
    {"Log", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_LOG},
    {"Sqrt", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_SQRT},
    {"Abs", 6, LATEST, 1, 1, "", onnx_build_activation, ACTIVATION_ABS},
    {"Pow", 6, LATEST, 2, 2, "axis broadcast", onnx_build_power, 0},
    /* arithmetic */
    {"Add", 6, 6, 2, 2, "axis broadcast", onnx_build_binary, BINARY_ADD},
    {"Sub", 6, 6, 2, 2, "axis broadcast", onnx_build_binary, BINARY_SUB},
    {"Mul", 6, 6, 2, 2, "axis broadcast", onnx_build_binary, BINARY_MUL},
    {"Div", 6, 6, 2, 2, "axis broadcast", onnx_build_binary, BINARY_DIV},
    {"Add", 7, LATEST, 2, 2, "", onnx_build_binary, BINARY_ADD},
    {"Sub", 7, LATEST, 2, 2, "", onnx_build_binary, BINARY_SUB},
    {"Mul", 7, LATEST, 2, 2, "", onnx_build_binary, BINARY_MUL},
    {"Div", 7, LATEST, 2, 2, "", onnx_build_binary, BINARY_DIV},
    {"Max", 6, LATEST, 1, ANY, "", onnx_build_variadic, BINARY_MAX},
    {"Min", 6, LATEST, 1, ANY, "", onnx_build_variadic, BINARY_MIN},
    {"Sum", 6, LATEST, 1, ANY, "", onnx_build_variadic, BINARY_ADD},
    {"Mean", 6, LATEST, 1, ANY, "", onnx_build_mean, 0},
    /* of constants */
    {"Equal", 7, LATEST, 2, 2, "", onnx_build_compare, BINARY_EQUAL},
    {"Less", 7, LATEST, 2, 2, "", onnx_build_compare, BINARY_LESS},
    {"LessOrEqual", 12, LATEST, 2, 2, "", onnx_build_compare, BINARY_LESS_EQUAL},
    {"Greater", 7, LATEST, 2, 2, "", onnx_build_compare, ~BINARY_LESS},
    {"GreaterOrEqual", 12, LATEST, 2, 2, "", onnx_build_compare, ~BINARY_LESS_EQUAL},
    {"And", 7, LATEST, 2, 2, "", onnx_build_compare, BINARY_AND},
    {"Or", 7, LATEST, 2, 2, "", onnx_build_compare, BINARY_OR},
    {"Xor", 7, LATEST, 2, 2, "", onnx_build_compare, BINARY_XOR},
    {"Not", 6, LATEST, 1, 1, "", onnx_build_not, 0},
    {"BitShift", 11, LATEST, 2, 2, "direction", onnx_build_shift, 0},
    {"Mod", 10, LATEST, 2, 2, "fmod", onnx_build_remainder, 0},
    {"Where", 9, LATEST, 3, 3, "", onnx_build_where, 0},
    /* normalisation by statistics of the record */
    {"LayerNormalization", 17, LATEST, 2, 3, "axis epsilon stash_type", onnx_build_layer_norm, 0},
    {"InstanceNormalization", 6, LATEST, 3, 3, "epsilon", onnx_build_instance_norm, 0},
    {"GroupNormalization", 18, LATEST, 3, 3, "epsilon num_groups stash_type", onnx_build_group_norm, 0},
    {"MeanVarianceNormalization", 9, LATEST, 1, 1, "axes", onnx_build_mean_variance, 0},
    {"LpNormalization", 6, LATEST, 1, 1, "axis p", onnx_build_lp_norm, 0},
    /* softmax, reductions */
    {"Softmax", 6, LATEST, 1, 1, "axis", onnx_build_softmax, 0},
    {"LogSoftmax", 6, LATEST, 1, 1, "axis", onnx_build_softmax, 1},
    {"Hardmax", 6, LATEST, 1, 1, "axis", onnx_build_hardmax, 0},
    {"ArgMax", 6, LATEST, 1, 1, "axis keepdims select_last_index", onnx_build_arg, REDUCE_ARG_MAX},
    {"ArgMin", 6, LATEST, 1, 1, "axis keepdims select_last_index", onnx_build_arg, REDUCE_ARG_MIN},
    {"ReduceMean", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_MEAN},
    {"ReduceMean", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_MEAN},
    {"ReduceSum", 6, 12, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_SUM},
    {"ReduceSum", 13, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_SUM},
    {"ReduceMax", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_MAX},
    {"ReduceMax", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_MAX},
    {"ReduceMin", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_MIN},
    {"ReduceMin", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_MIN},
    {"ReduceL2", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_L2},
    {"ReduceL2", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_L2},
    {"ReduceProd", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce, REDUCE_PROD},
    {"ReduceProd", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce, REDUCE_PROD},
    {"ReduceL1", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce_chain, '1'},
    {"ReduceL1", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce_chain, '1'},
    {"ReduceSumSquare", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce_chain, '2'},
    {"ReduceSumSquare", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce_chain, '2'},
    {"ReduceLogSum", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce_chain, 'L'},
    {"ReduceLogSum", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce_chain, 'L'},
    {"ReduceLogSumExp", 6, 17, 1, 1, "axes keepdims", onnx_build_reduce_chain, 'E'},
    {"ReduceLogSumExp", 18, LATEST, 1, 2, "keepdims noop_with_empty_axes", onnx_build_reduce_chain, 'E'},
    /* movement */
    {"Concat", 6, LATEST, 1, ANY, "axis", onnx_build_concat, 0},
    {"Split", 6, 12, 1, 1, "axis split", onnx_build_split, 0},
    {"Split", 13, 17, 1, 2, "axis", onnx_build_split, 0},
    {"Split", 18, LATEST, 1, 2, "axis num_outputs", onnx_build_split, 0},
    {"Slice", 6, 9, 1, 1, "starts ends axes", onnx_build_slice, 0},
    {"Slice", 10, LATEST, 3, 5, "", onnx_build_slice, 0},
    {"Gather", 6, LATEST, 2, 2, "axis", onnx_build_gather, 0},
    {"Pad", 6, 10, 1, 1, "mode pads value", onnx_build_pad, 0},
    {"Pad", 11, LATEST, 2, 4, "mode", onnx_build_pad, 0},
    {"Transpose", 6, LATEST, 1, 1, "perm", onnx_build_transpose, 0},
    {"Expand", 8, LATEST, 2, 2, "", onnx_build_expand, 0},
    {"Tile", 6, LATEST, 2, 2, "", onnx_build_tile, 0},
    {"Trilu", 14, LATEST, 1, 2, "upper", onnx_build_trilu, 0},
    {"DepthToSpace", 6, LATEST, 1, 1, "blocksize mode", onnx_build_depth_to_space, 0},
    {"SpaceToDepth", 6, LATEST, 1, 1, "blocksize", onnx_build_space_to_depth, 0},
    {"Resize", 10, 10, 2, 2, "mode", onnx_build_upsample, 0},
    {"Resize", 11, LATEST, 1, 4,
     "mode coordinate_transformation_mode nearest_mode cubic_coeff_a exclude_outside extrapolation_value antialias "
     "axes "
     "keep_aspect_ratio_policy",
     onnx_build_resize, 0},
    {"Upsample", 7, 8, 1, 1, "mode scales", onnx_build_upsample, 0},
    {"Upsample", 9, 9, 2, 2, "mode", onnx_build_upsample, 0},
    /* shapes */
    {"Reshape", 6, LATEST, 2, 2, "allowzero", onnx_build_reshape, 0},
    {"Flatten", 6, LATEST, 1, 1, "axis", onnx_build_flatten, 0},
    {"Squeeze", 6, 12, 1, 1, "axes", onnx_build_squeeze, 0},
    {"Squeeze", 13, LATEST, 1, 2, "", onnx_build_squeeze, 0},
    {"Unsqueeze", 6, 12, 1, 1, "axes", onnx_build_unsqueeze, 0},
    {"Unsqueeze", 13, LATEST, 2, 2, "", onnx_build_unsqueeze, 0},
    {"Shape", 6, LATEST, 1, 1, "start end", onnx_build_shape, 0},
    {"Cast", 6, LATEST, 1, 1, "to saturate", onnx_build_cast, 0},
    {"CastLike", 15, LATEST, 2, 2, "saturate", onnx_build_cast_like, 0},
    {"Size", 6, LATEST, 1, 1, "", onnx_build_size, 0},
    {"Range", 11, LATEST, 3, 3, "", onnx_build_range, 0},
    {"QuantizeLinear", 10, LATEST, 2, 3, "axis saturate block_size output_dtype precision", onnx_build_quantize, 0},
    {"DequantizeLinear", 10, LATEST, 2, 3, "axis block_size output_dtype", onnx_build_dequantize, 0},
    {"Constant", 6, LATEST, 0, 0,
     "value sparse_value value_float value_floats value_int value_ints value_string value_strings", onnx_build_constant,
     0},
    {"ConstantOfShape", 9, LATEST, 1, 1, "value", onnx_build_fill, 0},
    /* nothing */
    {"Identity", 6, LATEST, 1, 1, "", onnx_build_identity, 0},
    {"Dropout", 6, 11, 1, 1, "is_test ratio", onnx_build_identity, 0},
    {"Dropout", 12, LATEST, 1, 3, "seed", onnx_build_identity, 0},
};

const struct onnx_operator *onnx_operator_find(const char *type, int64_t opset, struct error *err)
{
    bool is_known = false;

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(operators[i].type, type) != 0)
            continue;
        if (opset >= operators[i].since && opset <= operators[i].until)
            return &operators[i];
        is_known = true;
    }
    error_set(err, EX_UNAVAILABLE,
              is_known ? "operator %s does not exist at opset %lld"
                       : "operator %s (opset %lld) is not known to the onnx importer: it would need a row in "
                         "formats/onnx/onnx_ops.c",
              type, (long long)opset);
    return NULL;
}

/* Is `word` one of the words in `list`? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; length > 0 && (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

int onnx_operator_check(const struct onnx_operator *row, const Onnx__NodeProto *proto, struct error *err)
{
    size_t n = proto->n_input;

    while (n > 0 && proto->input[n - 1][0] == '\0')
        n--;
    if (n < row->min_inputs || n > row->max_inputs)
        return error_set(err, EX_DATAERR, "expected %zu to %zu inputs, found %zu", row->min_inputs, row->max_inputs, n);
    for (size_t i = 0; i < row->min_inputs; i++)
        if (proto->input[i][0] == '\0')
            return error_set(err, EX_DATAERR, "input %zu is missing", i);
    if (proto->n_output == 0)
        return error_set(err, EX_DATAERR, "it has no output");
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = proto->attribute[i];

        if (!has_word(row->attributes, onnx_text(attribute->name)))
            return error_set(err, EX_DATAERR, "attribute \"%s\" is not one of this operator's (%s)",
                             onnx_text(attribute->name), row->attributes);
        if (onnx_text(attribute->ref_attr_name)[0] != '\0')
            return error_set(err, EX_DATAERR, "attribute \"%s\" refers to a function's, outside a function",
                             attribute->name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(proto->attribute[j]->name, attribute->name) == 0)
                return error_set(err, EX_DATAERR, "attribute \"%s\" is there twice", attribute->name);
    }
    return 0;
}
