/* profile.h — what one chip or runtime does with integers: the whole difference between targets, as data.
 *
 * Each profile is declared beside its emitter in formats/<target>/ with the vendor's document as its source. The
 * coordinator decides by it, the simulator (worker/simulate.h) computes by it.
 */
#ifndef ETALON_PROFILE_H
#define ETALON_PROFILE_H

#include "common/graph.h"
#include "common/quant.h"

/* How the accumulator of a node becomes a code of its output. M = acc_scale / out_scale, the real factor. */
enum requantization {
    REQUANTIZE_DEQUANTIZED, /* round((acc x acc_scale + bias) / out_scale): dequantizes, computes in float32, quantizes
                             * again */
    REQUANTIZE_RATIO,       /* round(acc x M): M is one float32, and so is the product */
    REQUANTIZE_Q31_TWICE,   /* M as 31 bits and a shift, rounded after each: gemmlowp's arithmetic */
    REQUANTIZE_Q31,         /* the same factor, rounded once */
    REQUANTIZE_MULTIPLIER,  /* acc x m / 2^n: m has multiplier_bits with its sign */
    REQUANTIZE_SHIFT,       /* acc / 2^n, 0 <= n <= largest_shift: weights have the scale that makes M a power of two */
};

/* What values between quantized nodes are, and what nodes left in float compute in. */
enum float_type {
    FLOAT_TYPE_FP32,
    FLOAT_TYPE_FP16, /* operands and results are rounded to it; sums inside a node are float32 */
};

struct profile {
    const char *name;
    /* activations */
    struct code_range signed_codes;   /* values that can be negative, e.g. [-128,127] z 0, or [0,255] z 128 */
    struct code_range unsigned_codes; /* values known to be >= 0; equal to signed_codes where the target has no such */
    bool saturates_low_at_minus_127;  /* informative: threshold T maps to this many steps either way */
    int32_t signed_steps;             /* scale = threshold / signed_steps: 127, or 32767 for codes of 16 bits */
    int32_t unsigned_steps;           /* 255, or 127 where unsigned is not available */
    /* Every value has a zero point of its own: that of signed_codes may lie anywhere in their range. Codes of 8 bits.
     */
    bool affine_activations;
    /* The arithmetic knows no zero points, but biases can make up for one: unsigned_codes serve where that works, see
     * plan_value.hides_zero_point. */
    bool zero_points_in_biases;
    bool per_channel_activations; /* scales of activations may be per channel (granularity: per-channel): of what CONV
                                   * reads and makes, ADD of equal shapes, max pools; a CONCAT of such channels then
                                   * moves codes, whatever concat_shares_scale says */
    enum rounding activation_rounding;
    /* The model holds reciprocals of scales: a scale is one that its reciprocal gives back, 1 / (1 / s) in float32. */
    bool stores_reciprocals, stores_weight_reciprocals;
    /* Between nodes run reals of float_type: a quantized node makes codes of what it reads, for itself, and gives back
     * reals. Only what such a node reads has a scale; any other node reads the reals. */
    bool keeps_reals;
    enum float_type float_type;
    /* weights: symmetric, [-weight_limit, weight_limit]; 127, or 32767 */
    int32_t weight_limit;
    bool
        codes_are_remade; /* the vendor's tool makes codes of float weights and our scales: they are the nearest ones */
    int32_t (*weight_limit_of)(const struct graph *graph,
                               const struct node *node); /* optional: the limit of one node */
    /* The target's own tool makes the codes, of the largest magnitude for weight_limit steps: max-abs, whatever method
     * the job asks for. */
    bool weights_are_max_abs;
    bool per_channel_weights;
    uint32_t per_tensor_ops; /* bit 1u << OP_x: nodes whose weights have one scale all the same */
    /* bias: integer codes of step acc_scale where true, float otherwise */
    bool integer_bias;
    int32_t
        bias_limit; /* codes saturate to [-bias_limit - 1, bias_limit]; 0: all of int32, and no bias may need more */
    enum rounding bias_rounding;
    enum requantization requantization;
    int multiplier_bits;                   /* of REQUANTIZE_MULTIPLIER and operands_are_rescaled: 8 or 16 */
    int largest_shift;                     /* of REQUANTIZE_SHIFT */
    enum rounding requantization_rounding; /* of the integer forms; the others round like activations */
    /* Of its rounding the vendor says nothing. The fields above are the likely end, these the other: a report shows
     * both. */
    bool rounding_is_unknown;
    enum rounding other_activation_rounding, other_requantization_rounding;
    bool average_pool_truncates; /* integer average pool rounds toward zero and does not rescale */
    /* operators by class: bit 1u << OP_x */
    uint32_t quantized_ops;   /* computed on integers; inputs and output have codes */
    uint32_t transparent_ops; /* move codes without computing: input and output share one scale */
    bool average_pool_is_transparent;
    bool activation_is_transparent; /* ReLU and clip left unfused: computed on codes, share a scale */
    bool concat_shares_scale;       /* inputs of a concat take the output's scale */
    /* ADD and CONCAT bring each operand to the output's steps by a multiplier and a shift of its own, each rounded;
     * otherwise they compute on reals. */
    bool operands_are_rescaled;
    /* ADD of two values of one shape multiplies their codes by ratios of scales, one rounding a product, and knows no
     * reals (worker/simulate_add.c). */
    bool adds_by_ratios;
    /* Not what suits this arithmetic best, but what TNN's own tool would decide for it, bit for bit: a scale a blob,
     * from its own counts alone; selections only behind what computes on integers; weights coded times the input's
     * scale always; biases divided in float32. */
    bool is_tool_exact;
    /* Optional, for what the masks cannot say (an axis, a fused activation, a kind of BINARY): false keeps the node in
     * float. */
    bool (*allows)(const struct graph *graph, const struct node *node);
};

/* A scale of activations as the target's model keeps it; twice is as once. */
float profile_kept_scale(const struct profile *profile, float scale);
float profile_kept_weight_scale(const struct profile *profile, float scale); /* the same of weights */
int32_t profile_weight_limit(const struct profile *profile, const struct graph *graph, const struct node *node);

#endif
