/* simulate_conv.h — one CONV, DECONV or DENSE on integers: shared by the file that adds up (simulate_conv.c) and the
 * one that rescales the sums (simulate_rescale.c). */
#ifndef ETALON_SIMULATE_CONV_H
#define ETALON_SIMULATE_CONV_H

#include "common/requantize.h"
#include "worker/simulate_private.h"

enum { RESCALED_PIXELS = 256 }; /* at a time, so that their accumulators of all channels stay in cache */

/* How one output channel turns accumulators into codes: everything that is constant along the channel. */
struct rescale {
    enum requantization form;
    enum rounding rounding; /* of the integer forms */
    float acc_scale, out_scale, bias;
    int32_t bias_code;
    struct multiplier multiplier; /* of the integer forms */
};

struct sim_conv {
    const struct plan *plan;
    const struct node *node;
    const struct plan_node *weights;
    int input_value, output_value;
    size_t in_channels, in_height, in_width, out_channels, out_height, out_width;
    size_t group, group_in, group_out, k; /* per group; k = group_in x kernel */
    bool is_depthwise;
    bool is_wide;               /* codes of 16 bits: accumulators of 64 */
    size_t n_parts;             /* packed matrices per group: 1; where wide, 2 per run of K: see WIDE_RUN */
    struct int_weights *packed; /* [group][n_parts]; dense and grouped */
    int16_t *taps;              /* depthwise: [kernel][channels] */
    int16_t *image;             /* one record, NHWC, + 1 for an odd K */
    int16_t *patches;           /* [PIXELS][k + k % 2] */
    int32_t *sums;              /* [out pixels][sum_stride] of one record; where wide, [PIXELS] of one part */
    int64_t *wide_sums;         /* [out pixels][sum_stride]; NULL unless wide */
    float *row;                 /* [RESCALED_PIXELS]: of one channel on their way to codes */
    struct rescale *rescales; /* [out channels], as the plan has it when a run begins: biases may change between runs */
    size_t sum_stride;
};

/* Where the accumulators of an output channel are in a row of sums. */
static inline size_t sim_conv_column(const struct sim_conv *c, size_t channel)
{
    return c->is_depthwise ? channel : channel / c->group_out * int_gemm_padded(c->group_out) + channel % c->group_out;
}

/* Fills c->rescales. */
void sim_conv_prepare(struct sim_conv *c);
/* The accumulators of one record, in place in `c`, as codes or floats: out channels x pixels. */
void sim_conv_rescale(struct sim_conv *c, void *output);

#endif
