/* profile.c — see profile.h. */
#include "formats/ascend/profile.h"

static bool is_dilated(const struct window *window)
{
    return window->dilation[0] != 1 || window->dilation[1] != 1;
}

/* Layers over images; averages are AvgPool, and transposed convolutions Conv2DBackpropInput, of windows that are not
 * dilated. */
static bool allows(const struct graph *graph, const struct node *node)
{
    if (node->op == OP_DENSE)
        return true;
    if (graph->values[node->inputs[0]].shape.rank != 4)
        return false;
    if (node->op == OP_DECONV)
        return !is_dilated(&node->attr.conv.window);
    return node->op != OP_POOL || (node->attr.pool.kind == POOL_AVERAGE && !is_dilated(&node->attr.pool.window));
}

/* offset, steps: of what is never negative; is_affine: the rest may have any offset. The device rounds half to even,
 * the CPU kernel of the vendor's TensorFlow half away from zero. BiasAdd follows AscendDequant, in float. */
#define PROFILE(id, is_affine, offset, steps)                                                                          \
    const struct profile id = {                                                                                        \
        .name = "ascend",                                                                                              \
        .signed_codes = {.lo = -128, .hi = 127, .zero_point = 0},                                                      \
        .unsigned_codes = {.lo = -128, .hi = 127, .zero_point = (offset)},                                             \
        .signed_steps = 127,                                                                                           \
        .unsigned_steps = (steps),                                                                                     \
        .affine_activations = (is_affine),                                                                             \
        .activation_rounding = ROUND_HALF_EVEN,                                                                        \
        .rounding_is_unknown = true,                                                                                   \
        .other_activation_rounding = ROUND_HALF_AWAY,                                                                  \
        .keeps_reals = true,                                                                                           \
        .stores_reciprocals = true,                                                                                    \
        .weight_limit = 127,                                                                                           \
        .codes_are_remade = true,                                                                                      \
        .per_channel_weights = true,                                                                                   \
        .per_tensor_ops = 1u << OP_DENSE,                                                                              \
        .integer_bias = false,                                                                                         \
        .bias_rounding = ROUND_HALF_EVEN,                                                                              \
        .requantization = REQUANTIZE_DEQUANTIZED,                                                                      \
        .quantized_ops = 1u << OP_CONV | 1u << OP_DECONV | 1u << OP_DENSE | 1u << OP_POOL,                             \
        .allows = allows,                                                                                              \
    }

PROFILE(ascend_profile, true, -128, 255);
PROFILE(ascend_symmetric_profile, false, 0, 127);
