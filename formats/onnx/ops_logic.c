/* ops_logic.c — comparisons, truth, remainders and shifts of constants: what exporters compute shapes and masks with.
 *
 * Truth is an int64 0 or 1. Of activations none of this is supported; the operator's shape rule says so.
 */
#include "formats/onnx/onnx_import.h"

#include <stdint.h>

/* The variant is an enum binary_kind; negative, ~kind, where the operands change places (a > b is b < a). */
int onnx_build_compare(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int variant = node->operator->variant, a = onnx_input(node, 0), b = onnx_input(node, 1);

    return (variant < 0 ? onnx_put_binary(in, node, (enum binary_kind) ~variant, b, a, NULL, err)
                        : onnx_put_binary(in, node, (enum binary_kind)variant, a, b, NULL, err)) < 0
               ? -1
               : 0;
}

int onnx_build_not(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), zero = onnx_put_number(in, node, "zero", x, 0, err);

    return onnx_put_binary(in, node, BINARY_EQUAL, x, zero, NULL, err) < 0 ? -1 : 0;
}

/* BitShift is of unsigned integers; what a left shift drops depends on their width, which we do not keep. */
int onnx_build_shift(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const directions[] = {"LEFT", "RIGHT", NULL};
    int direction;

    if (onnx_choice(node, "direction", directions, 0, &direction, err) != 0)
        return -1;
    return onnx_put_binary(in, node, direction == 0 ? BINARY_SHIFT_LEFT : BINARY_SHIFT_RIGHT, onnx_input(node, 0),
                           onnx_input(node, 1), NULL, err) < 0
               ? -1
               : 0;
}

/* Mod: with the divisor's sign, or (fmod) the dividend's. */
int onnx_build_remainder(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    bool is_fmod;

    if (onnx_flag(node, "fmod", false, &is_fmod, err) != 0)
        return -1;
    return onnx_put_binary(in, node, is_fmod ? BINARY_REMAINDER : BINARY_MODULO, onnx_input(node, 0),
                           onnx_input(node, 1), NULL, err) < 0
               ? -1
               : 0;
}

int onnx_build_where(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    struct node draft = {.op = OP_WHERE, .inputs = (int *)(uintptr_t)node->inputs, .n_inputs = 3};

    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
