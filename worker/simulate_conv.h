/* simulate_conv.h — one CONV, DECONV or DENSE on integers: shared by the files that place its windows
 * (simulate_image.c), pack its weights (simulate_weights.c), add up (simulate_conv.c) and rescale the sums
 * (simulate_rescale.c).
 *
 * A dense layer is a 1 x 1 convolution of an image of one line, with a pixel for each of its rows.
 */
#ifndef ETALON_SIMULATE_CONV_H
#define ETALON_SIMULATE_CONV_H

#include "worker/simulate_private.h"

/* How output channels turn accumulators into codes: everything that is constant along a channel. Each array has room
 * for a panel beyond the channels. */
struct rescale {
    enum requantization form;
    int32_t *bias_code;
    float *factor, *bias;              /* of the float forms: (sum + bias code) x factor + bias */
    float *out_scale;                  /* real value of a step of the output */
    int64_t *m, *shift;                /* of the integer forms: struct multiplier */
    int64_t *before, *before_negative; /* added to make a shift round */
    bool ties_go_to_even;
    bool shifts_are_simple; /* all in [1, 62] */
};

struct sim_conv {
    const struct plan *plan;
    const struct node *node;
    const struct plan_node *weights;
    int input_value, output_value;
    size_t in_channels, in_height, in_width, out_channels, out_height, out_width;
    size_t group, group_in, group_out; /* per group */
    size_t kernel[2], n_taps, k;       /* k = group_in x n_taps, per group */
    bool is_depthwise;
    bool is_wide;               /* weights or inputs of 16 bits: accumulators of 64 */
    struct sim_codes in_codes;  /* as they come */
    size_t out_item;            /* bytes of a code or real of the output */
    bool are_bytes;             /* what windows are read from, and the weights */
    struct int_weights *packed; /* [group][SIM_HALVES where wide]; dense and grouped */
    int32_t *byte_offsets;      /* [out channels]: what sums of bytes lack: lowest code x sum of weights; else 0 */
    int16_t *taps;              /* depthwise: [n_taps][channels + a panel] */
    const int16_t **tap_rows, **tap_weights; /* [n_taps]: of one pixel */

    /* Windows lie in an image with its pads (is_direct), or rows of patches are made of it. */
    bool is_direct;
    size_t image_height, image_width, top, left; /* with pads, and where the input lies in it */
    size_t segments, segment_items, units;       /* of a row: see int_gemm.h */
    bool is_turned;                              /* the input has its channels first, and this is */
    void *turned;                                /* one record of it, channels last */
    void *image;                                 /* the same with pads, as bytes or words */
    char *patches;                               /* [SIM_BLOCK][patch_bytes] */
    size_t patch_bytes;
    size_t *at; /* [SIM_BLOCK]: of rows */

    struct sim_tile *tile;  /* borrowed */
    struct rescale rescale; /* as the plan has it when a run begins: biases may change between runs */
};

static inline size_t sim_conv_item(const struct sim_conv *c)
{
    return c->are_bytes ? sizeof(uint8_t) : sizeof(int16_t);
}

/* ---- simulate_weights.c ---- */

/* The largest |accumulator| any input can cause must stay in int32: the promise of exactness. Wide ones have 64 bits,
 * which nothing fills. EX_UNAVAILABLE; before any memory is made. */
int sim_conv_check_range(const struct sim_conv *c, struct error *err);
/* Packs the weights. EX_OSERR. */
int sim_conv_make_weights(struct sim_conv *c, struct error *err);

/* ---- simulate_image.c ---- */

/* Decides is_direct and what depends on it. */
void sim_conv_place_windows(struct sim_conv *c);
int sim_conv_make_image(struct sim_conv *c, struct error *err);
/* One record of codes as the image that rows are read from: `input` itself where it can be read as it lies. */
const char *sim_conv_image(struct sim_conv *c, const void *input);
/* Rows of output pixels [first, first + n), n <= SIM_BLOCK, of one group. */
struct int_rows sim_conv_rows(struct sim_conv *c, const char *image, size_t group, size_t first, size_t n);
/* What each tap of a depthwise window reads, all channels of it; those outside the image are left out. rows, taps:
 * [n_taps]. Returns how many there are. */
size_t sim_conv_tap_rows(const struct sim_conv *c, const char *image, size_t pixel, const int16_t **rows,
                         const int16_t **taps);

/* ---- simulate_rescale.c ---- */

int sim_conv_make_rescale(struct sim_conv *c, struct error *err);
void sim_conv_prepare(struct sim_conv *c);
/* Accumulators of `n` pixels from the tile, of channels [first, first + channels) of at most a panel,
 * as codes or floats: `output` is where the first pixel's channel 0 lies. */
void sim_conv_rescale(struct sim_conv *c, size_t n, size_t first, size_t channels, void *output);

#endif
