/* firstconv.h — the vendor's "first convolution": it reads bytes, and subtracts means and divides by deviations itself.
 *
 * Source: Cambricon/catch (input_mean, input_std of the first quantized layer) and Cambricon/caffe (mean_value and std
 * of a ConvolutionParameter). In both the scale of the codes is that of normalised values, as without it: the layer
 * normalises, then makes codes. In which precision it does so is not published; the simulation normalises in fp32 and
 * rounds to the float type of the variant.
 */
#ifndef ETALON_CAMBRICON_FIRSTCONV_H
#define ETALON_CAMBRICON_FIRSTCONV_H

#include "formats/pixel_affine.h"
#include "formats/target.h"

struct firstconv {
    size_t node; /* the convolution that reads the network's only input */
    size_t channels;
    struct pixel_affine pixels;
};

/* Are the network and its preprocessing fit for it? EX_UNAVAILABLE naming the node or the step that is not. */
int firstconv_init(struct firstconv *first, const struct plan *plan, const struct emit_info *info, struct error *err);

/* The limits of one flow each. EX_UNAVAILABLE. */
int firstconv_check_pytorch(const struct firstconv *first, struct error *err);
int firstconv_check_caffe(const struct firstconv *first, struct error *err);

/* The order of the picture's channels: "RGB", "BGR", "GRAY", "YUV", or that of the calibration's records. */
const char *firstconv_channel_order(const struct firstconv *first);

#endif
