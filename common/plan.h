/* plan.h — the quantization plan: what every value and weight of one graph becomes, for one target.
 *
 * The coordinator decides it (thresholds, shared scales, weight codes), the simulator executes it, the emitter writes
 * it down, the archive keeps it. Nothing below the coordinator changes it.
 */
#ifndef ETALON_PLAN_H
#define ETALON_PLAN_H

#include "common/graph.h"
#include "common/quant.h"

/* What one chip or runtime does with integers: the whole difference between targets, as data. Each is declared beside
 * its emitter in formats/<target>/ with the vendor's document as its source. */
struct profile {
    const char *name;
    /* activations */
    struct code_range signed_codes;   /* values that can be negative, e.g. [-128,127] z 0, or [0,255] z 128 */
    struct code_range unsigned_codes; /* values known to be >= 0; equal to signed_codes where the target has no such */
    bool saturates_low_at_minus_127;  /* informative: threshold T maps to this many steps either way */
    int32_t signed_steps;             /* scale = threshold / signed_steps: 127 */
    int32_t unsigned_steps;           /* 255, or 127 where unsigned is not available */
    /* The arithmetic knows no zero points, but biases can make up for one: unsigned_codes serve where that works, see
     * plan_value.hides_zero_point. */
    bool zero_points_in_biases;
    bool per_channel_activations; /* scales of activations may be per channel (granularity: per-channel): of what CONV
                                   * reads and makes, ADD of equal shapes, max pools; a CONCAT of such channels then
                                   * moves codes, whatever concat_shares_scale says */
    enum rounding activation_rounding;
    /* weights: symmetric, [-weight_limit, weight_limit] */
    int32_t weight_limit;
    bool per_channel_weights;
    /* bias: int32 codes of step acc_scale where true, float otherwise */
    bool integer_bias;
    enum rounding bias_rounding;
    /* y = round(acc * (acc_scale / out_scale)) in float32 where true; round((acc * acc_scale + bias) / out_scale) where
     * false (a framework that dequantizes, computes in float and quantizes again). */
    bool multiplies_by_ratio;
    bool average_pool_truncates; /* integer average pool rounds toward zero and does not rescale */
    /* operators by class: bit 1u << OP_x */
    uint32_t quantized_ops;   /* computed on integers; inputs and output have codes */
    uint32_t transparent_ops; /* move codes without computing: input and output share one scale */
    bool average_pool_is_transparent;
    bool activation_is_transparent; /* ReLU and clip left unfused: computed on codes, share a scale */
    bool concat_shares_scale;       /* inputs of a concat take the output's scale */
    /* Optional, for what the masks cannot say (an axis, a fused activation, a kind of BINARY): false keeps the node in
     * float. */
    bool (*allows)(const struct graph *graph, const struct node *node);
};

enum { PLAN_METHOD_BYTES = 24 };

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
};

/* Weights of a quantized CONV, DECONV, DENSE (and constant operands of nothing else in this version).
 *
 * Codes stand for w. Where the input has a scale per channel they stand for w x that of the input channel (a float32
 * product), so that one accumulator can add up channels of different scales; then a weight scale is already the
 * accumulator's. Not in depthwise layers of one scale per output channel: there one input channel meets one scale. */
struct plan_node {
    bool is_quantized;
    int8_t *weights;        /* codes, layout of the float weights */
    size_t n_weight_scales; /* 1 or output channels */
    float *weight_scale;    /* [n_weight_scales], of what codes stand for, per step */
    float *acc_scale;       /* [n_weight_scales], real value of one accumulator step: input scale x weight scale */
    float *bias; /* [output channels]: the node's bias with its correction; NULL: none. Not always the graph's */
    int32_t
        *bias_codes; /* the same in steps of acc_scale, where profile->integer_bias and there is a bias; else NULL */
    char method[PLAN_METHOD_BYTES];
    double weight_mse, weight_mse_max_abs; /* squared error of what a code stands for: as chosen, and of max-abs */
};

struct plan {
    struct arena *arena;
    const struct graph *graph;     /* borrowed */
    const struct profile *profile; /* borrowed */
    struct plan_value *values;     /* [graph->n_values] */
    struct plan_node *nodes;       /* [graph->n_nodes] */
};

/* An empty plan (nothing quantized), or NULL with EX_OSERR. */
struct plan *plan_create(const struct graph *graph, const struct profile *profile, struct error *err);
void plan_destroy(struct plan *plan); /* NULL is allowed */

/* Hidden zero points as steps of the accumulator, to be added to bias_codes[channel]; 0 where none is hidden. Of the
 * output: |offset| <= 2^30, rounded like the bias. Of the input: exact, -zero_point x sum of the channel's codes. CONV
 * and DENSE only. */
int64_t plan_output_offset(const struct plan *plan, int node, size_t channel);
int64_t plan_input_offset(const struct plan *plan, int node, size_t channel);

#endif
