/* emit.c — the null target: complete, and next to nothing. Copy it to begin a new one.
 *
 * A target is a profile (what the chip's integers do, as data; coordinator and simulator are driven by it alone) and a
 * function that writes the planned model down. This one is plain symmetric int8 and writes one line; a benchmark
 * subtracts it from the others to see what writing costs.
 */
#include "formats/target.h"

#include <stdio.h>
#include <string.h>

/* No vendor, so no document: the most common choices. */
static const struct profile profile = {
    .name = "null",
    .signed_codes = {.lo = -128, .hi = 127, .zero_point = 0},
    .unsigned_codes = {.lo = -128, .hi = 127, .zero_point = 0},
    .signed_steps = 127,
    .unsigned_steps = 127,
    .activation_rounding = ROUND_HALF_EVEN,
    .weight_limit = 127,
    .per_channel_weights = true,
    .integer_bias = true,
    .bias_rounding = ROUND_HALF_EVEN,
    .requantization = REQUANTIZE_RATIO,
    .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE | 1u << OP_BINARY | 1u << OP_POOL,
    .transparent_ops = 1u << OP_POOL | 1u << OP_RESHAPE | 1u << OP_TRANSPOSE | 1u << OP_SLICE | 1u << OP_PAD,
    .concat_shares_scale = true,
};

/* Everything can be expressed here, so there is no `check`. */
static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    size_t n_quantized = 0;
    char text[128], name[512];

    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        n_quantized += plan->nodes[i].is_quantized;
    snprintf(text, sizeof text, "%zu of %zu nodes are quantized\n", n_quantized, plan->graph->n_nodes);
    if (snprintf(name, sizeof name, "null/%s.txt", info->model_name) >= (int)sizeof name)
        return error_set(err, EX_CANTCREAT, "the model's name is longer than a file's can be");
    return output_write(output, name, text, strlen(text), true, err);
}

const struct target target_null = {
    .name = "null",
    .summary = "no chip: symmetric int8, writes one line (a template for new targets)",
    .profile = &profile,
    .takes_batch = true, /* says nothing about it */
    .emit = emit,
};
