/* plan.h — the quantization plan: what every value and weight of one graph becomes, for one target.
 *
 * The coordinator decides it (thresholds, shared scales, weight codes), the simulator executes it, the emitter writes
 * it down, the archive keeps it. Nothing below the coordinator changes it.
 */
#ifndef ETALON_PLAN_H
#define ETALON_PLAN_H

#include "common/profile.h"

enum { PLAN_METHOD_BYTES = 24 };

/* Of a channel without any value but 0. Its reciprocal, and accumulators over it, are far from overflow in float32. */
#define PLAN_DEAD_SCALE 0x1p-100F

struct plan_value {
    bool is_quantized;
    bool is_unsigned; /* uses profile->unsigned_codes */
    struct code_range codes;
    /* The target takes code q for the real value scale x q, though it stands for scale x (q - zero_point): the bias of
     * the layer that makes it is lowered by as much, and the biases of the layers that read it take it out again. A
     * value whose layer ends in a ReLU and which no pads surround so has all 256 codes on a target of symmetric ones;
     * saturation is the ReLU. */
    bool hides_zero_point;
    size_t n_scales;                /* 1, or the channel count (axis 1) */
    float *scale;                   /* [n_scales], finite, > 0 */
    float *threshold;               /* [n_scales], real units: the largest magnitude kept */
    size_t widest;                  /* the channel with the largest threshold; 0 where there is one scale */
    char method[PLAN_METHOD_BYTES]; /* "mse", "minmax" ...: who decided threshold[widest], after guards */
    int scale_from; /* value index whose statistics decided that (itself, or the head of a shared group) */
    /* Where a tool is followed (profile->is_tool_exact): what was decided before a later value's scale took its place;
     * NULL: it still holds. */
    const struct plan_value *decided;
};

/* Weights of a quantized CONV, DECONV, DENSE (and constant operands of nothing else in this version).
 *
 * Codes stand for w. Where the input has a scale per channel they stand for w x that of the input channel (a float32
 * product), so that one accumulator can add up channels of different scales; then a weight scale is already the
 * accumulator's. Not in depthwise layers of one scale per output channel: there one input channel meets one scale. */
struct plan_node {
    bool is_quantized;
    int16_t *weight_codes; /* within profile->weight_limit, layout of the float weights; NULL: not decided, or let go */
    bool is_rounded;       /* not to the nearest codes, but by what they do to the output (round_codes.h) */
    size_t n_weight_scales; /* 1 or output channels */
    float *weight_scale;    /* [n_weight_scales], of what codes stand for, per step */
    float *acc_scale;       /* [n_weight_scales], real value of one accumulator step: input scale x weight scale */
    float *bias; /* [output channels]: the node's bias with its correction; NULL: none. Not always the graph's */
    int32_t
        *bias_codes; /* the same in steps of acc_scale, where profile->integer_bias and there is a bias; else NULL */
    /* Of an ADD or CONCAT whose operands are rescaled (profile.h), as a ready-made model has it: [n_inputs]; NULL: what
     * follows from the scales. */
    const struct multiplier *operands;
    char method[PLAN_METHOD_BYTES];
    double weight_mse, weight_mse_max_abs; /* squared error of what a code stands for: as chosen, and of max-abs */
};

struct plan {
    struct arena *arena;
    struct arena *codes;           /* of weight_codes alone: they may be let go before the rest. NULL: they are */
    const struct graph *graph;     /* borrowed */
    const struct profile *profile; /* borrowed */
    struct plan_value *values;     /* [graph->n_values] */
    struct plan_node *nodes;       /* [graph->n_nodes] */
};

/* Value `v` as it was decided. */
static inline const struct plan_value *plan_decided(const struct plan *plan, size_t v)
{
    return plan->values[v].decided != NULL ? plan->values[v].decided : &plan->values[v];
}

/* The first `n` weight codes as bytes, for writers of 8-bit targets: the profile's weight_limit is at most 127. */
void plan_weight_bytes(const struct plan_node *node, size_t n, int8_t *bytes);

/* An empty plan (nothing quantized), or NULL with EX_OSERR. */
struct plan *plan_create(const struct graph *graph, const struct profile *profile, struct error *err);
void plan_destroy(struct plan *plan); /* NULL is allowed */

/* Hidden zero points as steps of the accumulator, to be added to bias_codes[channel]; 0 where none is hidden. Of the
 * output: rounded like the bias; |offset| <= 2^30 where the coordinator has decided the scales, <= 2^40 where a file
 * has. Of the input: exact, -zero_point x sum of the channel's codes. CONV
 * and DENSE only. */
int64_t plan_output_offset(const struct plan *plan, int node, size_t channel);
int64_t plan_input_offset(const struct plan *plan, int node, size_t channel);

#endif
